"""What holds for every coder: arithmetic, Huffman, ANS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
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
def test_truncated_rows_stop_soon(coder):
    row_cdf = np.array([[0, 1, 2, 3, 4]], np.uint32)
    row = np.zeros(1, np.int64)
    bits = np.zeros(32, np.uint8)
    decoder = coder[1](bits, [0], [32], 2)
    with pytest.raises(errors.InputError, match="truncated"):
        for _ in range(40):
            decoder.decode(row, row_cdf)


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


@pytest.mark.parametrize("coder", CODERS[:2])
@given(coded=coded_rows(), share=st.floats(0, 1))
def test_bounds_hold_the_codes_of_all_that_goes_on_and_no_others(coder, coded, share):
    cdfs, symbols, lengths, precision = coded
    cdfs, symbols = cdfs[: lengths[0], :1], symbols[: lengths[0], :1]
    count = int(share * len(symbols))
    encoder = coder[0](1, len(symbols), precision)
    for step in range(len(symbols)):
        if step == count:
            least, greatest = encoder.bounds(0)
        encoder.encode(np.zeros(1, np.int64), cdfs[step], symbols[step])
    if count == len(symbols):
        least, greatest = encoder.bounds(0)
    code = encoder.finish(0)
    size = max(len(code), len(least))
    low, high = _number(least, 0, size), _number(greatest, 1, size)
    assert low <= _number(code, 0, size) and _number(code, 1, size) <= high
    for number in (low, high, low - 1, high + 1):
        if 0 <= number < 1 << size and count:
            found = _decoded(
                coder,
                np.array(list(np.binary_repr(number, size)), np.uint8),
                number > low,
                cdfs[:count],
                precision,
            )
            assert (found == symbols[:count, 0].tolist()) == (low <= number <= high)


def _number(bits, following, size):
    whole = np.pad(bits, (0, size - len(bits)), constant_values=following)
    return int("0" + "".join(map(str, whole.tolist())), 2)


def _decoded(coder, bits, following, cdfs, precision):
    """Of bits that go on in zeros or ones for ever."""
    bits = np.pad(bits, (0, 64), constant_values=following)
    decoder = coder[1](bits, np.zeros(1, int), np.array([len(bits)]), precision)
    return [int(decoder.decode(np.zeros(1, np.int64), row)[0]) for row in cdfs]
