import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.coding import byte_model
from eiw.compressors import neural_ac

FORMS = ["ngrams_8", "ngrams_16", "static_8", "bytes_only_16", "flat_8"]
each_form = pytest.mark.parametrize("form", FORMS)
# Short blocks, so that texts of a few dozen bytes have several.
BLOCK = 20


@pytest.fixture(scope="module")
def coders(ngrams, text):
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=257)
    return {
        "ngrams_8": neural_ac.NeuralAC(ngrams, 8, BLOCK),
        "ngrams_16": neural_ac.NeuralAC(ngrams, 16, BLOCK),
        "static_8": neural_ac.NeuralAC(byte_model.StaticByteModel(counts), 8, BLOCK),
        "bytes_only_16": neural_ac.NeuralAC(byte_model.StaticByteModel(counts[:256]), 16, BLOCK),
        "flat_8": neural_ac.NeuralAC(byte_model.StaticByteModel(np.ones(256, int)), 8, BLOCK),
    }


def check_comes_back(coder, texts):
    codes = coder.encode_batch(texts)
    assert all(one.dtype == np.int32 for one in codes)
    assert coder.decode_batch(codes) == texts
    return codes


@each_form
@given(texts=st.lists(st.binary(max_size=90), max_size=5))
def test_any_bytes_come_back(coders, form, texts):
    codes = check_comes_back(coders[form], texts)
    for one, text in zip(codes, texts, strict=True):
        np.testing.assert_array_equal(coders[form].encode(text), one)


@each_form
def test_every_single_byte_and_nothing(coders, form):
    check_comes_back(coders[form], [b"", *(bytes([byte]) for byte in range(256)), b""])


@each_form
def test_around_the_block(coders, form, text):
    check_comes_back(
        coders[form], [text[:n] for n in (BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK)]
    )


def test_whole_blocks(ngrams, text):
    coder = neural_ac.NeuralAC(ngrams)
    texts = [text[: 2 * 10_240 + 5], np.random.default_rng(0).bytes(10_240), text[:9]]
    check_comes_back(coder, texts)


def test_more_texts_than_rows(coders, text):
    check_comes_back(coders["ngrams_8"], [text[n : 2 * n] for n in range(150)])


@each_form
@settings(max_examples=300)
@given(codes=st.lists(st.integers(0, 255), max_size=40))
def test_codes_of_no_text_are_refused(coders, form, codes):
    coder = coders[form]
    try:
        text = coder.decode(np.array(codes, np.int32))
    except errors.InputError as error:
        assert "\n" not in str(error)
    else:
        # Then they are codes of a text.
        assert coder.encode(text).tolist() == codes


@each_form
def test_damaged_codes(coders, form, text):
    coder = coders[form]
    codes = coder.encode(text[:50])
    for place in range(len(codes)):
        damaged = codes.copy()
        damaged[place] ^= 1
        with contextlib.suppress(errors.InputError):
            assert coder.decode(damaged) != text[:50]
    # A whole block may be missing without a trace, anything less not.
    cut_short = [coder.encode(text[:length]).tolist() for length in (0, BLOCK, 2 * BLOCK)]
    for length in range(len(codes)):
        if codes[:length].tolist() not in cut_short:
            with pytest.raises(errors.InputError):
                coder.decode(codes[:length])


def test_static_ac_reaches_the_entropy(text):
    symbols = np.frombuffer(text, np.uint8)
    counts = np.bincount(symbols, minlength=257)
    coder = neural_ac.NeuralAC(byte_model.StaticByteModel(counts), 8)
    shares = counts[counts > 0] / len(symbols)
    entropy_bytes = -(shares * np.log2(shares)).sum() * len(symbols) / 8
    # One count in 2^14 for each symbol that never occurs costs about 2%.
    assert entropy_bytes < len(coder.encode(text)) < 1.03 * entropy_bytes + 4


def test_flat_model_costs_eight_bits_a_byte(coders):
    # 5 bits of length, 8 a byte, and zeros to the end of the token.
    assert len(coders["flat_8"].encode(b"0123456789")) == 11


def test_names(coders):
    assert [(coders[form].method, coders[form].name, coders[form].runs_m1) for form in FORMS] == [
        ("AC", "ac_v256", True),
        ("AC", "ac_v65k", True),
        ("StaticAC", "static_ac_v256", False),
        ("StaticAC", "static_ac_v65k", False),
        ("StaticAC", "static_ac_v256", False),
    ]


@pytest.mark.parametrize("settings", [{"token_bits": 12}, {"block_bytes": 0}])
def test_settings_that_cannot_be(ngrams, settings):
    with pytest.raises(errors.InputError, match="must be"):
        neural_ac.NeuralAC(ngrams, **settings)


@each_form
def test_saved_with_its_model(coders, form, tmp_path):
    coders[form].save(tmp_path / "ac")
    loaded = compressors.load(tmp_path / "ac", expect_fingerprint=coders[form].fingerprint)
    assert (loaded.name, loaded.method) == (coders[form].name, coders[form].method)
    assert loaded.decode(coders[form].encode(b"saved")) == b"saved"


def test_another_model_is_refused(coders, tmp_path):
    coders["ngrams_8"].save(tmp_path / "ac")
    (tmp_path / "other").mkdir()
    byte_model.StaticByteModel(np.ones(257, int)).save(tmp_path / "ac" / "byte_model")
    with pytest.raises(errors.ArtefactError, match="another M1"):
        compressors.load(tmp_path / "ac")
