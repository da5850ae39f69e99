import gzip
import json
import lzma

import pytest

from eiw import errors
from eiw.data import text_files


def texts(pattern):
    return [document for _, document in text_files.text_documents(str(pattern))]


def jsonl(documents):
    return "".join(json.dumps({"text": text, "source": "s"}) + "\n" for text in documents).encode()


def test_every_format_gives_the_same_documents(tmp_path):
    documents = ["first\nline", "zwei \u00fc", "\x00", "last"]
    for name, pack in (
        ("a.jsonl", bytes),
        ("a.jsonl.gz", gzip.compress),
        ("a.jsonl.xz", lzma.compress),
    ):
        (tmp_path / name).write_bytes(pack(jsonl(documents) + b"\n  \n"))
        assert texts(tmp_path / name) == [text.encode() for text in documents]


def test_files_come_by_name_and_folders_are_no_files(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    for name in ("b.txt", "a.txt", "folder.txt/c.txt"):
        (tmp_path / name).write_text(name)
    assert texts(tmp_path / "**" / "*.txt") == [b"a.txt", b"b.txt", b"folder.txt/c.txt"]


def test_plain_text_is_cut_at_line_ends_and_loses_nothing(tmp_path):
    lines = [b"%d " % i * (i % 3000) + b"\n" for i in range(0, 6000, 7)]
    lines[100:100] = [b"\xff" * 200_000]  # one line that is longer than three documents
    data = b"".join(lines) + b"no newline at the end"
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(data))
    found = texts(tmp_path / "a.txt.gz")
    assert b"".join(found) == data
    assert max(map(len, found)) == text_files.MAX_TEXT_BYTES
    for document in found[:-1]:
        assert document.endswith(b"\n") or len(document) == text_files.MAX_TEXT_BYTES


def test_split_is_by_content_and_about_one_percent(tmp_path):
    documents = [f"document {i}" for i in range(20_000)]
    (tmp_path / "a.jsonl").write_bytes(jsonl(documents))
    split_of = {text: split for split, text in text_files.text_documents(str(tmp_path / "a.jsonl"))}
    assert len(split_of) == len(documents)
    for split in ("validation", "test"):
        # 200 expected, standard deviation 14.
        assert 140 < list(split_of.values()).count(split) < 260
    # Another order, other neighbours: the same splits.
    (tmp_path / "b.jsonl").write_bytes(jsonl(documents[:1500:-1]))
    for split, text in text_files.text_documents(str(tmp_path / "b.jsonl")):
        assert split_of[text] == split


@pytest.mark.parametrize(("count", "held_out"), [(3, 1), (10, 1), (149, 1), (151, 2), (999, 10)])
def test_few_documents_still_fill_every_split(tmp_path, count, held_out):
    (tmp_path / "a.jsonl").write_bytes(jsonl(f"document {i}" for i in range(count)))
    splits = [split for split, _ in text_files.text_documents(str(tmp_path / "a.jsonl"))]
    assert len(splits) == count
    assert splits.count("validation") == splits.count("test") == held_out


def test_few_long_documents_fill_every_split(tmp_path):
    # Books, together more than ought to be kept in memory.
    with (tmp_path / "books.jsonl").open("wb") as file:
        for letter in "abcdefghijklmn":
            file.write(jsonl([letter * 4_900_000]))
    splits = sorted(split for split, _ in text_files.text_documents(str(tmp_path / "books.jsonl")))
    assert splits == ["test", *["train"] * 12, "validation"]


def test_copies_of_a_text_stay_together(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl(["a", "b", "c", "d"] * 5))
    pairs = set(text_files.text_documents(str(tmp_path / "a.jsonl")))
    assert len(pairs) == 4 and {split for split, _ in pairs} == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"txt": "y"}\n', "a.jsonl, line 2: no field"),
        ("a.jsonl", b'{"text": 3}\n', "a.jsonl, line 1: no field"),
        ("a.jsonl", b"[]\n", "a.jsonl, line 1: no field"),
        ("a.jsonl", b'\n{"text": "x"', "a.jsonl, line 2: no JSON"),
        ("a.jsonl", b'{"text": "\xff"}', "a.jsonl, line 1: no JSON"),
        ("a.txt.gz", gzip.compress(b"x" * 999, mtime=0)[:-9], "a.txt.gz is no whole .gz archive"),
        ("a.txt.gz", b"text", "a.txt.gz is no whole .gz archive"),
        ("a.jsonl.xz", lzma.compress(b"x" * 999)[:-9], "a.jsonl.xz is no whole .xz archive"),
        ("a.txt.xz", b"text", "a.txt.xz is no whole .xz archive"),
        ("a.txt", b"", "0 different document"),
        ("a.jsonl", jsonl(["same"] * 9), "1 different document"),
        ("other", b"text", "No file matches"),
    ],
)
def test_bad_input_is_one_line_that_names_the_place(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(errors.InputError, match=message) as error:
        texts(tmp_path / "a.*")
    assert "\n" not in str(error.value)


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(
        errors.InputError, match=r"is a folder: give a glob of its files, '.*/\*\.txt'"
    ):
        texts(tmp_path)


def test_documents_without_splits_may_be_few(tmp_path):
    (tmp_path / "a.txt").write_text("all there is")
    assert list(text_files.documents(str(tmp_path / "*.txt"))) == [b"all there is"]
    with pytest.raises(errors.InputError):
        list(text_files.documents(str(tmp_path / "*.md")))
