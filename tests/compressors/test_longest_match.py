import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.compressors import longest_match

SINGLE = [bytes([byte]) for byte in range(256)]


def greedy(texts, data):
    """The same by trying every length."""
    index = {text: code for code, text in enumerate(texts)}
    longest, codes, place = max(map(len, texts)), [], 0
    while place < len(data):
        length = next(
            length for length in range(longest, 0, -1)
            if place + length <= len(data) and data[place : place + length] in index
        )  # fmt: skip
        codes.append(index[data[place : place + length]])
        place += length
    return codes


def encode(trie, parts):
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)])
    codes, code_starts = trie.encode(np.frombuffer(b"".join(parts), np.uint8), starts)
    return [codes[a:b].tolist() for a, b in itertools.pairwise(code_starts)]


# Few letters, so that entries share prefixes and texts contain them; 0 and 255 are the borders.
LETTERS = st.binary(min_size=2, max_size=9).map(
    lambda text: bytes(b"\x00\x01ab\xff"[byte % 5] for byte in text)
)


@given(st.lists(LETTERS, max_size=60), st.lists(LETTERS | st.binary(max_size=9), max_size=8))
def test_longest_wherever_it_stands(entries, parts):
    texts = sorted({*SINGLE, *entries}, key=lambda text: text[::-1])
    trie = longest_match.LongestMatch(texts, np.arange(len(texts)))
    # Neighbours in a batch must not be read across the border.
    assert encode(trie, parts) == [greedy(texts, part) for part in parts]


@pytest.mark.parametrize("most", [3, 60])
def test_lanes_take_text_after_text(most):
    # Texts of any length end at any time, and what follows them must not count.
    generator = np.random.default_rng(most)
    letters = np.frombuffer(b"ab \xff", np.uint8)
    texts = [*SINGLE, *{generator.choice(letters, n).tobytes() for n in [2, 3, 5, 9] * 20}]
    trie = longest_match.LongestMatch(texts, np.arange(len(texts)))
    for count in (1, 3, 4, 5, 200):
        lengths = generator.integers(0, most, count)
        parts = [generator.choice(letters, length).tobytes() for length in lengths]
        assert encode(trie, parts) == [greedy(texts, part) for part in parts]


def test_texts_that_advance_less():
    # As delayed windows do: what is cut off is shorter than what was found.
    texts = [*SINGLE, b"ab", b"abc", b"abcd"]
    advances = np.array([1] * 256 + [2, 1, 3])
    trie = longest_match.LongestMatch(texts, np.arange(len(texts)), advances)
    for part, expected in ((b"abcd", [258, 100]), (b"abcx", [257, 98, 99, 120])):
        assert encode(trie, [part] * 5) == [expected] * 5


@given(st.binary(max_size=300))
def test_full_nodes(data):
    texts = [*SINGLE, *(bytes([a, b]) for a in (0, 7, 255) for b in range(256)), b"\x07\x07\x07"]
    trie = longest_match.LongestMatch(texts, np.arange(len(texts)))
    doubled = data + data.replace(b"\x00", b"\x07\x07")
    assert encode(trie, [doubled]) == [greedy(texts, doubled)]


def test_longest_entry():
    longest = b"a" * longest_match.MAX_LENGTH
    trie = longest_match.LongestMatch([*SINGLE, longest], np.arange(257))
    assert encode(trie, [longest + b"a", longest[1:]]) == [[256, 97], [97] * (len(longest) - 1)]
    with pytest.raises(ValueError, match="do not fit"):
        longest_match.LongestMatch([*SINGLE, longest + b"a"], np.arange(257))


def test_single_bytes_are_needed():
    with pytest.raises(ValueError, match="single byte"):
        longest_match.LongestMatch(SINGLE[1:], np.arange(255))


def test_what_the_double_array_has_no_room_for_is_refused(monkeypatch):
    # Bases that were cut off led to other nodes, or out of the table.
    texts = [*SINGLE, *(bytes([a, b, 0]) for a in range(9) for b in range(9))]
    longest_match.LongestMatch(texts, np.arange(len(texts)))
    with pytest.raises(errors.InputError, match="codes up to 1048576 is too large"):
        longest_match.LongestMatch(SINGLE, np.append(np.arange(255), longest_match.MAX_TEXTS))
    monkeypatch.setattr(longest_match, "BASE_BITS", 7)
    with pytest.raises(errors.InputError, match="337 texts have 419 beginnings"):
        longest_match.LongestMatch(texts, np.arange(len(texts)))
