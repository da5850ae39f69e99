import json
import shutil

import pytest

from eiw import errors
from eiw.data import corpus

DOCUMENTS = [
    ("train", b"one"),
    ("test", b"\x00\xff"),
    ("train", b""),
    ("validation", b"v" * 3000),
    ("train", b"three\n"),
]


def test_documents_come_back_in_order(tmp_path):
    written = corpus.write_corpus(tmp_path / "c", DOCUMENTS, "five texts")
    read = corpus.open_corpus(tmp_path / "c")
    for split in corpus.SPLITS:
        expected = [text for name, text in DOCUMENTS if name == split]
        assert list(read[split]) == list(written[split]) == expected
        assert read[split].total_bytes == sum(map(len, expected))
    assert read.source == "five texts"
    assert read["train"][-1] == b"three\n"
    assert read["train"][:2] == [b"one", b""]
    with pytest.raises(IndexError):
        read["train"][3]


def test_large_documents_pass_the_buffer(tmp_path):
    big = bytes(range(256)) * 6000  # 1.5 MB: longer than the write buffer
    documents = [("train", big), ("train", b"x"), ("validation", big), ("test", b"t")]
    read = corpus.write_corpus(tmp_path / "c", documents)
    assert read["train"][0] == big and read["train"][1] == b"x" and read["validation"][0] == big


def test_sha256_names_the_text_and_its_cuts(tmp_path):
    first = corpus.write_corpus(tmp_path / "a", DOCUMENTS).sha256
    assert corpus.write_corpus(tmp_path / "b", DOCUMENTS, "other words").sha256 == first
    moved = [("train", b"onet"), *DOCUMENTS[1:4], ("train", b"hree\n")]
    assert corpus.write_corpus(tmp_path / "c", moved).sha256 != first


def test_empty_split_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(errors.InputError, match="validation split is empty"):
        corpus.write_corpus(tmp_path / "c", [("train", b"a"), ("test", b"b")])
    assert list(tmp_path.iterdir()) == []


def test_unknown_split(tmp_path):
    with pytest.raises(ValueError, match="dev"):
        corpus.write_corpus(tmp_path / "c", [("dev", b"a")])
    with pytest.raises(errors.InputError, match="dev"):
        corpus.write_corpus(tmp_path / "c", DOCUMENTS)["dev"]


def _truncate(folder):
    path = folder / "train.bytes"
    path.write_bytes(path.read_bytes()[:-1])


def _cut_offsets(folder):
    path = folder / "train.offsets.npy"
    path.write_bytes(path.read_bytes()[:-3])


def _other_version(folder):
    path = folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))


def _no_json(folder):
    (folder / "corpus.json").write_text('{"version": 1')


def _file_in_its_place(folder):
    shutil.rmtree(folder)
    folder.touch()


def _missing(folder):
    (folder / "test.bytes").unlink()


@pytest.mark.parametrize(
    "damage",
    [_truncate, _cut_offsets, _other_version, _no_json, _missing, _file_in_its_place],
)
def test_damage_is_refused_in_one_line(tmp_path, damage):
    corpus.write_corpus(tmp_path / "c", DOCUMENTS)
    damage(tmp_path / "c")
    with pytest.raises(errors.ArtefactError) as error:
        corpus.open_corpus(tmp_path / "c")
    assert "\n" not in str(error.value)


def test_a_sample_is_whole_documents_from_all_over(tmp_path):
    texts = [bytes([number]) * 10 for number in range(100)]
    documents = [("train", text) for text in texts] + [("validation", b"v"), ("test", b"t")]
    train = corpus.write_corpus(tmp_path / "c", documents)["train"]
    sample = list(train.sample(195))
    assert len(sample) == len(set(sample)) == 20
    assert set(sample) <= set(texts)
    assert max(sample) > texts[70] and min(sample) < texts[30]
    assert sample == list(train.sample(195))
    assert len(list(train.sample(0))) == 1
    assert sorted(train.sample(10**9)) == texts
