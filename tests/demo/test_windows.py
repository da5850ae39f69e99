"""Pieces of a text: theirs are the compressor's codes, and together they are the text."""

import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from eiw.coding import byte_model
from eiw.compressors.ans import ANS
from eiw.compressors.equal_info import EqualInfoWindows
from eiw.compressors.equal_text import EqualText
from eiw.compressors.gzip_bits import GZip
from eiw.compressors.lazy_windows import LazyWindows
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.compressors.window_dictionary import compile_windows
from eiw.demo import windows

DOCUMENTS = [b"the text that a model is trained on, " * 5, "and größer".encode()]
M1 = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
STATIC = byte_model.StaticByteModel.fit(DOCUMENTS)
TEXTS = [b"", b"t", b"the text, that is \xff\x00 trained. ", b"a model of the " * 9]

MADE = {
    "bytes": RawBytes(),
    "tunstall": fit_tunstall(M1, 300),
    "dense windows": compile_windows(M1),
    "sparse windows": compile_windows(M1, dense=False),
    "delayed windows": compile_windows(M1, window_end="delay"),
    "windows of two codes": compile_windows(M1, token_bits=8, dense=False),
    "wide windows": LazyWindows(M1, 32, 16),
    "windows that share codes": LazyWindows(M1, 24, 16),
    "windows between resets": LazyWindows(M1, 24, 16, reset_every=2),
    "windows of one context": EqualInfoWindows(M1, 16, reset_every=0),
    "AC": NeuralAC(M1),
    "AC in blocks": NeuralAC(M1, token_bits=16, block_bytes=20),
    "bits of AC": NeuralAC(M1, token_bits=1, block_bytes=50),
    "static AC": NeuralAC(STATIC),
    "ANS": ANS(M1, block_bytes=30),
    "equal text": EqualText(M1),
    "delimited equal text": EqualText(M1, delimiters=True),
    "gzip": GZip(),
}
WINDOWS = [name for name in MADE if "windows" in name and name != "windows of one context"]


def model_of(compressor):
    models = {model.fingerprint: model for model in (M1, STATIC)}
    return models.get(compressor.m1_fingerprint)


def cut(name, text):
    return windows.cut(MADE[name], text, model_of(MADE[name]))


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_pieces_are_the_text_and_their_codes_the_encoders(name, text):
    found = cut(name, text)
    assert found.codes.tolist() == MADE[name].encode(text).tolist()
    assert b"".join(piece.text for piece in found.pieces) == text
    assert all(piece.text for piece in found.pieces)
    # No code is left out but delimiters, and none is shared but by windows that share it.
    touched = [index for piece in found.pieces for index in range(piece.first, piece.end)]
    if name == "delimited equal text":
        assert [code for code in found.codes if code < 256] == found.codes[touched].tolist()
    else:
        assert sorted(set(touched)) == list(range(len(found.codes)))
    assert len(set(touched)) == len(touched) or name == "windows that share codes"


@pytest.mark.parametrize("name", WINDOWS)
@hypothesis.given(text=strategies.binary(min_size=1, max_size=40))
@hypothesis.settings(max_examples=20)
def test_a_window_holds_the_information_of_its_text(name, text):
    found = cut(name, text)
    assert b"".join(piece.text for piece in found.pieces) == text
    assert all(0 < piece.bits <= piece.room for piece in found.pieces)
    width = MADE[name].window_bits
    assert all(piece.room % width == 0 for piece in found.pieces)
    # A window by itself is the code of its text.
    whole_codes = not any(piece.room % MADE[name].format.token_bits for piece in found.pieces)
    for piece in found.pieces if whole_codes else ():
        codes = found.codes[piece.first : piece.end]
        assert MADE[name].decode(codes) == piece.text


@pytest.mark.parametrize("name", ["AC", "AC in blocks", "bits of AC", "static AC"])
@pytest.mark.parametrize("text", TEXTS[1:], ids=len)
def test_the_codes_of_ac_are_as_long_as_the_information_before_them(name, text):
    found, bits = cut(name, text), MADE[name].vocab_size.bit_length() - 1
    assert found.by_information
    size = MADE[name].block_bytes
    place, before, block_first = 0, 0.0, 0
    for piece, following in itertools.pairwise([*found.pieces, None]):
        if place and place % size == 0:
            before, block_first = 0.0, piece.first
        assert piece.first - block_first == int(before / bits)
        before += piece.bits
        place += len(piece.text)
        assert following is None or following.first == piece.end
    # The coder writes at most two bits more, for EOS at most P, and fills up the last code.
    paid = sum(piece.bits for piece in found.pieces)
    num_blocks = -(-len(text) // size)
    unused = len(found.codes) * bits - paid
    assert -0.01 * len(text) <= unused < num_blocks * (2 + bits + M1.precision)


def test_information_is_that_of_each_sequence_by_itself():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 257, rng.integers(1, 9)) for _ in range(100)]
    found = windows.information(M1, sequences)
    for symbols, bits in zip(sequences, found, strict=True):
        state, cdfs = M1.start(1)
        for symbol, paid in zip(symbols, bits, strict=True):
            share = int(cdfs[0, symbol + 1]) - int(cdfs[0, symbol])
            assert paid == pytest.approx(M1.precision - np.log2(share))
            state, cdfs = M1.advance(state, np.array([symbol]))


def test_no_m1_no_bits():
    found = windows.cut(MADE["AC"], b"the text")
    assert [(piece.text, piece.bits) for piece in found.pieces] == [(b"the text", None)]
    assert not found.by_information
    assert {piece.bits for piece in windows.cut(MADE["dense windows"], b"the text").pieces} == {
        None
    }


def test_codes_that_lose_text_show_what_they_decode_to():
    lossy = compile_windows(M1, window_end="greedy")
    text = bytes(itertools.chain(*itertools.product(range(97, 123), repeat=2)))
    assert lossy.count_lost(text)[0]
    found = windows.cut(lossy, text)
    decoded = b"".join(piece.text for piece in found.pieces)
    assert decoded == lossy.decode(lossy.encode(text)) != text
