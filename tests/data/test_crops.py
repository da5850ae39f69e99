"""Where examples begin: one after another, anywhere, or where windows do."""

import json

import numpy as np
import pytest

from eiw import errors, vocab
from eiw.coding import byte_model
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.data import batches, crops, token_files

DOCUMENTS = [b"the windows of the text, ", b"", b"the text", b"\x00\xff the end"]
LENGTH = 4


@pytest.fixture
def tokens(tmp_path):
    return token_files.write_tokens(tmp_path / "tokens", RawBytes(), DOCUMENTS)


@pytest.fixture(scope="module")
def tunstall(tmp_path_factory):
    model = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
    dictionary = fit_tunstall(model, 300)
    dictionary.save(tmp_path_factory.mktemp("dictionary") / "tunstall")
    return dictionary


@pytest.fixture
def folder(tunstall, tmp_path):
    tunstall.save(tmp_path / "tunstall")
    return tmp_path / "tunstall"


def examples(tokens, starts, length=LENGTH):
    source = batches.TokenFileSource(tokens, len(starts.places), length, seed=0, starts=starts)
    return source.next_batch()["decoder_target_tokens"]


def test_windows_begin_where_the_dictionary_cuts(tokens, tunstall, folder):
    starts = crops.Crops("windows", str(folder)).starts(tokens, LENGTH)
    expected, place = [], 0
    for document in DOCUMENTS:
        for code in tunstall.encode(document):
            expected.append(place)
            place += len(tunstall.texts()[code])
        place += 1  # EOS
    assert place == tokens.num_tokens
    expected = [start for start in expected if start + LENGTH <= place]
    assert np.asarray(starts.places).tolist() == expected
    assert tunstall.fingerprint in starts.name


def test_examples_are_the_ids_from_there_on(tokens, folder):
    for how in (crops.Crops(), crops.Crops("anywhere"), crops.Crops("windows", str(folder))):
        starts = how.starts(tokens, LENGTH)
        expected = [tokens.ids[start : start + LENGTH].tolist() for start in starts.places]
        assert sorted(examples(tokens, starts).tolist()) == sorted(expected)


def test_blocks_are_the_default(tokens):
    starts = crops.Crops().starts(tokens, LENGTH)
    batch = batches.TokenFileSource(tokens, 5, LENGTH, seed=0).next_batch()
    again = batches.TokenFileSource(tokens, 5, LENGTH, seed=0, starts=starts).next_batch()
    np.testing.assert_array_equal(batch["decoder_target_tokens"], again["decoder_target_tokens"])
    assert len(starts.places) == tokens.num_tokens // LENGTH


def test_anywhere_reaches_the_very_end(tokens):
    places = crops.Crops("anywhere").starts(tokens, LENGTH).places
    assert (places[0], places[-1]) == (0, tokens.num_tokens - LENGTH)
    assert tokens.ids[places[-1] + LENGTH - 1] == vocab.EOS_ID


def test_a_position_of_other_starts_is_refused(tokens, folder):
    windows = crops.Crops("windows", str(folder)).starts(tokens, LENGTH)
    source = batches.TokenFileSource(tokens, 2, LENGTH, seed=0, starts=windows)
    state = json.loads(json.dumps(source.state()))
    others = crops.Starts("windows of another", windows.places)
    source = batches.TokenFileSource(tokens, 2, LENGTH, seed=0, starts=others)
    with pytest.raises(errors.InputError, match="starts was windows of"):
        source.restore(state)


def test_too_little_text_is_said(tokens):
    starts = crops.Crops("anywhere").starts(tokens, 1000)
    with pytest.raises(errors.InputError, match="fewer than one example of 1000"):
        batches.TokenFileSource(tokens, 1, 1000, seed=0, starts=starts)


def test_what_has_no_windows_is_refused(tokens, tmp_path, pairs_of):
    coder = NeuralAC(byte_model.StaticByteModel.fit(DOCUMENTS))
    coder.save(tmp_path / "ac")
    with pytest.raises(errors.InputError, match="static_ac_v256 has no code for each window"):
        crops.Crops("windows", str(tmp_path / "ac")).starts(tokens, LENGTH)


def test_codes_have_no_windows_to_begin_in(folder, tmp_path, pairs):
    codes = token_files.write_tokens(tmp_path / "codes", pairs, [b"aabb"])
    with pytest.raises(errors.InputError, match="512 codes"):
        crops.Crops("windows", str(folder)).starts(codes, 1)


@pytest.mark.parametrize("arguments", [("words",), ("windows",), ("blocks", "folder")])
def test_settings_that_cannot_be(arguments):
    with pytest.raises(errors.InputError, match="begin="):
        crops.Crops(*arguments)
