"""The trie of texts that fit into a window, node by node, in Python's integers."""

import bisect
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eiw import vocab
from eiw.coding import byte_model
from eiw.compressors import window_format

# M1 after some prefix: its state, of one row, and the CDF of the next symbol.
Context = tuple[Any, np.ndarray]


def root_node(
    model: byte_model.ByteModel,
    settings: window_format.WindowFormat,
    context: Context | None = None,
) -> "WindowNode":
    """The empty text, for a fresh M1 or one with a `WindowNode.context`."""
    if context is None:
        state, cdfs = model.start(1)
        context = state, cdfs[0]
    unit = 1 << (settings.window_bits + settings.precision)
    return WindowNode(model, settings, 0, unit, 0, False, None, *context)


class WindowNode:
    """One text of the trie: its interval [low, low + width) and what follows from it.

    Args:
      depth: symbols in the text.
      is_leaf: nothing may follow.
      reserved: the cell that the text's first symbol reserved, None for none.
      state, cdf: of the byte model after the text.
    """

    def __init__(self, model, settings, low, width, depth, is_leaf, reserved, state, cdf) -> None:
        self._model, self._settings = model, settings
        self._low, self._width, self._depth = low, width, depth
        self._is_leaf, self._reserved = is_leaf, reserved
        self._state, self._cdf = state, cdf

    def _cells_of(self, low: int, high: int) -> range:
        """The cells that lie in [low, high) as a whole; one cell is 2^P points."""
        precision = self._settings.precision
        return range(-(-low >> precision), high >> precision)

    @functools.cached_property
    def _boundaries(self) -> list[int]:
        """Where children begin and end: A + 1 points."""
        precision = self._settings.precision
        return [self._low + (self._width * int(count) >> precision) for count in self._cdf]

    @property
    def depth(self) -> int:
        """Symbols in the text."""
        return self._depth

    @property
    def context(self) -> Context:
        """M1 after the text, for the root of a window that follows."""
        return self._state, self._cdf

    @property
    def enclosed_cells(self) -> range:
        """The cells that the text's interval encloses."""
        return self._cells_of(self._low, self._low + self._width)

    @functools.cached_property
    def _unclaimed(self) -> Sequence[int]:
        """The cells that no child encloses, before any is taken off for the reserved one."""
        cells = self.enclosed_cells
        if self._is_leaf:
            return cells
        cell_points = 1 << self._settings.precision
        cut = {point // cell_points for point in self._boundaries if point % cell_points}
        return sorted(cell for cell in cut if cell in cells)

    @property
    def reserved_by_itself(self) -> int | None:
        """The cell that this text reserves: the lowest, for a single symbol that owns none."""
        if self._depth == 1 and not self._unclaimed:
            return self.enclosed_cells[0]
        return None

    @property
    def own_cells(self) -> Sequence[int]:
        """The cells that name this text, in order; empty if it has no code."""
        if self.reserved_by_itself is not None:
            return [self.reserved_by_itself]
        # Looking for None in a range would try all its numbers.
        if self._reserved is not None and self._reserved in self._unclaimed:
            # The lowest cell of I(x) can only be the lowest of a text that begins with x.
            return self._unclaimed[1:]
        return self._unclaimed

    @property
    def code(self) -> int:
        """The own cell that encoding emits."""
        if self._settings.own_cell == "smallest":
            return self.own_cells[0]
        return _roundest(self.own_cells, self._settings.window_bits)

    def symbol_enclosing(self, cell: int) -> int | None:
        """The symbol whose child encloses `cell`, None if this text owns it."""
        if self._is_leaf:
            return None
        precision = self._settings.precision
        symbol = bisect.bisect_right(self._boundaries, cell << precision) - 1
        return symbol if (cell + 1) << precision <= self._boundaries[symbol + 1] else None

    def child(self, symbol: int) -> "WindowNode | None":
        """The text with one more symbol, None if it does not fit."""
        if self._is_leaf:
            return None
        low, high = self._boundaries[symbol], self._boundaries[symbol + 1]
        if not self._cells_of(low, high):
            return None
        state, cdfs = self._model.advance(
            self._model.take(self._state, np.zeros(1, np.int64)), np.array([symbol])
        )
        depth = self._depth + 1
        return WindowNode(
            self._model,
            self._settings,
            low,
            high - low,
            depth,
            depth == self._settings.max_depth or symbol == vocab.EOS_SYMBOL,
            self.reserved_by_itself if self._depth == 1 else self._reserved,
            state,
            cdfs[0],
        )


def _roundest(cells: Sequence[int], window_bits: int) -> int:
    """The cell with the most trailing zeros, the smallest of these.

    A leaf's cells can be too many to look at one by one, so multiples of 2^z are asked for.
    """
    for zeros in range(window_bits, 0, -1):
        for cell in _multiples(cells, 1 << zeros):
            return cell
    return cells[0]


def _multiples(cells: Sequence[int], step: int) -> Iterator[int]:
    if isinstance(cells, range):
        yield from range(-(-cells.start // step) * step, cells.stop, step)
    else:
        yield from (cell for cell in cells if cell % step == 0)
