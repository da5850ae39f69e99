import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.coding import ans_coder, cdf


def test_the_formula_in_big_integers():
    """Without a bound there is one number, and no words: the definition, and the same bits."""
    generator = np.random.default_rng(0)
    row_cdf = cdf.cdf_from_weights(generator.integers(0, 99, 20), 10).astype(int)
    number = 1 << 16
    for symbol in (0, 3, 19):
        low, width = row_cdf[symbol], row_cdf[symbol + 1] - row_cdf[symbol]
        number = ((number // width) << 10) + low + number % width
    assert number < 1 << 32  # so few symbols that nothing was written before the end
    encoder = ans_coder.AnsEncoder(1, 3, 10)
    encoder.encode_run(0, row_cdf.astype(np.uint32), np.array([19, 3, 0]))
    assert int("".join(map(str, encoder.finish(0))), 2) == number


@given(st.integers(0, 2**32 - 1), st.integers(0, 3000))
def test_length_is_the_information(seed, length):
    generator = np.random.default_rng(seed)
    row_cdf = cdf.cdf_from_probabilities(generator.dirichlet(np.full(257, 0.1)), 14)
    counts = generator.integers(0, 1 << 14, length)
    symbols = (row_cdf[None, :] <= counts[:, None]).sum(axis=1) - 1
    held = np.diff(row_cdf.astype(float))[symbols]
    information = np.sum(14 - np.log2(held))
    encoder = ans_coder.AnsEncoder(1, length, 14)
    encoder.encode_run(0, row_cdf, symbols)
    bits = len(encoder.finish(0))
    # Half of the number is overhead; the rest of it is full or not, up to a word. Each step loses
    # what rounding n down to a multiple of the width does: at most 2^(14 - 16) of a count.
    assert information - 1 <= bits <= information * 1.001 + 16 + 16


@pytest.mark.parametrize("change", [lambda bits: bits[:-16], lambda bits: 1 - bits])
def test_other_codes_end_elsewhere(change):
    row_cdf = cdf.cdf_from_weights(np.arange(1, 30), 12)
    symbols = np.arange(29)
    encoder = ans_coder.AnsEncoder(1, 29, 12)
    encoder.encode_run(0, row_cdf, symbols)
    bits = change(encoder.finish(0))
    decoder = ans_coder.AnsDecoder(bits, [0], [len(bits)], 12)
    decoder.decode_run(0, row_cdf, 29, stop=-1)
    with pytest.raises(errors.InputError):
        decoder.finish(0, 16)


def test_too_fine_a_model():
    with pytest.raises(errors.InputError, match="too fine"):
        ans_coder.AnsEncoder(1, 1, 17)
