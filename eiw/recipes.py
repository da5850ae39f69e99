"""Recipes: how each method of the paper is made from a corpus and an M1. Bound in gin."""

import abc
import dataclasses
import pathlib
from typing import ClassVar

from eiw import byte_lm
from eiw.compressors import (
    base,
    lazy_windows,
    neural_ac,
    parse,
    raw_bytes,
    sentence_piece,
    tunstall_fit,
    window_dictionary,
)
from eiw.data import corpus


@dataclasses.dataclass(frozen=True)
class Recipe(abc.ABC):
    """Makes one compressor, and says how much text it is worth compressing with it."""

    # M1 runs on every byte, or the output has to wait for it: tokens are dear.
    max_train_tokens: int | None = None
    """Training tokens to write; None for the whole corpus."""

    reads_m1: ClassVar[bool] = False
    """Whether `build` needs a trained M1."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """A folder and task name: `equal_info_b16_v65k`."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """What reports print: `EqualInfoAC[b=16, v=65k]`."""

    @abc.abstractmethod
    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        """Makes the compressor from training documents and, where it `reads_m1`, an exported M1."""


@dataclasses.dataclass(frozen=True)
class Bytes(Recipe):
    """One token a byte (paper, 3.6)."""

    name = "bytes"
    label = "Bytes"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        del text, m1_folder
        return raw_bytes.RawBytes()


@dataclasses.dataclass(frozen=True)
class SentencePiece(Recipe):
    """A Unigram vocabulary trained on the spot, exact for any bytes (paper, 3.6, has T5's)."""

    vocab_size: int = 8192
    sample_bytes: int = 4_000_000
    """Text to fit the vocabulary on: the fit's time grows with it."""

    name = "sentencepiece"

    @property
    def label(self) -> str:
        return f"SentencePiece[{_thousands(self.vocab_size)}]"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        del m1_folder
        return sentence_piece.SentencePiece.train(
            text.sample(self.sample_bytes), self.vocab_size, self.sample_bytes
        )


@dataclasses.dataclass(frozen=True)
class AC(Recipe):
    """M1 drives arithmetic coding over whole blocks, its context kept (paper, 3.3)."""

    token_bits: int = 8
    context: int = 1024
    """Symbols that M1 sees: the length of its cache."""
    block_bytes: int = 10_240
    """Text that is coded as one; all blocks of a batch take as long as the longest."""

    reads_m1 = True

    @property
    def name(self) -> str:
        return f"ac_v{_thousands(2**self.token_bits)}"

    @property
    def label(self) -> str:
        return f"AC[v={_thousands(2**self.token_bits)}]"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        del text
        m1 = byte_lm.ByteLM.load(m1_folder, context=self.context)
        return neural_ac.NeuralAC(m1, self.token_bits, self.block_bytes)


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
        size = f"v{_thousands(2**self.token_bits)}"
        return "_".join([f"equal_info_b{self.window_bits}_{size}", *self._differences])

    @property
    def label(self) -> str:
        size = f"v={_thousands(2**self.token_bits)}"
        return f"EqualInfoAC[{', '.join([f'b={self.window_bits}', size, *self._differences])}]"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        del text
        m1 = byte_lm.ByteLM.load(m1_folder, context=self.context)
        settings = {"own_cell": self.own_cell, "window_end": self.window_end}
        if self._is_compiled:
            return window_dictionary.compile_windows(
                m1, self.window_bits, self.token_bits, dense=self._is_dense, **settings
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
    def _is_dense(self) -> bool:
        return self.dense and self.token_bits == self.window_bits

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from the plain one of its sizes."""
        return list(
            filter(
                None,
                [
                    "" if self.own_cell == "smallest" else self.own_cell,
                    "" if self.reset_every == 1 else f"reset{self.reset_every}",
                    "" if self.window_end == "exact" else self.window_end,
                ],
            )
        )


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
    def name(self) -> str:
        return "_".join([f"tunstall_v{_thousands(self.vocab_size)}", *self._differences])

    @property
    def label(self) -> str:
        return f"Tunstall[{', '.join([f'v={_thousands(self.vocab_size)}', *self._differences])}]"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        return tunstall_fit.fit_tunstall(
            byte_lm.ByteLM.load(m1_folder),
            self.vocab_size,
            how=self.how,
            fit=self.fit,
            documents=text,
        )

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from the plain one of its size."""
        return list(filter(None, [self.fit.variant, self.how.variant]))


def _thousands(size: int) -> str:
    """Vocabulary sizes as the paper writes them: 256, 8k, 65k."""
    return str(size) if size < 1000 else f"{size // 1000}k"
