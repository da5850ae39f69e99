"""The texts of a dictionary's entries, to decode from."""

import itertools
from collections.abc import Sequence

import numpy as np

from eiw.coding import jit
from eiw.compressors import base

# A short text lies in a slot of two words, its length in the last byte of them. Both are copied
# whatever the length, which is faster than a loop, and what is too much is written over.
_SLOT_BYTES = 16
_MAX_SHORT = _SLOT_BYTES - 1
_LONG = 255  # in place of the length of a text that has no slot
_LENGTH_SHIFT = np.uint64(56)
# Room is made for the longest texts there could be, not measured, unless that were more than this:
# memory that nothing is written to costs nothing.
_MOST_ROOM = 1 << 26


class TextTable:
    """Entry i stands for `text_bytes[text_offsets[i] : text_offsets[i + 1]]`.

    Args:
      text_bytes: uint8[n].
      text_offsets: int64[V + 1], ascending from 0 to n.
    """

    def __init__(self, text_bytes: np.ndarray, text_offsets: np.ndarray) -> None:
        self._text_bytes = np.ascontiguousarray(text_bytes)
        self._text_offsets = text_offsets
        self._longest = int(np.diff(text_offsets).max(initial=0))
        slots = np.zeros((len(text_offsets) - 1, _SLOT_BYTES), np.uint8)
        _fill_slots(self._text_bytes, text_offsets, slots)
        self._slots = slots.view("<u8").astype(np.uint64)

    @classmethod
    def from_texts(cls, texts: Sequence[bytes]) -> "TextTable":
        """The table of these texts, in their order."""
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(texts), np.uint8), offsets)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arguments that make this table, by name."""
        return {"text_bytes": self._text_bytes, "text_offsets": self._text_offsets}

    def texts(self) -> list[bytes]:
        """All texts, in order."""
        joined, offsets = self._text_bytes.tobytes(), self._text_offsets.tolist()
        return [joined[a:b] for a, b in itertools.pairwise(offsets)]

    def decode(self, entries: np.ndarray, starts: np.ndarray) -> list[bytes]:
        """The texts of entries, one after another, for each of several lists of them.

        Args:
          entries: int[n], all lists, one after another; each entry in 0 .. V - 1.
          starts: int64[m + 1], where each list begins, and n.
        """
        tables = self._text_bytes, self._text_offsets, self._slots
        size = len(entries) * self._longest
        if size > _MOST_ROOM:
            size = _total_length(entries, self._text_offsets)
        out = np.empty(size + _SLOT_BYTES, np.uint8)
        bounds = np.zeros(len(starts), np.int64)
        _copy_texts(entries, starts, *tables, out, bounds)
        view = memoryview(out)
        return [bytes(view[a:b]) for a, b in itertools.pairwise(bounds.tolist())]


def joined_codes(codes: Sequence[np.ndarray], vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists of codes one after another, int32[n], and where each begins, and n, int64[m + 1].

    Raises:
      InputError: as `checked_codes` does.
    """
    lists = [np.asarray(one) for one in codes]
    if not all(one.dtype == np.int32 and one.ndim == 1 for one in lists):
        lists = [base.checked_codes(one, vocab_size) for one in lists]
    starts = np.zeros(len(lists) + 1, np.int64)
    starts[1:] = list(itertools.accumulate(map(len, lists)))
    # Not np.concatenate: it gives the GIL away for each list, and several threads would spend their
    # time on handing it to one another.
    joined = np.frombuffer(b"".join(map(np.ascontiguousarray, lists)), np.int32)
    if not _all_below(joined, vocab_size):
        base.checked_codes(joined, vocab_size)
    return joined, starts


@jit.jit
def _all_below(codes, vocab_size):
    highest = np.uint32(0)
    for index in range(len(codes)):
        # As unsigned, a negative number is higher than any code.
        highest = max(highest, np.uint32(codes[index]))
    return highest < vocab_size


@jit.jit
def _fill_slots(text_bytes, text_offsets, slots):
    for entry in range(len(slots)):
        start, end = text_offsets[entry], text_offsets[entry + 1]
        length = end - start
        slots[entry, _MAX_SHORT] = length if length <= _MAX_SHORT else _LONG
        for place in range(length if length <= _MAX_SHORT else 0):
            slots[entry, place] = text_bytes[start + place]


@jit.jit
def _total_length(entries, text_offsets):
    size = np.int64(0)
    for index in range(len(entries)):
        entry = np.uint64(entries[index])
        size += text_offsets[entry + np.uint64(1)] - text_offsets[entry]
    return size


@jit.jit
def _copy_texts(entries, starts, text_bytes, text_offsets, slots, out, bounds):
    """Fills `out`, and `bounds` with where each list's text begins, and the last ends."""
    place = np.int64(0)
    for index in range(len(starts) - 1):
        for turn in range(starts[index], starts[index + 1]):
            entry = np.uint64(entries[turn])
            first, second = slots[entry, 0], slots[entry, 1]
            jit.store_word(out, place, first)
            jit.store_word(out, place + 8, second)
            length = np.int64(second >> _LENGTH_SHIFT)
            if length == _LONG:
                start = text_offsets[entry]
                length = text_offsets[entry + np.uint64(1)] - start
                for offset in range(length):
                    out[place + offset] = text_bytes[start + offset]
            place += length
        bounds[index + 1] = place
