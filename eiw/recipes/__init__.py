"""Recipes: how each method of the paper is made from a corpus and an M1. Bound in gin."""

from eiw.recipes.base import Recipe
from eiw.recipes.baselines import Bytes, ForeignSentencePiece, GZip, SentencePiece
from eiw.recipes.neural_coders import AC, ANS, Huffman
from eiw.recipes.static_coders import StaticAC, StaticANS, StaticHuffman
from eiw.recipes.windows import EqualInfoAC, EqualText, Tunstall

__all__ = [
    "AC",
    "ANS",
    "Bytes",
    "EqualInfoAC",
    "EqualText",
    "ForeignSentencePiece",
    "GZip",
    "Huffman",
    "Recipe",
    "SentencePiece",
    "StaticAC",
    "StaticANS",
    "StaticHuffman",
    "Tunstall",
]
