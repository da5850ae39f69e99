"""Huffman: a code for each byte; the paper considers it and builds none (Lester et al. 2024, B)."""

from eiw.coding import huffman_coder
from eiw.compressors import forward_stream


class Huffman(forward_stream.ForwardStream):
    """With a `StaticByteModel` one code for all bytes; with M1 another at every byte.

    No byte takes less than one bit, however certain M1 is of it: that is what arithmetic coding
    gains over it. Building a code anew takes some 10 microseconds a byte.
    """

    kind = "huffman"
    method = "Huffman"
    short_name = "huffman"
    coders = (huffman_coder.HuffmanEncoder, huffman_coder.HuffmanDecoder)
