"""Exact Equal-Info Windows, written to be read: the reference for every faster implementation.

The paper (Lester et al. 2024, 3.3) cuts a text into windows that each code to W bits: bytes are
added while the interval of arithmetic coding can still be named by W bits, then those bits are
written, padded with zeros, and coder and M1 start afresh. The zeros make two texts meet: if x
after s codes to zeros only, then s and s + x get the same W bits. Here no two texts ever meet.

    unit interval   |-----+-----+-----+-----+-----+-----+-----+-----|   2^W cells
    I(s)                 [-------------------------)                    encloses cells 1, 2, 3, 4
    I(s+a) I(s+b) ..     [------------)[----)[-----)                    enclose 1, 2; none; 4
                                         ^ cut by a boundary: s owns cell 3

  - A text s *fits* if I(s) encloses a cell, and *owns* the cells that no I(s + x) encloses. Each
    of these is cut by a boundary between children.
  - A single symbol x that owns none *reserves* the lowest cell of I(x), and is named by it. Texts
    that begin with x do not own that cell, and have no code if they owned no other.
  - Encoding takes the longest text that fits and has a code. Every single symbol has one.
  - Decoding walks to the child that encloses the cell for as long as there is one.

Every cell belongs to one text, so any sequence of cells names one text, whatever follows it.
"""

import bisect
import functools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits, byte_model
from eiw.compressors import artefact, base, window_format


class EqualInfoWindows(base.Compressor):
    """Equal-Info Windows over any byte model, for any W >= P, in Python's integers.

    Slow: M1 runs for one prefix at a time. `window_dictionary` compiles the same codes for W = 16.

    Args:
      model: M1; a 257th symbol, EOS, is coded by `encode_symbols` only, and ends its window.
      window_bits, own_cell, max_depth: see `WindowFormat`.
      token_bits: default the window's bits, 16 at most.
    """

    kind = "equal_info"
    method = "EqualInfoAC"
    runs_m1 = True

    def __init__(
        self,
        model: byte_model.ByteModel,
        window_bits: int = 16,
        token_bits: int | None = None,
        *,
        own_cell: str = "smallest",
        max_depth: int = 1024,
    ) -> None:
        self.format = window_format.WindowFormat(
            model.precision,
            window_bits,
            min(window_bits, 16) if token_bits is None else token_bits,
            own_cell,
            max_depth,
        )
        self._model = model
        self.name = self.format.name
        self.variant = "" if own_cell == "smallest" else own_cell
        self.vocab_size = 1 << self.format.token_bits
        self.window_bits = window_bits
        self.m1_fingerprint = model.fingerprint
        config = self.format.to_config() | {"m1_fingerprint": model.fingerprint}
        self._contents = artefact.artefact_contents(self.kind, config, {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_symbols(self, symbols: Sequence[int]) -> list[int]:
        """The windows of a text of symbols: one cell of W bits each."""
        cells, start = [], 0
        while start < len(symbols):
            cell, length = self._next_window(symbols, start)
            cells.append(cell)
            start += length
        return cells

    def decode_cell(self, cell: int) -> list[int]:
        """The symbols that a window of W bits stands for."""
        node, symbols = self._root(), []
        while cell != node.reserved_by_itself:
            symbol = node.symbol_enclosing(cell)
            if symbol is None:
                break
            node = node.child(symbol)
            symbols.append(symbol)
        return symbols

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return [self._to_tokens(self.encode_symbols(text)) for text in texts]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return [self._decode_tokens(text_codes) for text_codes in codes]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents, self._model)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "EqualInfoWindows":
        config = artefact.read_artefact(folder, cls.kind).config
        settings = window_format.WindowFormat.from_config(config)
        return cls(
            artefact.read_byte_model(folder, config["m1_fingerprint"]),
            settings.window_bits,
            settings.token_bits,
            own_cell=settings.own_cell,
            max_depth=settings.max_depth,
        )

    def _next_window(self, symbols: Sequence[int], start: int) -> tuple[int, int]:
        """The cell of the longest text at `start` that fits and has a code, and its length."""
        node, best = self._root(), None
        for length, symbol in enumerate(symbols[start : start + self.format.max_depth], start=1):
            node = node.child(symbol)
            if node is None:
                break
            if node.own_cells:
                best = node.code, length
        return best

    def _to_tokens(self, cells: Sequence[int]) -> np.ndarray:
        writer = bits.BitWriter()
        for cell in cells:
            writer.write(cell, self.format.window_bits)
        return writer.tokens(self.format.token_bits)

    def _decode_tokens(self, codes: np.ndarray) -> bytes:
        reader = bits.BitReader(base.checked_codes(codes, self.vocab_size), self.format.token_bits)
        symbols = []
        while reader.remaining >= self.format.window_bits:
            symbols += self.decode_cell(reader.read(self.format.window_bits))
        if reader.remaining >= self.format.token_bits or reader.read(reader.remaining):
            raise errors.InputError(
                f"{len(codes)} tokens of {self.format.token_bits} bits are no whole number of "
                f"{self.format.window_bits}-bit windows."
            )
        if vocab.EOS_SYMBOL in symbols:
            raise errors.InputError("The codes contain EOS, which no text of bytes codes to.")
        return bytes(symbols)

    def _root(self) -> "_Node":
        state, cdfs = self._model.start(1)
        unit = 1 << (self.format.window_bits + self.format.precision)
        return _Node(self._model, self.format, 0, unit, 0, False, None, state, cdfs[0])


class _Node:
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

    @functools.cached_property
    def _unclaimed(self) -> Sequence[int]:
        """The cells that no child encloses, before any is taken off for the reserved one."""
        cells = self._cells_of(self._low, self._low + self._width)
        if self._is_leaf:
            return cells
        cell_points = 1 << self._settings.precision
        cut = {point // cell_points for point in self._boundaries if point % cell_points}
        return sorted(cell for cell in cut if cell in cells)

    @property
    def reserved_by_itself(self) -> int | None:
        """The cell that this text reserves: the lowest, for a single symbol that owns none."""
        if self._depth == 1 and not self._unclaimed:
            return self._cells_of(self._low, self._low + self._width)[0]
        return None

    @property
    def own_cells(self) -> Sequence[int]:
        """The cells that name this text, in order; empty if it has no code."""
        if self.reserved_by_itself is not None:
            return [self.reserved_by_itself]
        if self._reserved in self._unclaimed:
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

    def child(self, symbol: int) -> "_Node | None":
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
        return _Node(
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
