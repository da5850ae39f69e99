import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.coding import arithmetic_coder, cdf

ROW = np.zeros(1, np.int64)


def encode(cdfs, symbols, precision):
    encoder = arithmetic_coder.ArithmeticEncoder(1, len(symbols), precision)
    for row_cdf, symbol in zip(cdfs, symbols, strict=True):
        encoder.encode(ROW, row_cdf[None], np.array([symbol]))
    return encoder.finish(0)


def decode(cdfs, bits, precision, alignment=1, start=0):
    decoder = arithmetic_coder.ArithmeticDecoder(bits, [start], [len(bits)], precision)
    symbols = [int(decoder.decode(ROW, row_cdf[None])[0]) for row_cdf in cdfs]
    return symbols, decoder.finish(0, alignment)


@st.composite
def coded_texts(draw):
    """CDFs uint32[n, A + 1], symbols and P; peaked and flat, likely and unlikely symbols."""
    seed = draw(st.integers(0, 2**32 - 1))
    precision = draw(st.integers(1, 16))
    alphabet = draw(st.integers(2, min(1 << precision, 257)))
    length = draw(st.integers(0, 60))
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(alphabet, draw(st.sampled_from([0.01, 1, 100]))), length)
    cdfs = cdf.cdf_from_probabilities(weights, precision)
    if draw(st.booleans()):
        symbols = generator.integers(0, alphabet, length)
    else:
        counts = generator.integers(0, 1 << precision, length)
        symbols = (cdfs <= counts[:, None]).sum(axis=1) - 1
    return cdfs, symbols, precision


def encode_digit_by_digit(cdfs, symbols, precision):
    """The rules as they are written down: big integers, and one digit after another."""
    low, high, pending, bits = 0, 2**32 - 1, 0, []

    def put(digit):
        nonlocal pending
        bits.extend([digit] + [1 - digit] * pending)
        pending = 0

    for row_cdf, symbol in zip(cdfs.tolist(), symbols, strict=True):
        size = high - low + 1
        high = low + (size * row_cdf[symbol + 1] >> precision) - 1
        low = low + (size * row_cdf[symbol] >> precision)
        while True:
            if high < 2**31:
                offset = 0
                put(0)
            elif low >= 2**31:
                offset = 2**31
                put(1)
            elif low >= 2**30 and high < 3 * 2**30:
                offset = 2**30
                pending += 1
            else:
                break
            low, high = 2 * (low - offset), 2 * (high - offset) + 1
    # The shortest tail, and of those the lowest, that names a part of what is left.
    width = 1 if pending else 0
    while True:
        step = 2 ** (32 - width)
        part = -(-low // step)
        if (part + 1) * step - 1 <= high:
            break
        width += 1
    for place in range(width):
        put(part >> (width - 1 - place) & 1)
    return bits


@st.composite
def cut_intervals(draw):
    """CDFs of any precision: cuts anywhere, often in the middle, where digits stay open longest."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    precision = draw(st.integers(2, 30))
    length = draw(st.integers(0, 150))
    half, total = 1 << precision - 1, 1 << precision
    if draw(st.booleans()):
        reach = draw(st.integers(1, half - 1))
        cuts = half + generator.integers(-reach, reach + 1, (length, 2))
    else:
        cuts = generator.integers(1, total, (length, 2))
    cuts = np.sort(cuts, axis=1).clip(1, total - 1)
    cuts[:, 0] -= cuts[:, 0] == cuts[:, 1]
    ends = np.full((length, 1), total)
    cdfs = np.concatenate([0 * ends, cuts, ends], axis=1).astype(np.uint32)
    # Two equal cuts would leave the middle symbol empty, and so would a first cut at 0.
    cdfs[cdfs[:, 1] == 0] = [0, 1, 2, total]
    likely = draw(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.01, 0.98, 0.01)]))
    return cdfs, generator.choice(3, length, p=likely), precision


@given(cut_intervals())
def test_digits_are_those_of_one_after_another(text):
    cdfs, symbols, precision = text
    bits = encode(cdfs, symbols, precision)
    assert bits.tolist() == encode_digit_by_digit(cdfs, symbols, precision)
    assert decode(cdfs, bits, precision) == (symbols.tolist(), len(bits))


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_carry_runs_through_many_words(last):
    # Hundreds of digits that stay open until the last symbol says which they are.
    cdfs = np.tile(np.array([0, 4, 12, 16], np.uint32), (500, 1))
    symbols = [1] * 499 + [last]
    bits = encode(cdfs, symbols, 4)
    assert bits.tolist() == encode_digit_by_digit(cdfs, symbols, 4)
    assert decode(cdfs, bits, 4) == (symbols, len(bits))


@given(coded_texts(), st.lists(st.integers(0, 1), max_size=70))
def test_comes_back_whatever_follows(text, following):
    cdfs, symbols, precision = text
    bits = encode(cdfs, symbols, precision)
    longer = np.concatenate([bits, np.array(following, np.uint8)])
    assert decode(cdfs, longer, precision) == (symbols.tolist(), len(bits))


@given(coded_texts(), st.integers(0, 40))
def test_starts_anywhere(text, start):
    cdfs, symbols, precision = text
    bits = np.concatenate([np.ones(start, np.uint8), encode(cdfs, symbols, precision)])
    assert decode(cdfs, bits, precision, start=start) == (symbols.tolist(), len(bits))


@given(coded_texts())
def test_length_is_the_information(text):
    cdfs, symbols, precision = text
    held = cdfs[np.arange(len(symbols)), symbols + 1] - cdfs[np.arange(len(symbols)), symbols]
    information = np.sum(precision - np.log2(held.astype(np.float64)))
    bits = len(encode(cdfs, symbols, precision))
    # The ends are rounded to parts of 2^-30, so each symbol may gain or lose some 2^(P - 30).
    rounding = len(symbols) * 2.0 ** (precision - 29)
    assert information - rounding <= bits <= information + 2 + rounding


def test_dyadic_symbols_cost_their_bits_exactly():
    # 0 -> 0, 1 -> 10, 2 -> 110, 3 -> 111: a Huffman code, and no tail.
    cdfs = np.tile(np.array([0, 4, 6, 7, 8], np.uint32), (5, 1))
    assert "".join(map(str, encode(cdfs, [0, 1, 2, 3, 0], 3))) == "0" + "10" + "110" + "111" + "0"


def test_pending_digits():
    # The middle half of the middle half ... : no digit is certain until the tail.
    cdfs = np.tile(np.array([0, 4, 12, 16], np.uint32), (40, 1))
    bits = encode(cdfs, [1] * 40, 4)
    assert bits.tolist() == [0] + [1] * 40
    assert decode(cdfs, bits, 4) == ([1] * 40, 41)


def test_rows_are_independent():
    generator = np.random.default_rng(0)
    rows, length = 7, 30
    cdfs = cdf.cdf_from_probabilities(generator.dirichlet(np.ones(257), (length, rows)))
    symbols = generator.integers(0, 257, (length, rows))
    encoder = arithmetic_coder.ArithmeticEncoder(rows, length, 14)
    for step in range(length):
        # Every step in another order, and every second one without row 3.
        order = np.array([row for row in generator.permutation(rows) if row != 3 or step % 2])
        encoder.encode(order, cdfs[step, order], symbols[step, order])
    for row in range(rows):
        steps = slice(1, None, 2) if row == 3 else slice(None)
        alone = encode(cdfs[steps, row], symbols[steps, row], 14)
        assert (encoder.finish(row) == alone).all()


def test_padding_must_be_zero():
    cdfs = np.tile(np.array([0, 1, 4], np.uint32), (3, 1))
    bits = encode(cdfs, [0, 0, 1], 2)
    padded = np.pad(bits, (0, 16 - len(bits)))
    assert decode(cdfs, padded, 2, alignment=8)[1] == 8
    padded[7] = 1
    with pytest.raises(errors.InputError, match="no encoder"):
        decode(cdfs, padded, 2, alignment=8)


def test_truncated():
    cdfs = np.tile(np.array([0, 1, 4], np.uint32), (9, 1))
    bits = encode(cdfs, [0] * 9, 2)
    with pytest.raises(errors.InputError, match="truncated"):
        decode(cdfs, bits[:-1], 2)
