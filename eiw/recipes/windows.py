"""Windows: Equal-Info and Tunstall's, compiled to a dictionary, and Equal-Text, which are not."""

import dataclasses
import pathlib

from eiw import byte_lm
from eiw.compressors import base, equal_text, parse, tunstall_fit, window_dictionary
from eiw.data import corpus
from eiw.recipes.base import Recipe, joined_label, joined_name, size_in_label


@dataclasses.dataclass(frozen=True)
class EqualInfoAC(Recipe):
    """Exact Equal-Info Windows, compiled: M1 runs here and never again (paper, 3.3)."""

    window_bits: int = 16
    token_bits: int = 16
    dense: bool = True
    """Where a token is a whole window, number the codes that exist; else leave all 2^window_bits,
    as the paper does."""
    own_cell: str = "smallest"
    """Which of a text's cells names it: `smallest`, or `roundest` (most trailing zeros)."""
    window_end: str = "exact"
    """`exact`; or the paper's own, which lose text (`greedy`) or compress less (`delay`)."""

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
        return window_dictionary.compile_windows(
            byte_lm.ByteLM.load(m1_folder),
            window_bits=self.window_bits,
            token_bits=self.token_bits,
            dense=self.dense and self._whole_windows,
            own_cell=self.own_cell,
            window_end=self.window_end,
        )

    @property
    def _whole_windows(self) -> bool:
        return self.token_bits == self.window_bits

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from exact windows of its sizes."""
        return [
            "sparse" if self._whole_windows and not self.dense else "",
            "" if self.own_cell == "smallest" else self.own_cell,
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
