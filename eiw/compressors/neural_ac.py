"""AC: arithmetic coding of whole texts under M1 (Lester et al. 2024, 3.3)."""

from eiw.coding import arithmetic_coder
from eiw.compressors import forward_stream


class NeuralAC(forward_stream.ForwardStream):
    """The paper's AC; with a `StaticByteModel` its StaticAC; with token_bits=1 its control of 5.1.

    The code of a block is as short as the information in it: two bits more at most.
    """

    kind = "neural_ac"
    method = "AC"
    short_name = "ac"
    coders = (arithmetic_coder.ArithmeticEncoder, arithmetic_coder.ArithmeticDecoder)
