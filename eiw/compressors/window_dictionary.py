"""Equal-Info Windows of 16 bits, compiled: M1 is run once, and never again.

Coder and M1 start afresh with each window, so windows are a fixed dictionary: the texts that have
a code. Encoding is longest match in their trie, decoding is a table, and the codes are bit for bit
those of `equal_info`, on every device and for every batch size.
"""

import functools
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np

from eiw import errors
from eiw.coding import byte_model
from eiw.compressors import (
    artefact,
    base,
    longest_match,
    padded_windows,
    text_table,
    window_format,
    window_trie,
)


class WindowDictionary(base.Compressor):
    """The compiled form of Equal-Info Windows; `compile_windows` makes one.

    Attributes:
      dense: code i is the i-th text in order of its cell, and there are only as many codes as
        texts (about a third of 2^W). Otherwise codes are cells, cut into tokens, as in the paper.
      format: the settings, as of the reference.
    """

    kind = "window_dictionary"
    method = "EqualInfoAC"

    def __init__(
        self,
        texts: window_trie.WindowTexts,
        settings: window_format.WindowFormat,
        m1_fingerprint: str,
        *,
        dense: bool,
    ) -> None:
        """Use `compile_windows` or `load`."""
        whole_windows = settings.token_bits == settings.window_bits
        if not whole_windows and (dense or settings.window_bits % settings.token_bits):
            raise errors.InputError(
                f"Windows of {settings.window_bits} bits are not compiled to tokens of "
                f"{settings.token_bits} bits: token_bits must divide window_bits, with dense=False."
            )
        self.dense = dense
        self.format = settings
        self.m1_fingerprint = m1_fingerprint
        self.window_bits = settings.window_bits
        self.name = settings.name
        differences = ["" if dense or not whole_windows else "sparse", settings.variant]
        self.variant = "_".join(filter(None, differences))
        self.lossless = settings.window_end != "greedy"
        used_cells, ranks = np.unique(texts.cells, return_inverse=True)
        self.vocab_size = len(used_cells) if dense else 1 << settings.token_bits
        self._table = text_table.TextTable(texts.text_bytes, texts.text_offsets)
        self._lengths = lengths = np.diff(texts.text_offsets)
        # What is emitted decodes to the text that owns the cell, which may be shorter (delay).
        self._advances = lengths[texts.owners[texts.cells]] if self.lossless else lengths
        self._cells, self._owners = texts.cells, texts.owners
        self._num_texts = len(used_cells)
        self._trie = longest_match.LongestMatch(
            self._table.texts(), ranks if dense else texts.cells, self._advances
        )
        self._contents = artefact.artefact_contents(
            self.kind,
            settings.to_config() | {"dense": dense, "m1_fingerprint": m1_fingerprint},
            dict(vars(texts)),
        )

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def texts(self) -> list[bytes]:
        """The texts that codes stand for, in order of their cells and so of dense codes."""
        return self._table.texts()[: self._num_texts]

    def texts_of_codes(self) -> list[bytes]:
        """What each code decodes to by itself, b"" for those that the encoder never writes.

        Raises:
          InputError: a window is several codes.
        """
        if self._tokens_per_window > 1:
            raise errors.InputError(f"A window of {self.name} is several codes, not one.")
        if self.dense:
            return self.texts()
        entries, texts = self._table.texts(), [b""] * self.vocab_size
        for cell in np.unique(self._cells).tolist():
            texts[cell] = entries[self._owners[cell]]
        return texts

    def entries(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """All texts that the encoder looks for, and of each its window and what it decodes to.

        Returns:
          The texts, distinct; their windows, int[n], dense codes or cells; and the lengths of what
          these decode to, int[n]: the text itself but for padded windows, where it is the shortest
          (delay) or longest (greedy) text of the same window.
        """
        ranks = np.unique(self._cells, return_inverse=True)[1]
        decoded = self._lengths[self._owners[self._cells]]
        return self._table.texts(), ranks if self.dense else self._cells, decoded

    def count_lost(self, text: bytes) -> tuple[int, int]:
        """How many windows of `text` decode to something else, and how many there are."""
        data = np.frombuffer(text, np.uint8)
        entries, _ = self._trie_of_entries.encode(data, np.array([0, len(data)], np.int64))
        # Texts with one code are prefixes of one another: of equal length, they are equal.
        decoded = self._owners[self._cells[entries]]
        is_lost = self._lengths[decoded] != self._advances[entries]
        return int(is_lost.sum()), len(entries)

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return base.in_groups(texts, self._encode_group, base.ENCODE_GROUP)

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """As `Compressor.decode_batch`; any sequence of dense codes names a text.

        Raises:
          InputError: a code is out of range, is half a window, or no text of bytes has it: one of
            a text with EOS, or one that greedy and delayed windows do not use.
        """
        return base.in_groups(codes, self._decode_group, base.DECODE_GROUP)

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "WindowDictionary":
        contents = artefact.read_artefact(folder, cls.kind)
        return cls(
            window_trie.WindowTexts(**contents.arrays),
            window_format.WindowFormat.from_config(contents.config),
            contents.config["m1_fingerprint"],
            dense=contents.config["dense"],
        )

    @functools.cached_property
    def _trie_of_entries(self) -> longest_match.LongestMatch:
        """As the trie, but every text has a number of its own."""
        return longest_match.LongestMatch(
            self._table.texts(), np.arange(len(self._cells)), self._advances
        )

    @property
    def _tokens_per_window(self) -> int:
        return self.window_bits // self.format.token_bits

    def _encode_group(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        codes, code_starts = self._trie.encode(*longest_match.joined(texts))
        starts = (self._tokens_per_window * code_starts).tolist()
        tokens = self._to_tokens(codes)
        return [tokens[first:end] for first, end in itertools.pairwise(starts)]

    def _to_tokens(self, codes: np.ndarray) -> np.ndarray:
        bits = self.format.token_bits
        if bits == self.window_bits:
            return codes
        shifts = np.arange(self.window_bits - bits, -1, -bits, dtype=np.int32)
        return (codes[:, None] >> shifts[None] & (1 << bits) - 1).reshape(-1)

    def _decode_group(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        tokens, starts = text_table.joined_codes(codes, self.vocab_size)
        per_window = self._tokens_per_window
        cut_short = np.diff(starts) % per_window != 0
        if cut_short.any():
            raise errors.InputError(
                f"{np.diff(starts)[cut_short.argmax()]} tokens are no whole number of windows of "
                f"{per_window} tokens."
            )
        return self._table.decode(self._to_entries(tokens), starts // per_window)

    def _to_entries(self, tokens: np.ndarray) -> np.ndarray:
        if self.dense:
            return tokens
        columns = tokens.reshape(-1, self._tokens_per_window).T
        cells = columns[0]
        for column in columns[1:]:
            cells = cells << self.format.token_bits | column
        entries = self._owners[cells]
        if entries.size and entries.min() < 0:
            raise errors.InputError(f"No text of bytes has the window {cells[entries.argmin()]}.")
        return entries


def compile_windows(
    model: byte_model.ByteModel,
    window_bits: int = 16,
    token_bits: int | None = None,
    *,
    dense: bool = True,
    own_cell: str = "smallest",
    max_depth: int = 1024,
    window_end: str = "exact",
) -> WindowDictionary:
    """Runs `model` over every text that fits into a window, and keeps those that have a code.

    A 3-layer M1 has some 30,000 such texts at 16 bits. A 257th symbol, EOS, keeps its share of
    each interval, but texts with it get no code: a dictionary codes bytes.

    Args:
      window_bits, token_bits, own_cell, max_depth, window_end: see `WindowFormat`; token_bits
        defaults to window_bits.
      dense: see `WindowDictionary`.

    Raises:
      InputError: settings that cannot be, or windows too wide to compile (20 bits at most).
      ValueError: a model of fewer than 256 symbols.
    """
    if model.alphabet_size < 256:
        raise ValueError(f"a model of {model.alphabet_size} symbols does not know every byte")
    if max_depth > longest_match.MAX_LENGTH:
        raise errors.InputError(
            f"max_depth={max_depth} is too deep to compile: {longest_match.MAX_LENGTH} at most."
        )
    settings = window_format.WindowFormat(
        model.precision,
        window_bits,
        window_bits if token_bits is None else token_bits,
        own_cell,
        max_depth,
        window_end,
    )
    enumerate_texts = (
        window_trie.enumerate_windows if window_end == "exact" else padded_windows.enumerate_padded
    )
    texts = enumerate_texts(model, settings)
    return WindowDictionary(texts, settings, model.fingerprint, dense=dense)
