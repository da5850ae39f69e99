"""Recipes: how each method of the paper is made from a corpus and an M1. Bound in gin."""

import abc
import dataclasses
import pathlib
from typing import ClassVar

from eiw import byte_lm
from eiw.compressors import base, neural_ac, raw_bytes, sentence_piece, window_dictionary
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
    """Exact Equal-Info Windows, compiled: M1 runs here and never again (paper, 3.3)."""

    window_bits: int = 16
    dense: bool = True
    """Number the codes that exist; else leave all 2^window_bits, as the paper does."""
    own_cell: str = "smallest"
    """Which of a text's cells names it: `smallest`, or `roundest` (most trailing zeros)."""

    reads_m1 = True

    @property
    def name(self) -> str:
        return f"equal_info_b{self.window_bits}_v{_thousands(2**self.window_bits)}"

    @property
    def label(self) -> str:
        return f"EqualInfoAC[b={self.window_bits}, v={_thousands(2**self.window_bits)}]"

    def build(self, text: corpus.Split, m1_folder: pathlib.Path) -> base.Compressor:
        del text
        return window_dictionary.compile_windows(
            byte_lm.ByteLM.load(m1_folder),
            window_bits=self.window_bits,
            dense=self.dense,
            own_cell=self.own_cell,
        )


def _thousands(size: int) -> str:
    """Vocabulary sizes as the paper writes them: 256, 8k, 65k."""
    return str(size) if size < 1000 else f"{size // 1000}k"
