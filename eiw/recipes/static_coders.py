"""Coders that know how frequent each byte is in the training text, and nothing else."""

import dataclasses
import pathlib

from eiw.coding import byte_model
from eiw.compressors import ans, huffman, neural_ac
from eiw.data import corpus
from eiw.recipes.block_coder import BlockCoder


@dataclasses.dataclass(frozen=True)
class _Static(BlockCoder):
    reads_text = True
    is_static = True

    def byte_model(
        self, text: corpus.Split | None, m1_folder: pathlib.Path | None
    ) -> byte_model.StaticByteModel:
        del m1_folder
        return byte_model.StaticByteModel.fit(text)


class StaticAC(_Static):
    """Arithmetic coding (paper, 3.3)."""

    coder = neural_ac.NeuralAC


class StaticHuffman(_Static):
    """One Huffman code for all bytes (paper, B)."""

    coder = huffman.Huffman


class StaticANS(_Static):
    """Asymmetric numeral systems (paper, B)."""

    coder = ans.ANS
