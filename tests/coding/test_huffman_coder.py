import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.coding import cdf, huffman_coder

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=257).filter(any)


def optimal_bits(counts):
    """Total bits of any Huffman code, from a heap: every join adds the joined weight."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


@given(COUNTS, st.sampled_from([9, 14, 24]))
def test_codes_are_optimal_and_fill_the_tree(counts, precision):
    row_cdf = cdf.cdf_from_weights(np.array(counts), precision)
    lengths, codes = huffman_coder.code_table(row_cdf).T.astype(int)
    held = np.diff(row_cdf.astype(int))
    assert (lengths * held).sum() == optimal_bits(held.tolist())
    assert sum(2.0 ** -lengths.astype(float)) == 1
    spelled = sorted(f"{code:0{length}b}" for length, code in zip(lengths, codes, strict=True))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(spelled))
    # Canonical: longer codes are larger, and equally long ones are in order of symbol.
    order = np.lexsort((np.arange(len(lengths)), lengths))
    spelled_in_order = [f"{codes[i]:0{lengths[i]}b}" for i in order]
    assert spelled_in_order == spelled


def test_longest_codes_fit():
    fibonacci = [1, 1]
    while sum(fibonacci) + fibonacci[-1] + fibonacci[-2] <= 1 << 24:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    fibonacci[-1] += (1 << 24) - sum(fibonacci)
    row_cdf = np.concatenate([[0], np.cumsum(fibonacci)]).astype(np.uint32)
    lengths = huffman_coder.code_table(row_cdf)[:, 0]
    assert lengths.max() == len(fibonacci) - 1 < huffman_coder._MAX_LENGTH
    symbols = np.arange(len(fibonacci))
    encoder = huffman_coder.HuffmanEncoder(1, len(symbols), 24)
    encoder.encode_run(0, row_cdf, symbols)
    bits = encoder.finish(0)
    decoder = huffman_coder.HuffmanDecoder(bits, [0], [len(bits)], 24)
    assert (decoder.decode_run(0, row_cdf, len(symbols), stop=-1) == symbols).all()


def test_bits():
    row_cdf = np.array([0, 8, 12, 14, 16], np.uint32)
    encoder = huffman_coder.HuffmanEncoder(1, 5, 4)
    encoder.encode_run(0, row_cdf, np.array([0, 1, 2, 3, 0]))
    assert "".join(map(str, encoder.finish(0))) == "0" + "10" + "110" + "111" + "0"


def test_padding_must_be_zero_and_whole():
    row_cdf = np.array([0, 8, 12, 14, 16], np.uint32)
    for bits, message in [([1, 0, 0, 1], "no encoder"), ([1, 0], "truncated")]:
        decoder = huffman_coder.HuffmanDecoder(np.array(bits, np.uint8), [0], [len(bits)], 4)
        assert decoder.decode_run(0, row_cdf, 1, -1).tolist() == [1]
        with pytest.raises(errors.InputError, match=message):
            decoder.finish(0, 4)


def test_too_fine_a_model():
    with pytest.raises(errors.InputError, match="too fine"):
        huffman_coder.HuffmanEncoder(1, 1, 25)
