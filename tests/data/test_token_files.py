import hashlib
import json
import shutil

import numpy as np
import pytest

from eiw import errors, vocab
from eiw.data import token_files

DOCUMENTS = [b"aab", b"", b"\x00\x00\xff", b"zz" * 10]


def test_ids_offsets_and_counts_by_hand(tmp_path, pairs):
    tokens = token_files.write_tokens(tmp_path / "t", pairs, iter(DOCUMENTS))
    a, b, z = ord("a"), ord("b"), ord("z")
    eos = vocab.EOS_ID
    expected = [256 + a + 3, b + 3, eos, eos, 256 + 3, 255 + 3, eos, *[256 + z + 3] * 10, eos]
    assert tokens.ids.tolist() == expected
    assert tokens.ids.dtype == np.uint16
    assert tokens.offsets.tolist() == [0, 3, 4, 7, 18]
    assert tokens.byte_counts.tolist() == [3, 0, 3, 20]
    assert (tokens.num_tokens, tokens.num_documents, tokens.total_bytes) == (18, 4, 26)
    assert tokens.vocab_size == pairs.vocab_size and tokens.fingerprint == pairs.fingerprint
    assert tokens.sha256 == hashlib.sha256((tmp_path / "t" / "ids.bin").read_bytes()).hexdigest()


def test_groups_do_not_show_in_the_file(tmp_path, pairs, monkeypatch):
    documents = [b"%d" % (i * i) for i in range(300)]
    whole = token_files.write_tokens(tmp_path / "a", pairs, documents)
    monkeypatch.setattr(token_files, "_GROUP_DOCUMENTS", 7)
    monkeypatch.setattr(token_files, "_GROUP_BYTES", 25)
    pairs.batch_sizes.clear()
    parts = token_files.write_tokens(tmp_path / "b", pairs, documents)
    assert len(pairs.batch_sizes) > 300 / 7 and max(pairs.batch_sizes) == 7
    assert parts.sha256 == whole.sha256
    np.testing.assert_array_equal(parts.offsets, whole.offsets)


@pytest.mark.parametrize(("num_codes", "dtype"), [(65_533, np.uint16), (65_534, np.uint32)])
def test_two_bytes_as_long_as_the_ids_fit(tmp_path, pairs_of, num_codes, dtype):
    compressor = pairs_of(num_codes)
    compressor.encode_batch = lambda documents: [np.array([0, num_codes - 1], np.int32)]
    tokens = token_files.write_tokens(tmp_path / "t", compressor, [b"x"])
    assert tokens.ids.dtype == dtype
    assert tokens.ids.tolist() == [3, num_codes + 2, vocab.EOS_ID]


@pytest.mark.parametrize("code", [-1, 512])
def test_a_code_outside_of_the_vocabulary_is_an_error(tmp_path, pairs, code):
    pairs.encode_batch = lambda documents: [np.array([code], np.int32)]
    with pytest.raises(ValueError, match="outside"):
        token_files.write_tokens(tmp_path / "t", pairs, [b"x"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("max_tokens", "documents"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3), (17, 3), (18, 4), (99, 4)]
)
@pytest.mark.parametrize("group", [1, 3, 1024])
def test_max_tokens_keeps_whole_documents(
    tmp_path, pairs, monkeypatch, max_tokens, documents, group
):
    monkeypatch.setattr(token_files, "_GROUP_DOCUMENTS", group)
    tokens = token_files.write_tokens(tmp_path / "t", pairs, DOCUMENTS, max_tokens)
    assert tokens.num_documents == documents
    assert tokens.num_tokens == tokens.offsets[-1] == [0, 3, 4, 7, 18][documents]


def test_no_documents(tmp_path, pairs):
    tokens = token_files.write_tokens(tmp_path / "t", pairs, [])
    assert (tokens.num_tokens, tokens.num_documents, tokens.total_bytes) == (0, 0, 0)


def _edit(**changes):
    def edit(folder):
        path = folder / "tokens.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def _cut(name):
    def cut(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-2])

    return cut


def _file_in_its_place(folder):
    shutil.rmtree(folder)
    folder.touch()


def _drop(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut("ids.bin"), "cut short"),
        (_cut("offsets.npy"), "damaged"),
        (_cut("tokens.json"), "damaged"),
        (_drop("byte_counts.npy"), "byte_counts.npy is missing"),
        (_drop("tokens.json"), "holds no tokens"),
        (shutil.rmtree, "holds no tokens"),
        (_file_in_its_place, "holds no tokens"),
        (_edit(version=1), "version 1"),
        (_edit(dtype="nonsense"), "damaged"),
        (_edit(documents=3), "cut short"),
    ],
)
def test_damage_is_refused_in_one_line(tmp_path, pairs, damage, message):
    token_files.write_tokens(tmp_path / "t", pairs, DOCUMENTS)
    damage(tmp_path / "t")
    with pytest.raises(errors.ArtefactError, match=message) as error:
        token_files.open_tokens(tmp_path / "t")
    assert "\n" not in str(error.value)


def test_another_compressors_tokens_are_refused(tmp_path, pairs, pairs_of):
    token_files.write_tokens(tmp_path / "t", pairs, DOCUMENTS)
    token_files.open_tokens(tmp_path / "t", expect_fingerprint=pairs.fingerprint)
    with pytest.raises(errors.ArtefactError, match=pairs.fingerprint[:12]):
        token_files.open_tokens(tmp_path / "t", expect_fingerprint=pairs_of(600).fingerprint)
