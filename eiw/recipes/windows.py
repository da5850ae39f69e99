"""Windows: Equal-Info ones, compiled where they can be, Tunstall's, and Equal-Text."""

import dataclasses
import pathlib

from eiw import byte_lm
from eiw.compressors import (
    base,
    equal_text,
    lazy_windows,
    parse,
    tunstall_fit,
    window_dictionary,
)
from eiw.data import corpus
from eiw.recipes.base import Recipe, joined_label, joined_name, size_in_label


@dataclasses.dataclass(frozen=True)
class EqualInfoAC(Recipe):
    """Equal-Info Windows (paper, 3.3).

    Those of up to 16 bits are compiled: M1 runs here and never again. For wider ones, and where M1
    keeps its context over windows, it runs whenever they are made.
    """

    window_bits: int = 16
    token_bits: int = 16
    dense: bool = True
    """Where a token is a whole compiled window, number the codes that exist; else leave all
    2^window_bits, as the paper does."""
    own_cell: str = "smallest"
    """Which of a text's cells names it: `smallest`, or `roundest` (most trailing zeros)."""
    window_end: str = "exact"
    """`exact`; or the paper's own, which lose text (`greedy`) or compress less (`delay`)."""
    reset_every: int = 1
    """M1 begins afresh with every n-th window; 0: with each text alone (paper, A.2)."""
    context: int = 64
    """Symbols that M1 sees; more than a window of 128 bits has, few are longer."""

    reads_m1 = True

    @property
    def name(self) -> str:
        size = base.size_label(2**self.token_bits)
        return joined_name(f"equal_info_b{self.window_bits}", size, *self._differences)

    @property
    def label(self) -> str:
        size = size_in_label(2**self.token_bits)
        return joined_label("EqualInfoAC", f"b={self.window_bits}", size, *self._differences)

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del text
        m1 = byte_lm.ByteLM.load(m1_folder, context=self.context)
        settings = {"own_cell": self.own_cell, "window_end": self.window_end}
        if self._is_compiled:
            dense = self.dense and self._is_whole
            return window_dictionary.compile_windows(
                m1, self.window_bits, self.token_bits, dense=dense, **settings
            )
        return lazy_windows.LazyWindows(
            m1, self.window_bits, self.token_bits, reset_every=self.reset_every, **settings
        )

    @property
    def _is_compiled(self) -> bool:
        """Dictionaries grow with 2^window_bits, and know of no window but their own."""
        whole_tokens = self.window_bits % self.token_bits == 0
        return self.window_bits <= 16 and whole_tokens and self.reset_every == 1

    @property
    def _is_whole(self) -> bool:
        """Whether a token is a window."""
        return self.token_bits == self.window_bits

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from the plain one of its sizes."""
        return [
            "sparse" if self._is_compiled and self._is_whole and not self.dense else "",
            "" if self.own_cell == "smallest" else self.own_cell,
            "" if self.reset_every == 1 else f"reset{self.reset_every}",
            "" if self.window_end == "exact" else self.window_end,
        ]


@dataclasses.dataclass(frozen=True)
class Tunstall(Recipe):
    """Windows whose codes are the most probable texts under M1, and ways to cut text into them."""

    vocab_size: int = 1 << 16
    how: parse.Parse = dataclasses.field(default_factory=parse.Parse)
    """The parse; the dictionary is fitted for it."""
    fit: tunstall_fit.Fit = dataclasses.field(default_factory=tunstall_fit.Fit)
    """What training text decides about the dictionary: nothing, as long as M1 does."""

    reads_m1 = True

    @property
    def reads_text(self) -> bool:
        return self.fit.reads_text

    @property
    def name(self) -> str:
        return joined_name("tunstall", base.size_label(self.vocab_size), *self._differences)

    @property
    def label(self) -> str:
        return joined_label("Tunstall", size_in_label(self.vocab_size), *self._differences)

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        return tunstall_fit.fit_tunstall(
            byte_lm.ByteLM.load(m1_folder),
            self.vocab_size,
            how=self.how,
            fit=self.fit,
            documents=text if self.reads_text else (),
        )

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from the plain one of its size."""
        return [self.fit.variant, self.how.variant]


@dataclasses.dataclass(frozen=True)
class EqualText(Recipe):
    """Windows of equally many bytes, each coded on its own (paper, B)."""

    token_bits: int = 8
    window_bytes: int = 8
    delimiters: bool = False
    """Whether one more code stands between windows."""

    reads_m1 = True

    @property
    def name(self) -> str:
        size = base.size_label(2**self.token_bits)
        return joined_name(f"equal_text_n{self.window_bytes}", size, self._difference)

    @property
    def label(self) -> str:
        size = size_in_label(2**self.token_bits)
        return joined_label("EqualText", f"n={self.window_bytes}", size, self._difference)

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del text
        return equal_text.EqualText(
            byte_lm.ByteLM.load(m1_folder),
            self.token_bits,
            self.window_bytes,
            delimiters=self.delimiters,
        )

    @property
    def _difference(self) -> str:
        return "delimited" if self.delimiters else ""
