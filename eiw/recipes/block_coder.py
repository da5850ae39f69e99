"""What coders of whole blocks share: AC, Huffman and ANS, under M1 or a table of frequencies."""

import abc
import dataclasses
import pathlib
from typing import ClassVar

from eiw.coding import byte_model
from eiw.compressors import base, block_stream
from eiw.data import corpus
from eiw.recipes.base import Recipe, joined_label, joined_name, size_in_label


@dataclasses.dataclass(frozen=True)
class BlockCoder(Recipe):
    """Texts in blocks, each coded as one stream (paper, 3.3)."""

    token_bits: int = 8
    """Bits of a token: 8 or 16; or 1, the paper's raw bits (5.1)."""
    block_bytes: int = 10_240
    """Text that is coded as one; all blocks of a batch take as long as the longest."""

    coder: ClassVar[type[block_stream.BlockStream]]
    is_static: ClassVar[bool]

    @property
    def name(self) -> str:
        static = "static" if self.is_static else ""
        return joined_name(static, self.coder.short_name, base.size_label(2**self.token_bits))

    @property
    def label(self) -> str:
        static = "Static" if self.is_static else ""
        return joined_label(f"{static}{self.coder.method}", size_in_label(2**self.token_bits))

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        return self.coder(self.byte_model(text, m1_folder), self.token_bits, self.block_bytes)

    @abc.abstractmethod
    def byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_model.ByteModel:
        """What gives each byte its probability; arguments are those of `build`."""
