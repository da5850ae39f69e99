"""Asymmetric numeral systems; the paper considers and builds none (Lester et al. 2024, B)."""

from eiw.coding import ans_coder
from eiw.compressors import block_stream


class ANS(block_stream.BlockStream):
    """As short as AC but for some 30 bits a block of prose, and faster.

    M1 may have a precision of 16 at most.

    A block is coded backwards, after M1 has run over all of it, and decoded forwards.
    """

    kind = "ans"
    method = "ANS"
    short_name = "ans"
    coders = (ans_coder.AnsEncoder, ans_coder.AnsDecoder)
