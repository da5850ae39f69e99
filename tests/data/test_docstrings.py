import sys

import pytest

from eiw import errors
from eiw.data import docstrings

LONG = "Returns a description of the {0}, long enough to be prose: {0} is what it describes. " * 2


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Writes packages {name: {file: source}} where they can be found, not imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources):
        for name, files in sources.items():
            for file, source in files.items():
                path = tmp_path / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(source if isinstance(source, bytes) else source.encode())
            (tmp_path / name / "__init__.py").touch()

    return write


def texts(*names, split="train"):
    return [text for name, text in docstrings.docstring_documents(*names) if name == split]


def doc(subject):
    return LONG.format(subject).strip()


def source(subject):
    return f'"""{doc(subject)}"""\n'


def test_finds_what_documents_and_leaves_data_alone(packages):
    packages(
        eiw_a={
            "classes.py": f'class Thing:\n    """{doc("class")}"""\n    def f(self):\n'
            f'        """{doc("function")}\n\n        Indented.\n        """\n'
            f'    label = "{doc("label")}"\n    "short"\n',
            "newdocs.py": f'add_newdoc("m", "f", """{doc("call")}""")\n'
            f'add_newdoc("m", ("g", """{doc("pair")}"""))\n'
            f'logging.warning("""{doc("message")}""")\n',
            "topics.py": f'topics = {{"if": """{doc("topic")}"""}}\n',
            "stub.pyi": source("stub"),
            "tests/data.py": source("folder of tests"),
            "test_it.py": source("test"),
        },
        eiw_b={"b.py": source("validation")},
        eiw_c={"c.py": source("held-out test")},
    )
    found = texts(["eiw_a"], ["eiw_b"], ["eiw_c"])
    expected = ["class", "function", "call", "pair", "stub", "topic"]
    assert [text.decode().split("\n\n")[0] for text in found] == list(map(doc, expected))
    assert found[1].endswith(b"\n\nIndented.")


def test_splits_are_packages_and_nothing_is_imported(packages):
    packages(
        eiw_a={"a.py": source("train") + "raise AssertionError"},
        eiw_b={"b.py": source("validation")},
        eiw_c={"c.py": source("test split")},
    )
    got = set(docstrings.docstring_documents(["eiw_a"], ["eiw_b"], ["eiw_c"]))
    assert got == {
        ("train", doc("train").encode()),
        ("validation", doc("validation").encode()),
        ("test", doc("test split").encode()),
    }
    assert not {"eiw_a", "eiw_b", "eiw_c"} & set(sys.modules)


def test_training_copies_of_held_out_text_go(packages):
    lines = [f"line number {i} of a text that says something" for i in range(10)]
    copy = "\n    ".join(line.upper() for line in lines[:6]) + "\n" + doc("other ending")
    packages(
        eiw_a={"a.py": f'"""{copy}"""\n', "b.py": source("own")},
        eiw_b={"b.py": '"""{}"""\n'.format("\n".join(lines))},
        eiw_c={"c.py": source("test split")},
    )
    assert texts(["eiw_a"], ["eiw_b"], ["eiw_c"]) == [doc("own").encode()]
    assert len(texts(["eiw_a"], ["eiw_b"], ["eiw_c"], split="validation")) == 1


def test_unreadable_files_and_absent_packages_are_skipped(packages, caplog):
    packages(
        eiw_a={
            "a.py": source("good"),
            "broken.py": source("broken") + "def (",
            "nul.py": source("nul").encode() + b"\0",
            "encoding.py": b"# coding: no-such-coding\n" + source("encoding").encode(),
            "latin.py": b"\xff" + source("latin").encode(),
            "surrogate.py": f'"""{doc("surrogate")}\\ud800"""',
            "escape.py": f'"""{doc("escape")} \\d"""',
        },
        eiw_b={"b.py": source("validation")},
        eiw_c={"c.py": source("test split")},
    )
    found = texts(["eiw_a", "eiw_absent", "eiw_absent.sub"], ["eiw_b"], ["eiw_c"])
    assert found == [doc("good").encode(), doc("escape").encode() + rb" \d"]
    assert "eiw_absent" in caplog.text


def test_bad_package_lists_are_refused(packages):
    packages(eiw_a={"a.py": source("a")})
    with pytest.raises(errors.InputError, match="eiw_a is in both validation and train"):
        list(docstrings.docstring_documents(["eiw_a"], ["eiw_a"], []))
    with pytest.raises(errors.InputError, match="No docstrings for validation and test"):
        list(docstrings.docstring_documents(["eiw_a"], [], ["eiw_absent"]))


def test_default_packages_do_not_overlap():
    splits = (docstrings.PACKAGES, docstrings.VALIDATION_PACKAGES, docstrings.TEST_PACKAGES)
    assert len(set().union(*splits)) == sum(map(len, splits))


@pytest.mark.slow
def test_the_whole_corpus_is_ample_and_deterministic():
    first = list(docstrings.docstring_documents())
    assert sum(len(text) for _, text in first) > 10e6
    assert len({text for _, text in first}) == len(first)
    assert list(docstrings.docstring_documents()) == first
