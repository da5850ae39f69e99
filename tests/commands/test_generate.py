"""`eiw generate`: an M2 of `eiw train`, its prompts, and one line for what is wrong."""

import io
import sys
import types

import pytest
import tiny_flags

from eiw import main
from eiw.coding import byte_model
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.data import corpus, token_files

DOCUMENTS = ["the text that a model is trained on, größer ".encode() * 5, b"and some more of it"]
TINY = ["--gin_file=runs/train.gin", *tiny_flags.TINY]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A trained M2, its compressor, and another one of as many codes."""
    root = tmp_path_factory.mktemp("generate")
    model = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
    compressor = fit_tunstall(model, 300)
    compressor.save(root / "compressor")
    fit_tunstall(byte_model.NgramByteModel.fit([b"other text"], order=3), 300).save(root / "other")
    RawBytes().save(root / "bytes")
    for split in corpus.SPLITS:
        token_files.write_tokens(root / "tokens" / split, compressor, DOCUMENTS)
    status = main.main(["train", f"--tokens={root / 'tokens'}", f"--output={root / 'run'}", *TINY])
    assert status == 0
    return root


@pytest.fixture
def generate(capfd, monkeypatch, folders):
    def call(*arguments, run="run", compressor="compressor", stdin=b""):
        pipe = types.SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(stdin or b""))
        monkeypatch.setattr(sys, "stdin", None if stdin is None else pipe)
        status = main.main(
            [
                *("generate", f"--run={folders / run}", f"--compressor={folders / compressor}"),
                *arguments,
            ]
        )
        out, err = capfd.readouterr()
        return status, out, "\n".join(line for line in err.splitlines() if "eiw generate" in line)

    return call


def test_text_after_a_prompt_from_everywhere(generate, tmp_path):
    (tmp_path / "prompt").write_bytes(b"the text")
    arguments = ("--max_bytes=30", "--seed=5")
    answers = {
        generate("--prompt=the text", *arguments),
        generate(f"--prompt_file={tmp_path / 'prompt'}", *arguments),
        generate(*arguments, stdin=b"the text"),
    }
    ((status, out, err),) = answers
    assert (status, err) == (0, "")
    assert 1 < len(out.encode()) <= 4 * 31


def test_an_empty_prompt_begins_a_text(generate):
    status, _, err = generate("--max_bytes=5", "--temperature=0")
    assert (status, err) == (0, "")


def test_no_standard_input_is_an_empty_prompt(generate):
    arguments = ("--max_bytes=5", "--temperature=0")
    assert generate(*arguments, stdin=None) == generate(*arguments)


def test_a_batch_of_texts(generate):
    _, one, _ = generate("--prompt=a", "--max_bytes=20")
    status, out, _ = generate("--prompt=a", "--max_bytes=20", "--batch=3", "--top_k=50")
    assert status == 0
    assert [line for line in out.split("\n") if line.startswith("---")][-1] == "--- 3 of 3 ---"
    assert one.count("---") == 0


def test_a_long_prompt_keeps_its_end(generate):
    prompt = b"an older text, " * 700_000
    status, out, err = generate("--max_bytes=10", stdin=prompt)
    assert status == 0
    assert err.count("\n") == 0
    assert "10,500,000 bytes" in err and "last 1,024" in err
    assert out == generate("--max_bytes=10", stdin=prompt[-1024:])[1]


def test_a_prompt_that_is_no_utf8_is_taken_as_it_is(generate):
    status, out, err = generate("--max_bytes=10", stdin=b"the \xff text")
    assert status == 0
    assert "no UTF-8 at byte 4" in err
    out.encode()


def test_a_character_that_the_prompt_begins_ends_in_the_text(generate, monkeypatch):
    from eiw.inference import generator

    def pieces(*_, **__):
        yield [b"\xb6"]
        yield [b"\xc3"]
        yield [b""]
        yield [b"\x9f\xe2\x82"]

    monkeypatch.setattr(generator.Generator, "generate", pieces)
    status, out, err = generate(stdin=b"gr\xc3")
    assert (status, out, err) == (0, "öß\N{REPLACEMENT CHARACTER}\n", "")


def test_what_is_approximate_or_empty_is_said_once(generate, monkeypatch):
    from eiw.inference import dictionary_ways, generator

    monkeypatch.setattr(dictionary_ways.LongestWays, "approximation", "its codes are made up")
    _, _, err = generate("--prompt=a", "--max_bytes=9", "--batch=2")
    assert err.count("approximate: its codes are made up") == 1
    assert "approximate" not in generate("--prompt=", "--max_bytes=9")[2]
    monkeypatch.setattr(generator.Generator, "generate", lambda *_, **__: iter([[b""]]))
    status, out, err = generate("--prompt=a")
    assert (status, out) == (0, "\n") and "M2 ended the text at once" in err


@pytest.mark.parametrize(
    ("folders_of", "message"),
    [
        ({"run": "tokens"}, "no checkpoint"),
        ({"compressor": "other"}, "was trained on codes of tunstall_v300"),
        ({"compressor": "bytes"}, "was trained on codes of tunstall_v300"),
        ({"compressor": "run"}, "compressor.json"),
    ],
)
def test_wrong_folders_are_one_line(generate, folders_of, message):
    status, out, err = generate("--prompt=a", **folders_of)
    assert (status, out) == (1, "")
    assert message in err and "\n" not in err


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--temperature=-1", "temperature"),
        ("--top_p=0", "top_p"),
        ("--seed=4294967296", "seed"),
        ("--prompt_file=nowhere", "cannot be read"),
    ],
)
def test_wrong_settings_are_one_line(generate, argument, message):
    status, out, err = generate(argument)
    assert (status, out) == (1, "")
    assert message in err and "\n" not in err
