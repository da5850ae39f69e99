"""The texts of a dictionary's entries, to decode from."""

import itertools
from collections.abc import Sequence

import numpy as np

from eiw.coding import jit

# Texts are copied eight bytes at a time: most are shorter, and one wide copy beats a loop.
_STRIDE = 8


class TextTable:
    """Entry i stands for `text_bytes[text_offsets[i] : text_offsets[i + 1]]`.

    Args:
      text_bytes: uint8[n].
      text_offsets: int64[V + 1], ascending from 0 to n.
    """

    def __init__(self, text_bytes: np.ndarray, text_offsets: np.ndarray) -> None:
        # A wide copy may read past the last text.
        self._text_bytes = np.concatenate([text_bytes, np.zeros(_STRIDE, np.uint8)])
        self._text_offsets = text_offsets

    @classmethod
    def from_texts(cls, texts: Sequence[bytes]) -> "TextTable":
        """The table of these texts, in their order."""
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(texts), np.uint8), offsets)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arguments that make this table, by name."""
        return {"text_bytes": self._text_bytes[:-_STRIDE], "text_offsets": self._text_offsets}

    def texts(self) -> list[bytes]:
        """All texts, in order."""
        joined, offsets = self._text_bytes.tobytes(), self._text_offsets.tolist()
        return [joined[a:b] for a, b in itertools.pairwise(offsets)]

    def decode(self, entries: np.ndarray) -> bytes:
        """The texts of int[n] entries, all in 0 .. V - 1, one after another."""
        return self.decode_to(entries).tobytes()

    def decode_to(self, entries: np.ndarray) -> np.ndarray:
        """As `decode`, uint8[n]."""
        size = _total_length(entries, self._text_offsets)
        out = np.empty(size + _STRIDE, np.uint8)
        _copy_texts(entries, self._text_bytes, self._text_offsets, out)
        return out[:size]


@jit.jit
def _total_length(entries, text_offsets):
    size = np.int64(0)
    for index in range(len(entries)):
        size += text_offsets[entries[index] + 1] - text_offsets[entries[index]]
    return size


@jit.jit
def _copy_texts(entries, text_bytes, text_offsets, out):
    place = np.int64(0)
    for index in range(len(entries)):
        start, end = text_offsets[entries[index]], text_offsets[entries[index] + 1]
        # All eight are read before one is written, which lets the compiler move them as one word.
        b0, b1, b2, b3 = (
            text_bytes[start],
            text_bytes[start + 1],
            text_bytes[start + 2],
            text_bytes[start + 3],
        )
        b4, b5, b6, b7 = (
            text_bytes[start + 4],
            text_bytes[start + 5],
            text_bytes[start + 6],
            text_bytes[start + 7],
        )
        out[place], out[place + 1], out[place + 2], out[place + 3] = b0, b1, b2, b3
        out[place + 4], out[place + 5], out[place + 6], out[place + 7] = b4, b5, b6, b7
        for offset in range(_STRIDE, end - start):
            out[place + offset] = text_bytes[start + offset]
        place += end - start
