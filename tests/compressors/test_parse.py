import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.compressors import longest_match, parse

SINGLE = [bytes([byte]) for byte in range(256)]
WAYS = [parse.Parse(cut, words) for cut in parse.CUTS for words in parse.WORDS]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.cut}-{way.words}")

# Few letters of each kind, so that entries share prefixes, and texts contain them and word ends.
LETTERS = st.binary(min_size=2, max_size=12).map(
    lambda text: bytes(b"ab\xe9  .\n"[byte % 7] for byte in text)
)


def is_word_end(data, place):
    """Whether a word ends before `place`, by the rules as they are written."""
    if place in (0, len(data)):
        return True

    def kind(byte):
        letter = (chr(byte).isalnum() and byte < 128) or byte >= 128
        return "letter" if letter else "space" if byte == ord(" ") else "other"

    before, after = kind(data[place - 1]), kind(data[place])
    return before != after and before != "space"


def allowed_ends(texts, way, data, place):
    """Where a window that begins at `place` may end."""
    for text in texts:
        end = place + len(text)
        if data[place:end] != text:
            continue
        crosses = any(is_word_end(data, inside) for inside in range(place + 1, end))
        may_cross = way.words in ("ignore", "prefer") or (
            way.words == "start" and is_word_end(data, place)
        )
        if may_cross or not crosses:
            yield end


def cut_greedily(texts, way, data):
    place, ends = 0, []
    while place < len(data):
        allowed = list(allowed_ends(texts, way, data, place))
        if way.words != "ignore":
            allowed = [end for end in allowed if is_word_end(data, end)] or allowed
        place = max(allowed)
        ends.append(place)
    return ends


def lowest_cost(texts, way, data):
    """Codes, and windows that do not end a word, of the best way to cut."""
    costs = {len(data): (0, 0)}
    for place in reversed(range(len(data))):
        costs[place] = min(
            (costs[end][0] + 1, costs[end][1] + (not is_word_end(data, end)))
            for end in allowed_ends(texts, way, data, place)
        )
    return costs[0]


@given(entries=st.lists(LETTERS, max_size=40), parts=st.lists(LETTERS | st.binary(), max_size=6))
def test_fewest_from_the_end_is_the_same(entries, parts):
    # With all prefixes, the longest last code is always one of the fewest; with one text more, an
    # entry that no text contains, the prefixes are not complete and the costs are counted.
    prefixes = {entry[:end] for entry in entries for end in range(2, len(entry) + 1)}
    closed = SINGLE + sorted(prefixes)
    way = parse.Parse("fewest")
    for from_the_end, counted in zip(
        cut(closed, way, parts), cut([*closed, b"\x80" * 40], way, parts), strict=True
    ):
        assert from_the_end.tolist() == counted.tolist()


def cut(texts, way, parts):
    data, starts = longest_match.joined(parts)
    codes, code_starts = parse.Parser(texts, way).encode(data, starts)
    assert codes.dtype == np.int32
    return [codes[a:b] for a, b in itertools.pairwise(code_starts)]


@each_way
@given(entries=st.lists(LETTERS, max_size=40), parts=st.lists(LETTERS | st.binary(), max_size=6))
def test_cut_as_promised(way, entries, parts):
    texts = SINGLE + sorted(set(entries))
    # Neighbours in a batch must not be read across the border.
    for data, codes in zip(parts, cut(texts, way, parts), strict=True):
        assert b"".join(texts[code] for code in codes) == data
        ends = np.cumsum([len(texts[code]) for code in codes], dtype=int).tolist()
        for place, end in itertools.pairwise([0, *ends]):
            assert end in allowed_ends(texts, way, data, place)
        if way.cut == "greedy":
            assert ends == cut_greedily(texts, way, data)
        else:
            late = sum(not is_word_end(data, end) for end in ends)
            codes, least_late = lowest_cost(texts, way, data)
            assert len(ends) == codes
            assert way.words == "ignore" or late == least_late


@each_way
def test_long_entries(way):
    longest = b"a" * 2047
    texts = [*SINGLE, longest[:5], longest]
    for size in (1, 4, 5, 2046, 2047, 2048, 10_000):
        (codes,) = cut(texts, way, [b"a" * size])
        assert b"".join(texts[code] for code in codes) == b"a" * size
        # Greedy begins with them, fewest ends with them.
        longest_codes = [257] * (size // 2047)
        if way.cut == "greedy":
            assert codes[: len(longest_codes)].tolist() == longest_codes
        else:
            assert codes[len(codes) - len(longest_codes) :].tolist() == longest_codes


def test_words_decide():
    texts = [*SINGLE, b" of", b" of the", b" of t", b"f ", b"f the"]
    ways = {
        "ignore": [" of t", "h", "o"],
        "prefer": [" of", " ", "t", "h", "o"],
        "never": [" of", " ", "t", "h", "o"],
    }
    for words, expected in ways.items():
        (codes,) = cut(texts, parse.Parse("greedy", words), [b" of tho"])
        assert [texts[code].decode() for code in codes] == expected
    for words, expected in {
        "prefer": ["x", "f the"],
        "start": ["x", "f", " ", "t", "h", "e"],
    }.items():
        (codes,) = cut(texts, parse.Parse("greedy", words), [b"xf the"])
        assert [texts[code].decode() for code in codes] == expected
    (codes,) = cut(texts, parse.Parse("greedy", "start"), [b" of the"])
    assert [texts[code] for code in codes] == [b" of the"]


def test_unknown_ways():
    with pytest.raises(errors.InputError, match="cut='longest' is unknown: choose greedy or"):
        parse.Parse("longest")
    with pytest.raises(errors.InputError, match="words='keep' is unknown"):
        parse.Parse("greedy", "keep")
