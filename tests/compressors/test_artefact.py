"""Damaged and foreign folders are refused with one clear line, whatever was done to them."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from eiw import compressors, errors
from eiw.compressors import neural_ac, raw_bytes, window_dictionary


@pytest.fixture(scope="module")
def saved(ngrams, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    window_dictionary.compile_windows(ngrams).save(folder / "dictionary")
    neural_ac.NeuralAC(ngrams).save(folder / "ac")
    return folder


@pytest.fixture
def dictionary(saved, tmp_path):
    return pathlib.Path(shutil.copytree(saved / "dictionary", tmp_path / "dictionary"))


@pytest.fixture
def ac(saved, tmp_path):
    return pathlib.Path(shutil.copytree(saved / "ac", tmp_path / "ac"))


def refused(folder, match, **expected):
    with pytest.raises(errors.ArtefactError, match=match) as caught:
        compressors.load(folder, **expected)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def change_header(folder, change):
    path = folder / "compressor.json"
    header = json.loads(path.read_text())
    change(header)
    path.write_text(json.dumps(header))


@pytest.mark.parametrize("name", ["compressor.json", "arrays.npz"])
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_truncated(dictionary, name, share):
    octets = (dictionary / name).read_bytes()
    (dictionary / name).write_bytes(octets[: int(share * (len(octets) - 1))])
    refused(dictionary, "damaged|truncated")


@pytest.mark.parametrize("name", ["compressor.json", "arrays.npz"])
def test_missing(dictionary, name):
    (dictionary / name).unlink()
    refused(dictionary, "has no compressor.json|cannot be read")


def test_every_kind_of_flipped_bit(dictionary):
    octets = (dictionary / "arrays.npz").read_bytes()
    for place in np.random.default_rng(0).integers(0, len(octets), 20):
        damaged = bytearray(octets)
        damaged[place] ^= 1 << int(place) % 8
        (dictionary / "arrays.npz").write_bytes(damaged)
        refused(dictionary, "truncated or altered")


@pytest.mark.parametrize(
    ("key", "value"),
    [("window_bits", 15), ("dense", False), ("m1_fingerprint", "0" * 64), ("own_cell", "x")],
)
def test_altered_settings(dictionary, key, value):
    change_header(dictionary, lambda header: header["config"].update({key: value}))
    refused(dictionary, "altered")


def test_other_format_version(dictionary):
    change_header(dictionary, lambda header: header.update(format_version=99))
    refused(dictionary, "format version 99")


def test_other_interval_function(dictionary, ngrams):
    made = window_dictionary.compile_windows(ngrams)
    made._contents.config["interval"] = "ceil"
    made.save(dictionary)
    with pytest.raises(errors.ArtefactError, match="interval function 'ceil'"):
        compressors.load(dictionary)


def test_unknown_kind(dictionary):
    change_header(dictionary, lambda header: header.update(kind="oracle"))
    refused(dictionary, "'oracle'; this eiw knows bytes")


@pytest.mark.parametrize("octets", [b"\xff\xfe", b"[" * 100_000])
def test_no_json(dictionary, octets):
    (dictionary / "compressor.json").write_bytes(octets)
    refused(dictionary, "is damaged")


def test_a_header_that_cannot_be_read(dictionary):
    (dictionary / "compressor.json").unlink()
    (dictionary / "compressor.json").mkdir()
    refused(dictionary, "cannot be read: Is a directory")


@pytest.mark.parametrize("text", ["[1]", '{"format": "tiktoken"}', '{"kind": "bytes"}'])
def test_foreign(dictionary, text):
    (dictionary / "compressor.json").write_text(text)
    refused(dictionary, "not written by eiw")


def test_kind_of_another_folder(dictionary):
    change_header(dictionary, lambda header: header.update(kind="bytes"))
    refused(dictionary, "altered")


def test_no_folder(tmp_path):
    refused(tmp_path / "nothing", "has no compressor.json")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "has no compressor.json")


def test_not_the_one_expected(dictionary, ngrams):
    refused(dictionary, "another compressor", expect_fingerprint="f" * 64)
    refused(dictionary, "another M1", expect_m1_fingerprint="f" * 64)
    assert compressors.load(dictionary, expect_m1_fingerprint=ngrams.fingerprint)


def test_damaged_model_inside(ac):
    path = ac / "byte_model" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-100])
    refused(ac, "truncated or altered")
    shutil.rmtree(ac / "byte_model")
    refused(ac, "has no config.json")


def test_saving_replaces_the_folder_as_a_whole(dictionary):
    raw_bytes.RawBytes().save(dictionary)
    assert isinstance(compressors.load(dictionary), raw_bytes.RawBytes)
    assert sorted(path.name for path in dictionary.iterdir()) == ["arrays.npz", "compressor.json"]
    assert [path.name for path in dictionary.parent.iterdir()] == ["dictionary"]
