"""Coders that take a byte's probability from M1, or from a table of frequencies."""

import dataclasses
import pathlib
from typing import ClassVar

from eiw import byte_lm
from eiw.coding import byte_model
from eiw.compressors import ans, base, block_stream, equal_text, huffman, neural_ac
from eiw.data import corpus
from eiw.recipes.base import Recipe, joined_label, joined_name, size_in_label


@dataclasses.dataclass(frozen=True)
class _BlockCoder(Recipe):
    """Texts in blocks, each coded as one stream (paper, 3.3)."""

    token_bits: int = 8
    """Bits of a token: 8 or 16; or 1, the paper's raw bits (5.1)."""
    block_bytes: int = 10_240
    """Text that is coded as one; all blocks of a batch take as long as the longest."""

    _coder: ClassVar[type[block_stream.BlockStream]]
    _short_name: ClassVar[str]
    _method: ClassVar[str]

    @property
    def name(self) -> str:
        return joined_name(self._short_name, base.size_label(2**self.token_bits))

    @property
    def label(self) -> str:
        return joined_label(self._method, size_in_label(2**self.token_bits))

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        model = self._byte_model(text, m1_folder)
        return self._coder(model, self.token_bits, self.block_bytes)

    def _byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_model.ByteModel:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class _UnderM1(_BlockCoder):
    """M1's context is kept over the whole block."""

    context: int = 1024
    """Symbols that M1 sees: the length of its cache."""

    reads_m1 = True

    def _byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_model.ByteModel:
        del text
        return byte_lm.ByteLM.load(m1_folder, context=self.context)


@dataclasses.dataclass(frozen=True)
class _Static(_BlockCoder):
    """One distribution for every byte: that of the training text."""

    reads_text = True

    def _byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_model.ByteModel:
        del m1_folder
        return byte_model.StaticByteModel.fit(text)


class AC(_UnderM1):
    """Arithmetic coding under M1 (paper, 3.3)."""

    _coder, _short_name, _method = neural_ac.NeuralAC, "ac", "AC"


class StaticAC(_Static):
    """Arithmetic coding under the frequencies of bytes (paper, 3.3)."""

    _coder, _short_name, _method = neural_ac.NeuralAC, "static_ac", "StaticAC"


class Huffman(_UnderM1):
    """A Huffman code made anew for every byte (paper, B)."""

    _coder, _short_name, _method = huffman.Huffman, "huffman", "Huffman"


class StaticHuffman(_Static):
    """One Huffman code for all bytes (paper, B)."""

    _coder, _short_name, _method = huffman.Huffman, "static_huffman", "StaticHuffman"


class ANS(_UnderM1):
    """Asymmetric numeral systems under M1 (paper, B)."""

    _coder, _short_name, _method = ans.ANS, "ans", "ANS"


class StaticANS(_Static):
    """Asymmetric numeral systems under the frequencies of bytes (paper, B)."""

    _coder, _short_name, _method = ans.ANS, "static_ans", "StaticANS"


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
