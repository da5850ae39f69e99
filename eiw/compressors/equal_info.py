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

import pathlib
from collections.abc import Collection, Sequence

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits, byte_model
from eiw.compressors import (
    artefact,
    base,
    open_windows,
    padded_windows,
    window_format,
    window_node,
)


class EqualInfoWindows(base.Compressor):
    """Equal-Info Windows over any byte model, for any W >= P, in Python's integers.

    Slow: M1 runs for one prefix at a time. `window_dictionary` compiles the same codes for W = 16.

    Args:
      model: M1; a 257th symbol, EOS, is coded by `encode_symbols` only, and ends its window.
      window_bits, own_cell, max_depth, window_end, reset_every: see `WindowFormat`.
      token_bits: default the window's bits, 16 at most. Windows follow one another bit by bit, so
        a token can hold the end of one and the start of the next; zeros fill up the last token.
    """

    kind = "equal_info"
    carries_m1 = True
    method = "EqualInfoAC"

    def __init__(
        self,
        model: byte_model.ByteModel,
        window_bits: int = 16,
        token_bits: int | None = None,
        *,
        own_cell: str = "smallest",
        max_depth: int = 1024,
        window_end: str = "exact",
        reset_every: int = 1,
    ) -> None:
        self.format = window_format.WindowFormat(
            model.precision,
            window_bits,
            min(window_bits, 16) if token_bits is None else token_bits,
            own_cell,
            max_depth,
            window_end,
            reset_every,
        )
        self._model = model
        self.name = self.format.name
        self.variant = self.format.variant
        self.vocab_size = 1 << self.format.token_bits
        self.lossless = window_end != "greedy"
        self.window_bits = window_bits
        self._run_m1(model)
        config = self.format.to_config() | artefact.model_facts(model)
        self._contents = artefact.artefact_contents(self.kind, config, {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_symbols(self, symbols: Sequence[int]) -> list[int]:
        """The windows of a text of symbols: one cell of W bits each."""
        return self._windows(symbols)[0]

    def decode_cells(self, cells: Sequence[int]) -> list[int]:
        """The symbols that windows of W bits stand for.

        Raises:
          InputError: no text has this code, as greedy and delayed windows do not use all.
        """
        symbols, context = [], None
        for count, cell in enumerate(cells, start=1):
            text, node = self._decode_window(cell, context)
            symbols += text
            context = self._context_after(node, count)
        return symbols

    def bounds(self, text: bytes) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[int]]:
        """What windows texts can have that begin with `text`, and where the text's own begin.

        See `open_windows.bounds`, whose ranges come first.
        """
        cells, starts = self._windows(text)
        return open_windows.bounds(self._model, self.format, text, cells, starts), starts

    def count_lost(self, text: bytes) -> tuple[int, int]:
        """How many windows of `text` decode to something else, and how many there are."""
        start, num_lost, num_windows, context = 0, 0, 0, None
        while start < len(text):
            cell, node = self._next_window(text, start, context)
            symbols, _ = self._decode_window(cell, context)
            num_lost += bytes(symbols) != text[start : start + node.depth]
            num_windows += 1
            start += node.depth
            context = self._context_after(node, num_windows)
        return num_lost, num_windows

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return [self._to_tokens(self.encode_symbols(text)) for text in texts]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return [self._decode_tokens(text_codes) for text_codes in codes]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents, self._model)

    @classmethod
    def load(cls, folder: pathlib.Path, allow_mismatch: Collection[str] = ()) -> "EqualInfoWindows":
        config = artefact.read_artefact(folder, cls.kind).config
        settings = window_format.WindowFormat.from_config(config)
        return cls(
            artefact.read_byte_model(folder, config, allow_mismatch),
            settings.window_bits,
            settings.token_bits,
            own_cell=settings.own_cell,
            max_depth=settings.max_depth,
            window_end=settings.window_end,
            reset_every=settings.reset_every,
        )

    def _root(self, context: window_node.Context | None) -> window_node.WindowNode:
        return window_node.root_node(self._model, self.format, context)

    def _context_after(
        self, node: window_node.WindowNode, num_windows: int
    ) -> window_node.Context | None:
        """M1 for the next window, None for a fresh one."""
        every = self.format.reset_every
        return None if every and num_windows % every == 0 else node.context

    def _windows(self, symbols: Sequence[int]) -> tuple[list[int], list[int]]:
        """The windows of a text of symbols, and where each begins."""
        cells, starts, start, context = [], [], 0, None
        while start < len(symbols):
            cell, node = self._next_window(symbols, start, context)
            cells.append(cell)
            starts.append(start)
            start += node.depth
            context = self._context_after(node, len(cells))
        return cells, starts

    def _next_window(
        self, symbols: Sequence[int], start: int, context: window_node.Context | None
    ) -> tuple[int, window_node.WindowNode]:
        """The cell of the longest text at `start` that fits and has a code, and that text."""
        node, best = self._root(context), None
        if self.format.window_end != "exact":
            return padded_windows.next_window(node, symbols[start:], self.format.window_end)
        for symbol in symbols[start : start + self.format.max_depth]:
            node = node.child(symbol)
            if node is None:
                break
            if node.own_cells:
                best = node.code, node
        return best

    def _decode_window(
        self, cell: int, context: window_node.Context | None
    ) -> tuple[list[int], window_node.WindowNode]:
        node, symbols = self._root(context), []
        if self.format.window_end != "exact":
            return padded_windows.decode_cell(node, cell, self.format.window_end)
        while cell != node.reserved_by_itself:
            symbol = node.symbol_enclosing(cell)
            if symbol is None:
                break
            node = node.child(symbol)
            symbols.append(symbol)
        return symbols, node

    def _to_tokens(self, cells: Sequence[int]) -> np.ndarray:
        writer = bits.BitWriter()
        for cell in cells:
            writer.write(cell, self.format.window_bits)
        return writer.tokens(self.format.token_bits)

    def _decode_tokens(self, codes: np.ndarray) -> bytes:
        reader = bits.BitReader(base.checked_codes(codes, self.vocab_size), self.format.token_bits)
        cells = []
        while reader.remaining >= self.format.window_bits:
            cells.append(reader.read(self.format.window_bits))
        if reader.remaining >= self.format.token_bits or reader.read(reader.remaining):
            raise errors.InputError(
                f"{len(codes)} tokens of {self.format.token_bits} bits are no whole number of "
                f"{self.format.window_bits}-bit windows."
            )
        symbols = self.decode_cells(cells)
        if vocab.EOS_SYMBOL in symbols:
            raise errors.InputError("The codes contain EOS, which no text of bytes codes to.")
        return bytes(symbols)
