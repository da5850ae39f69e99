"""Ways to cut a text into entries of a dictionary. Any of them decodes right, as each code names
a text; they differ in how many codes they take, and in what a model can learn from the codes.

`cut` says how many codes:
  greedy   the longest entry, then the longest of what is left: one pass, the fastest
  fewest   as few codes as there can be, found by dynamic programming; of such cuts, the one whose
           last code is longest, then the one before it, and so on

`words` says what word ends do (see `_joins` for where words end):
  ignore   nothing
  prefer   windows end where words end, if they can: greedy takes the longest entry that does, and
           fewest, of all ways with as few codes, the one with the most windows that do
  start    prefer, and only a window that begins where a word begins may cross a word end, so that a
           word has few sequences of tokens
  never    no window crosses a word end
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from eiw import errors
from eiw.coding import jit
from eiw.compressors import longest_match

CUTS = ("greedy", "fewest")
WORDS = ("ignore", "prefer", "start", "never")

# The cost of a code. That of not ending where a word ends is 1: any number of these is cheaper.
_CODE_COST = 1 << 32
_NO_COST = 1 << 62  # more than any text costs


@dataclasses.dataclass(frozen=True)
class Parse:
    """How texts are cut.

    Attributes:
      cut: "greedy" or "fewest".
      words: "ignore", "prefer", "start" or "never".

    Raises:
      InputError: a value that is none of these.
    """

    cut: str = "greedy"
    words: str = "ignore"

    def __post_init__(self) -> None:
        if self.cut not in CUTS:
            raise errors.InputError(f"cut={self.cut!r} is unknown: choose {' or '.join(CUTS)}.")
        if self.words not in WORDS:
            raise errors.InputError(
                f"words={self.words!r} is unknown: choose one of {', '.join(WORDS)}."
            )

    @property
    def variant(self) -> str:
        """Names what differs from the defaults: "fewest_start"."""
        cut = "" if self.cut == "greedy" else self.cut
        return "_".join(filter(None, [cut, "" if self.words == "ignore" else self.words]))

    def may_cross(self, begins_word: bool) -> bool:
        """Whether an entry may cross a word end if it begins, or not, where a word does."""
        return self.words in ("ignore", "prefer") or (self.words == "start" and begins_word)


class Parser:
    """A dictionary, ready to cut texts in one way.

    Args:
      texts: entry i, distinct, among them all 256 single bytes; code i names it.
      parse: the way.

    Raises:
      ValueError: a single byte is missing, or a text is longer than `longest_match.MAX_LENGTH`.
    """

    def __init__(self, texts: Sequence[bytes], parse: Parse) -> None:
        # Of a dictionary with all prefixes of its entries, cuts of a text's beginning take no more
        # codes than cuts of more of it. So the last code may be as long as can be, and so on.
        self._from_the_end = parse == Parse("fewest") and _has_prefixes(texts)
        if self._from_the_end:
            texts = [text[::-1] for text in texts]
        self._trie = longest_match.LongestMatch(texts, np.arange(len(texts)))
        self._parse = parse
        self._lengths = np.array([len(text) for text in texts], np.int16)

    def encode(self, data: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cuts texts that follow one another, as `LongestMatch.encode` does.

        Args:
          data: uint8[n].
          starts: int64[m + 1], where each text begins, and n.

        Returns:
          The codes of all, int32[k], and where each text's begin, int64[m + 1].
        """
        if self._parse == Parse():
            return self._trie.encode(data, starts)
        if self._from_the_end:
            codes, code_starts = self._trie.encode(data[::-1].copy(), len(data) - starts[::-1])
            return codes[::-1].copy(), len(codes) - code_starts[::-1]
        codes = np.empty(len(data), np.int32)
        code_starts = np.empty(len(starts), np.int64)
        words = WORDS.index(self._parse.words)
        tables = self._trie.tables
        if self._parse.cut == "greedy":
            _cut_greedily(data, starts, *tables, _JOINS, words, codes, code_starts)
        else:
            _cut_fewest(data, starts, *tables, _JOINS, words, self._lengths, codes, code_starts)
        return codes[: code_starts[-1]].copy(), code_starts


def _has_prefixes(texts: Sequence[bytes]) -> bool:
    known = {b"", *texts}
    return all(text[:-1] in known for text in texts)


def _joins() -> np.ndarray:
    """bool[256, 256]: whether a byte belongs to the same word as the byte before it.

    Words are runs of letters, digits and bytes of UTF-8 beyond ASCII, runs of spaces, and runs of
    anything else; one space before a word belongs to it. In terms of two bytes: runs go on, and
    after a space anything does.
    """
    kinds = np.full(256, 2)
    kinds[128:] = 0
    for first, last in ("az", "AZ", "09"):
        kinds[ord(first) : ord(last) + 1] = 0
    kinds[ord(" ")] = 1
    return (kinds[:, None] == kinds[None]) | (kinds[:, None] == 1)


_JOINS = _joins()


def ends_word(byte: int, following: int) -> bool:
    """Whether a word ends between two bytes."""
    return not _JOINS[byte, following]


_START, _NEVER = WORDS.index("start"), WORDS.index("never")

# The masks of a word of the double array, whose layout is `longest_match`'s.
_LABEL_MASK = np.uint64((1 << longest_match.LABEL_BITS) - 1)
_BASE_SHIFT = np.uint64(longest_match.BASE_SHIFT)
_BASE_MASK = np.uint64((1 << longest_match.BASE_BITS) - 1)
_BACK_SHIFT = np.uint64(longest_match.BACK_SHIFT)
_BACK_MASK = np.uint64((1 << longest_match.BACK_BITS) - 1)
_CODE_SHIFT = np.uint64(longest_match.CODE_SHIFT)


@jit.jit
def _cut_greedily(
    data, starts, table, first_two, single_codes, joins, words, codes, code_starts
):  # fmt: skip
    count = np.int64(0)
    for index in range(len(starts) - 1):
        code_starts[index] = count
        place, end = starts[index], starts[index + 1]
        while place < end:
            may_cross = words < _START or (
                words < _NEVER
                and (place == starts[index] or not joins[data[place - 1], data[place]])
            )
            ahead = place + 1
            longest, code = ahead, single_codes[data[place]]
            ends_word = ahead == end or not joins[data[place], data[ahead]]
            # The longest that ends a word; nothing yet where this is `place`.
            word_end, word_code = (ahead, code) if ends_word else (place, code)
            if ahead < end and (may_cross or not ends_word):
                word = first_two[jit.load_pair(data, place)]
                while True:
                    # `word` is that of the node for the bytes up to and including `ahead`, or, if
                    # there is none after two bytes, that of the single byte, a base of 0.
                    ahead += 1
                    ends_word = ahead == end or not joins[data[ahead - 1], data[ahead]]
                    if (word >> _BACK_SHIFT) & _BACK_MASK == 0:
                        longest, code = ahead, np.int32(word >> _CODE_SHIFT)
                        if ends_word:
                            word_end, word_code = longest, code
                    if ahead == end or (ends_word and not may_cross):
                        break
                    byte = np.uint64(data[ahead])
                    word = table[((word >> _BASE_SHIFT) & _BASE_MASK) + byte]
                    if word & _LABEL_MASK != byte:
                        break
            if word_end > place:
                longest, code = word_end, word_code
            codes[count] = code
            count += 1
            place = longest
    code_starts[len(starts) - 1] = count


@jit.jit
def _cut_fewest(
    data, starts, table, first_two, single_codes, joins, words, lengths, codes, code_starts
):  # fmt: skip
    late_cost = 1 if words else 0
    # What the text up to each place costs; no entry reaches further than the ring.
    ring_mask = longest_match.MAX_LENGTH
    costs = np.empty(ring_mask + 1, np.int64)
    count = np.int64(0)
    for index in range(len(starts) - 1):
        code_starts[index] = count
        first, end = starts[index], starts[index + 1]
        costs[:] = _NO_COST
        costs[first & ring_mask] = 0
        for place in range(first, end):
            cost = costs[place & ring_mask] + _CODE_COST
            costs[place & ring_mask] = _NO_COST
            may_cross = words < _START or (
                words < _NEVER and (place == first or not joins[data[place - 1], data[place]])
            )
            ahead = place + 1
            ends_word = ahead == end or not joins[data[place], data[ahead]]
            code, is_entry = single_codes[data[place]], True
            word = np.uint64(0)
            while True:
                if is_entry:
                    other = cost + (0 if ends_word else late_cost)
                    # Of cuts that cost the same, the one whose last entry is longest.
                    if other < costs[ahead & ring_mask]:
                        costs[ahead & ring_mask] = other
                        codes[ahead - 1] = code
                if ahead == end or (ends_word and not may_cross):
                    break
                if ahead == place + 1:
                    word = first_two[jit.load_pair(data, place)]
                else:
                    byte = np.uint64(data[ahead])
                    word = table[((word >> _BASE_SHIFT) & _BASE_MASK) + byte]
                    if word & _LABEL_MASK != byte:
                        break
                ahead += 1
                ends_word = ahead == end or not joins[data[ahead - 1], data[ahead]]
                is_entry = (word >> _BACK_SHIFT) & _BACK_MASK == 0
                code = np.int32(word >> _CODE_SHIFT)
        # The best last code before every place is known: follow them from the end. Those taken move
        # to the back, which is never before the place that is read.
        place = back = end
        while place > first:
            back -= 1
            codes[back] = codes[place - 1]
            place -= lengths[codes[back]]
        for taken in range(back, end):
            codes[count] = codes[taken]
            count += 1
    code_starts[len(starts) - 1] = count
