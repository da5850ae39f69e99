"""Coders that ask M1 for every byte, its context kept over a whole block."""

import dataclasses
import pathlib

from eiw import byte_lm
from eiw.compressors import ans, huffman, neural_ac
from eiw.data import corpus
from eiw.recipes.block_coder import BlockCoder


@dataclasses.dataclass(frozen=True)
class _UnderM1(BlockCoder):
    context: int = 1024
    """Symbols that M1 sees: the length of its cache."""
    rows: int = byte_lm.ROWS
    """Texts that M1 reads side by side. Many code a corpus fastest, one is fastest where one text
    is generated. Integers depend on it, and so codes do."""

    reads_m1 = True
    is_static = False

    def byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_lm.ByteLM:
        del text
        return byte_lm.ByteLM.load(m1_folder, rows=self.rows, context=self.context)


class AC(_UnderM1):
    """Arithmetic coding (paper, 3.3)."""

    coder = neural_ac.NeuralAC


class Huffman(_UnderM1):
    """A Huffman code made anew for every byte (paper, B)."""

    coder = huffman.Huffman


class ANS(_UnderM1):
    """Asymmetric numeral systems (paper, B)."""

    coder = ans.ANS
