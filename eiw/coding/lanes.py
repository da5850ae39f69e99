"""Prefixes of different lengths side by side under one byte model.

A `ByteModel`'s state has rows of one length, as a compiler's levels and a block's columns have.
Windows of many texts are never equally far: each has a lane here, which goes on or starts afresh
whenever its own text wants to. The integers are those of the model's states.
"""

from typing import Any, Protocol

import numpy as np

from eiw.coding import byte_model


class Lanes(Protocol):
    """A number of lanes, each with a prefix of its own; see `open_lanes`.

    Attributes:
      bank_entries: prefixes that can be kept to go on from; 0 for none, and then `keep` and
        `resume` are not there. An entry says what its last symbol adds: a prefix needs the entries
        of all its beginnings.
      bank_depth: symbols of such a prefix at most.
    """

    bank_entries: int
    bank_depth: int

    def feed(self, lanes: np.ndarray, symbols: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """Appends one symbol to the prefixes of some lanes.

        Args:
          lanes: int64[n], which, each once.
          symbols: int64[n], theirs.
          fresh: bool[n], whether the lane's prefix is emptied before.

        Returns:
          uint32[n, A + 1], the CDFs of the next symbols.
        """

    def keep(self, lanes: np.ndarray, entries: np.ndarray) -> None:
        """Writes the last symbols of some lanes to entries int64[n], each once."""

    def resume(self, lanes: np.ndarray, entries: np.ndarray, counts: np.ndarray) -> None:
        """Puts some lanes behind prefixes of `counts` symbols, int64[n], at least one.

        `entries` are those of their beginnings, int64[n, bank_depth], the shortest first.
        """


def open_lanes(model: byte_model.ByteModel, count: int) -> Lanes:
    """`count` lanes with empty prefixes.

    Models that gain from it have their own; others have a state of one row for each.
    """
    opener = getattr(model, "open_lanes", None)
    return _SeparateLanes(model, count) if opener is None else opener(count)


class _SeparateLanes:
    """Lanes with a state of one row each, for models to which the number of rows is nothing."""

    bank_entries = bank_depth = 0

    def __init__(self, model: byte_model.ByteModel, count: int) -> None:
        self._model = model
        self._states: list[Any] = [None] * count

    def feed(self, lanes: np.ndarray, symbols: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        cdfs = np.empty((len(lanes), self._model.alphabet_size + 1), np.uint32)
        for index, lane in enumerate(lanes):
            state = self._model.start(1)[0] if fresh[index] else self._states[lane]
            self._states[lane], row = self._model.advance(state, symbols[index : index + 1])
            cdfs[index] = row[0]
        return cdfs
