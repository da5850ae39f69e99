"""What holds for every coder over blocks, with and without EOS, static and under a model."""

import contextlib
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors, vocab
from eiw.coding import byte_model
from eiw.compressors import ans, equal_text, huffman, neural_ac

# Short blocks, so that texts of a few dozen bytes have several.
BLOCK = 20
FORMS = {
    "ac_8": lambda models: neural_ac.NeuralAC(models["ngrams"], 8, BLOCK),
    "ac_16": lambda models: neural_ac.NeuralAC(models["ngrams"], 16, BLOCK),
    "static_ac_1": lambda models: neural_ac.NeuralAC(models["static"], 1, BLOCK),
    "static_ac_8": lambda models: neural_ac.NeuralAC(models["static"], 8, BLOCK),
    "no_eos_ac_16": lambda models: neural_ac.NeuralAC(models["no_eos"], 16, BLOCK),
    "huffman_8": lambda models: huffman.Huffman(models["ngrams"], 8, BLOCK),
    "static_huffman_16": lambda models: huffman.Huffman(models["static"], 16, BLOCK),
    "no_eos_huffman_1": lambda models: huffman.Huffman(models["no_eos"], 1, BLOCK),
    "ans_8": lambda models: ans.ANS(models["ngrams"], 8, BLOCK),
    "static_ans_16": lambda models: ans.ANS(models["static"], 16, BLOCK),
    "no_eos_ans_1": lambda models: ans.ANS(models["no_eos"], 1, BLOCK),
    "equal_text_8": lambda models: equal_text.EqualText(models["ngrams"], 8, 5),
    "equal_text_16": lambda models: equal_text.EqualText(models["static"], 16, 7),
    "no_eos_equal_text_8": lambda models: equal_text.EqualText(models["no_eos"], 8, 3),
    "delimited_8": lambda models: equal_text.EqualText(models["ngrams"], 8, 5, delimiters=True),
    "delimited_16": lambda models: equal_text.EqualText(models["static"], 16, 1, delimiters=True),
}
each_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def coders(ngrams, text):
    static = byte_model.StaticByteModel.fit([text])
    no_eos = byte_model.StaticByteModel(np.bincount(np.frombuffer(text, np.uint8), minlength=256))
    models = {"ngrams": ngrams, "static": static, "no_eos": no_eos}
    return {name: make(models) for name, make in FORMS.items()}


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


@pytest.mark.slow
@each_form
def test_many_texts_come_back(coders, form, check_round_trips):
    check_round_trips(coders[form], 100_000)


@each_form
def test_every_single_byte_and_nothing(coders, form):
    check_comes_back(coders[form], [b"", *(bytes([byte]) for byte in range(256)), b""])


@each_form
def test_around_the_block(coders, form, text):
    size = coders[form].block_bytes
    lengths = (size - 1, size, size + 1, 2 * size, 7 * size)
    check_comes_back(coders[form], [text[:length] for length in lengths])


@pytest.mark.parametrize("cls", [neural_ac.NeuralAC, huffman.Huffman, ans.ANS])
def test_whole_blocks(cls, ngrams, text):
    texts = [text[: 10_240 + 5], np.random.default_rng(0).bytes(10_240), text[:9]]
    check_comes_back(cls(ngrams), texts[1:])
    check_comes_back(cls(byte_model.StaticByteModel.fit([text]), 16), texts)


def test_more_texts_than_rows(coders, text):
    check_comes_back(coders["ac_8"], [text[n : 2 * n] for n in range(150)])


@pytest.mark.parametrize("cls", [neural_ac.NeuralAC, huffman.Huffman, ans.ANS])
@pytest.mark.parametrize("alphabet", [256, 257])
def test_static_models_have_the_codes_of_others(cls, alphabet, text):
    model = byte_model.StaticByteModel(np.bincount([*text, 7], minlength=alphabet))
    texts = [text[:n] for n in (0, 1, BLOCK, 3 * BLOCK + 1)]
    static, slow = cls(model, 8, BLOCK), cls(model, 8, BLOCK)
    slow._is_static = False  # then it is asked for every symbol, as M1 is
    for one, other in zip(static.encode_batch(texts), slow.encode_batch(texts), strict=True):
        np.testing.assert_array_equal(one, other)
    assert slow.decode_batch(static.encode_batch(texts)) == texts


@each_form
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(0, 40))
def test_codes_of_no_text_are_refused(coders, form, seed, length):
    coder = coders[form]
    codes = np.random.default_rng(seed).integers(0, coder.vocab_size, length)
    try:
        text = coder.decode(codes)
    except errors.InputError as error:
        assert "\n" not in str(error)
    else:
        # Then they are codes of a text.
        assert coder.encode(text).tolist() == codes.tolist()


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
    cut_short = [coder.encode(text[:length]).tolist() for length in range(0, 50, coder.block_bytes)]
    for length in range(len(codes)):
        if codes[:length].tolist() not in cut_short:
            with pytest.raises(errors.InputError):
                coder.decode(codes[:length])


@pytest.mark.parametrize("form", ["ac_8", "ac_16", "huffman_8", "static_ans_16", "no_eos_ans_1"])
def test_no_text_ends_in_the_next(coders, form, text):
    codes = coders[form].encode_batch([bytes(range(200, 210)), text[:10]])
    with pytest.raises(errors.InputError):
        coders[form].decode_batch([codes[0][:-1], codes[1]])


@pytest.mark.parametrize(
    ("form", "codes"),
    [("ac_8", [256]), ("static_ac_1", [2]), ("delimited_8", [257]), ("huffman_8", [-1])],
)
def test_codes_out_of_range(coders, form, codes):
    with pytest.raises(errors.InputError, match="Codes must be"):
        coders[form].decode(np.array(codes))


@pytest.mark.parametrize("settings", [{"token_bits": 12}, {"block_bytes": 0}])
def test_settings_that_cannot_be(ngrams, settings):
    with pytest.raises(errors.InputError, match="must be"):
        neural_ac.NeuralAC(ngrams, **settings)


def test_names(coders):
    known = {form: (coder.method, coder.name, coder.runs_m1) for form, coder in coders.items()}
    assert known["ac_8"] == ("AC", "ac_v256", True)
    assert known["static_ac_1"] == ("StaticAC", "static_ac_raw_bits", False)
    assert known["no_eos_ac_16"] == ("StaticAC", "static_ac_v65k", False)
    assert known["huffman_8"] == ("Huffman", "huffman_v256", True)
    assert known["static_ans_16"] == ("StaticANS", "static_ans_v65k", False)


@each_form
def test_saved_with_its_model(coders, form, tmp_path):
    coders[form].save(tmp_path / "coder")
    loaded = compressors.load(tmp_path / "coder", expect_fingerprint=coders[form].fingerprint)
    assert (loaded.name, loaded.method) == (coders[form].name, coders[form].method)
    assert loaded.decode(coders[form].encode(b"saved, and more")) == b"saved, and more"


def test_loaded_in_another_process(coders, tmp_path):
    for form in ("ac_8", "huffman_8", "ans_8", "delimited_8"):
        coders[form].save(tmp_path / form)
        np.save(tmp_path / form / "codes.npy", coders[form].encode(b"Any \0 text \xff."))
    script = (
        "import pathlib, sys, numpy as np; from eiw import compressors\n"
        "for folder in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    coder, codes = compressors.load(folder), np.load(folder / 'codes.npy')\n"
        "    assert coder.decode(codes) == b'Any \\0 text \\xff.'\n"
        "    assert coder.encode(b'Any \\0 text \\xff.').tolist() == codes.tolist()\n"
        "assert not {'jax', 'tensorflow', 'sentencepiece'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)


def test_another_model_is_refused(coders, tmp_path):
    coders["ac_8"].save(tmp_path / "ac")
    byte_model.StaticByteModel(np.ones(257, int)).save(tmp_path / "ac" / "byte_model")
    with pytest.raises(errors.ArtefactError, match="another M1"):
        compressors.load(tmp_path / "ac")


STREAM_FORMS = ["ac_8", "ac_16", "static_ac_1", "huffman_8", "static_ans_16"]
EOS = vocab.EOS_SYMBOL


@pytest.mark.parametrize("form", STREAM_FORMS)
@given(streams=st.lists(st.lists(st.integers(0, EOS), max_size=3 * BLOCK + 5), max_size=4))
def test_any_symbols_come_back(coders, form, streams):
    coder = coders[form]
    codes = coder.encode_symbol_batch([np.array(stream, np.int32) for stream in streams])
    assert all(one.dtype == np.int32 for one in codes)
    assert [one.tolist() for one in coder.decode_symbol_batch(codes)] == streams
    for one, stream in zip(codes, streams, strict=True):
        np.testing.assert_array_equal(coder.encode_symbol_batch([np.array(stream)])[0], one)


@pytest.mark.parametrize("form", STREAM_FORMS)
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(0, 40))
def test_codes_of_no_stream_are_refused(coders, form, seed, length):
    coder = coders[form]
    codes = np.random.default_rng(seed).integers(0, coder.vocab_size, length)
    try:
        (stream,) = coder.decode_symbol_batch([codes])
    except errors.InputError as error:
        assert "\n" not in str(error)
    else:
        # Then they are codes of a stream.
        assert coder.encode_symbol_batch([stream])[0].tolist() == codes.tolist()


def test_what_the_end_of_a_stream_costs():
    # 512 even symbols: each costs 9 bits.
    coder = neural_ac.NeuralAC(byte_model.StaticByteModel(np.ones(512, int)), 1, BLOCK)
    stream = np.arange(BLOCK + 7)
    lengths = [len(codes) for codes in coder.encode_symbol_batch([stream[:BLOCK], stream])]
    # A bit for the full block; a bit and 5 of length for the short one.
    assert lengths == [1 + 9 * BLOCK, 1 + 9 * BLOCK + 1 + 5 + 9 * 7]


def test_streams_need_eos_and_symbols(coders):
    for form in ("no_eos_ac_16", "equal_text_8"):
        assert not coders[form].codes_eos
        for call in (coders[form].encode_symbol_batch, coders[form].decode_symbol_batch):
            with pytest.raises(errors.InputError, match="not streams of symbols"):
                call([np.zeros(3, np.int32)])
    assert coders["ac_8"].codes_eos
    for symbol in (-1, EOS + 1):
        with pytest.raises(errors.InputError):
            coders["ac_8"].encode_symbol_batch([np.array([symbol])])


@pytest.mark.parametrize("make", [neural_ac.NeuralAC, huffman.Huffman, ans.ANS])
def test_short_texts_do_not_hold_the_room_of_whole_blocks(text, make):
    coder = make(byte_model.StaticByteModel.fit([text]))
    texts = [b"a"] * 2000
    codes = coder.encode_batch(texts)
    tracemalloc.start()
    try:
        assert coder.decode_batch(codes) == texts
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 64 blocks are decoded side by side, of 10,240 numbers each.
    assert peak < 20_000_000
