"""What holds for every coder: arithmetic, Huffman, ANS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw.coding import ans_coder, arithmetic_coder, cdf, huffman_coder

CODERS = [
    pytest.param((arithmetic_coder.ArithmeticEncoder, arithmetic_coder.ArithmeticDecoder), id="ac"),
    pytest.param((huffman_coder.HuffmanEncoder, huffman_coder.HuffmanDecoder), id="huffman"),
    pytest.param((ans_coder.AnsEncoder, ans_coder.AnsDecoder), id="ans"),
]
each_coder = pytest.mark.parametrize("coder", CODERS)


@st.composite
def coded_rows(draw):
    """CDFs uint32[T, rows, A + 1], symbols int64[T, rows], lengths int64[rows] and P."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    precision = draw(st.integers(1, 16))
    alphabet = draw(st.integers(2, min(1 << precision, 257)))
    rows, steps = draw(st.integers(1, 5)), draw(st.integers(0, 40))
    spread = draw(st.sampled_from([0.01, 1, 100]))
    weights = generator.dirichlet(np.full(alphabet, spread), (steps, rows))
    symbols = generator.integers(0, alphabet, (steps, rows))
    lengths = generator.integers(0, steps + 1, rows)
    return cdf.cdf_from_probabilities(weights, precision), symbols, lengths, precision


def encode(coder, cdfs, symbols, lengths, precision):
    encoder = coder[0](len(lengths), len(symbols), precision)
    for step in range(len(symbols)):
        # In any order.
        rows = np.flatnonzero(lengths > step)[:: 1 if step % 2 else -1]
        encoder.encode(rows, cdfs[step, rows], symbols[step, rows])
    return [encoder.finish(row) for row in range(len(lengths))]


@each_coder
@given(coded=coded_rows())
def test_rows_come_back(coder, coded):
    cdfs, symbols, lengths, precision = coded
    rows_of_bits = encode(coder, *coded)
    # Each row starts at a multiple of 16, after whatever stands before it.
    padded = [np.pad(bits, (0, -len(bits) % 16)) for bits in rows_of_bits]
    starts = np.cumsum([16] + [len(bits) for bits in padded])
    all_bits = np.concatenate([np.ones(16, np.uint8), *padded])
    decoder = coder[1](all_bits, starts[:-1], starts[1:], precision)
    for step in range(len(symbols)):
        rows = np.flatnonzero(lengths > step)
        assert (decoder.decode(rows, cdfs[step, rows]) == symbols[step, rows]).all()
    ends = [decoder.finish(row, 16) for row in range(len(lengths))]
    assert ends == starts[1:].tolist()


@each_coder
@given(coded=coded_rows())
def test_rows_are_independent(coder, coded):
    cdfs, symbols, lengths, precision = coded
    for row, bits in enumerate(encode(coder, *coded)):
        only = slice(row, row + 1)
        alone = encode(coder, cdfs[:, only], symbols[:, only], lengths[only], precision)
        assert (alone[0] == bits).all()


@each_coder
@given(symbols=st.lists(st.integers(0, 4), max_size=50), stop=st.integers(0, 4))
def test_runs_are_single_symbols(coder, symbols, stop):
    row_cdf = np.array([0, 1, 2, 50, 100, 128], np.uint32)
    symbols = np.array([*symbols, stop])
    encoder = coder[0](1, len(symbols), 7)
    encoder.encode_run(0, row_cdf, symbols)
    bits = encoder.finish(0)
    cdfs = np.tile(row_cdf, (len(symbols), 1, 1))
    assert (bits == encode(coder, cdfs, symbols[:, None], np.array([len(symbols)]), 7)[0]).all()
    decoder = coder[1](bits, [0], [len(bits)], 7)
    decoded = []
    while len(decoded) < len(symbols):
        run = decoder.decode_run(0, row_cdf, len(symbols) - len(decoded), stop).tolist()
        assert stop not in run[:-1]
        decoded += run
    assert decoded == symbols.tolist()
    assert decoder.finish(0, 1) == len(bits)
