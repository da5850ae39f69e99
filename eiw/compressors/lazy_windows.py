"""Equal-Info Windows of any width, with M1 run when they are made: what is too wide to compile.

The codes are those of `equal_info`, bit for bit. Where M1 begins afresh with each window, its CDF
after a prefix of the window depends on that prefix alone, so each is computed once and kept in a
trie, which all texts share and which can be saved. M1 is run for many windows at a time, of many
texts and of many places in one text: see `window_jobs`.
"""

import itertools
import pathlib
import threading
from collections.abc import Collection, Sequence

import numpy as np

from eiw import errors
from eiw.coding import bits, byte_model
from eiw.compressors import (
    artefact,
    base,
    open_windows,
    window_format,
    window_jobs,
    window_lanes,
)


class LazyWindows(base.Compressor):
    """Equal-Info Windows over any byte model, for any W >= P.

    A text's windows follow one another bit by bit, so a token can hold the end of one and the
    start of the next (W = 24, tokens of 16 bits); zeros fill up the last token of a text. Decoding
    takes as many whole windows as there are, and refuses what remains if it is a whole token or
    is not zeros.

    Any windows decode to some text of bytes, those that no encoder writes too, unless they are a
    text's with EOS; of delayed and greedy windows many are no text's. Both are refused.

    Args:
      model: M1.
      window_bits, own_cell, max_depth, window_end, reset_every: see `WindowFormat`.
      token_bits: default 16.
      max_nodes: prefixes whose CDFs are kept at most, about 600 bytes each. The rest are computed
        whenever they are needed; codes do not change.
    """

    kind = "lazy_windows"
    carries_m1 = True
    method = "EqualInfoAC"

    def __init__(
        self,
        model: byte_model.ByteModel,
        window_bits: int = 32,
        token_bits: int = 16,
        *,
        own_cell: str = "smallest",
        max_depth: int = 1024,
        window_end: str = "exact",
        reset_every: int = 1,
        max_nodes: int = 1 << 17,
    ) -> None:
        self.format = window_format.WindowFormat(
            model.precision,
            window_bits,
            token_bits,
            own_cell,
            max_depth,
            window_end,
            reset_every,
        )
        self.name, self.variant = self.format.name, self.format.variant
        self.vocab_size = 1 << token_bits
        self.lossless = window_end != "greedy"
        self.window_bits = window_bits
        self._run_m1(model)
        self._model = model
        config = self.format.to_config() | artefact.model_facts(model)
        self._contents = artefact.artefact_contents(self.kind, config, {})
        self._lanes = window_lanes.WindowLanes(model, self.format, max_nodes)
        # Lanes and trie are there once, and compiled code works on them without the GIL.
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    @property
    def num_nodes(self) -> int:
        """Prefixes whose CDFs are known."""
        return self._lanes.num_nodes

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        with self._lock:
            windows = window_jobs.encode(self._lanes, texts)
        return [self._to_tokens(cells) for cells, _ in windows]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        cells = [self._to_cells(text_codes) for text_codes in codes]
        with self._lock:
            return window_jobs.decode(self._lanes, cells)

    def bounds(self, text: bytes) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[int]]:
        """What windows texts can have that begin with `text`, and where the text's own begin.

        See `open_windows.bounds`, whose ranges come first.
        """
        with self._lock:
            ((limbs, starts),) = window_jobs.encode(self._lanes, [text])
        cells = [sum(int(limb) << 32 * place for place, limb in enumerate(row)) for row in limbs]
        ranges = open_windows.bounds(self._model, self.format, text, cells, starts.tolist())
        return ranges, starts.tolist()

    def count_lost(self, text: bytes) -> tuple[int, int]:
        """How many windows of `text` decode to something else, and how many there are."""
        with self._lock:
            ((cells, starts),) = window_jobs.encode(self._lanes, [text])
            if self.lossless:
                return 0, len(cells)
            found = window_jobs.decode(self._lanes, [cells[i : i + 1] for i in range(len(cells))])
        bounds = itertools.pairwise([*starts.tolist(), len(text)])
        return sum(
            text[first:end] != window for (first, end), window in zip(bounds, found, strict=True)
        ), len(cells)

    def save(self, folder: pathlib.Path, *, with_trie: bool = False) -> None:
        """See `Compressor.save`.

        Args:
          folder: to be written.
          with_trie: the CDFs known so far too, so that a new process begins with them.
        """
        with self._lock:  # others may be adding to it
            trie = self._lanes.trie_arrays() if with_trie else None
        artefact.write_artefact(folder, self._contents, self._model, trie)

    @classmethod
    def load(cls, folder: pathlib.Path, allow_mismatch: Collection[str] = ()) -> "LazyWindows":
        config = artefact.read_artefact(folder, cls.kind).config
        settings = window_format.WindowFormat.from_config(config)
        windows = cls(
            artefact.read_byte_model(folder, config, allow_mismatch),
            settings.window_bits,
            settings.token_bits,
            own_cell=settings.own_cell,
            max_depth=settings.max_depth,
            window_end=settings.window_end,
            reset_every=settings.reset_every,
        )
        trie = artefact.read_trie(folder, windows.fingerprint)
        if trie is not None:
            windows._lanes.restore_trie(trie)
        return windows

    def _to_tokens(self, cells: np.ndarray) -> np.ndarray:
        """Cells uint64[n, L] as tokens, int32[m]."""
        octets = np.ascontiguousarray(cells.astype("<u4")).view(np.uint8)
        low_first = np.unpackbits(octets, axis=1, bitorder="little")[:, : self.window_bits]
        return bits.bits_to_tokens(low_first[:, ::-1].reshape(-1), self.format.token_bits)

    def _to_cells(self, codes: np.ndarray) -> np.ndarray:
        codes = base.checked_codes(codes, self.vocab_size)
        all_bits = bits.tokens_to_bits(codes, self.format.token_bits)
        rest = len(all_bits) % self.window_bits
        if rest >= self.format.token_bits or all_bits[len(all_bits) - rest :].any():
            raise errors.InputError(
                f"{len(codes)} tokens of {self.format.token_bits} bits are no whole number of "
                f"{self.window_bits}-bit windows."
            )
        windows = all_bits[: len(all_bits) - rest].reshape(-1, self.window_bits)[:, ::-1]
        width = self._lanes.num_limbs * 32
        padded = np.pad(windows, ((0, 0), (0, width - self.window_bits)))
        octets = np.packbits(padded, axis=1, bitorder="little")
        return octets.view("<u4").astype(np.uint64)
