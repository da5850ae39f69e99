"""AC: arithmetic coding of whole texts under M1 (Lester et al. 2024, 3.3)."""

import numpy as np

from eiw import errors, vocab
from eiw.coding import arithmetic_coder, bits
from eiw.compressors import base, block_stream

# Bits behind a code that is cut short: more than a decoder looks ahead.
_PAD = 64


class NeuralAC(block_stream.BlockStream):
    """The paper's AC; with a `StaticByteModel` its StaticAC; with token_bits=1 its control of 5.1.

    The code of a block is as short as the information in it: two bits more at most.
    """

    kind = "neural_ac"
    method = "AC"
    short_name = "ac"
    coders = (arithmetic_coder.ArithmeticEncoder, arithmetic_coder.ArithmeticDecoder)

    def decode_beginning(self, codes: np.ndarray) -> bytes:
        """The bytes that every text begins with whose codes begin with int[n] codes.

        The coder keeps the order of texts, so these are what the least and the greatest of such
        codes agree on.

        Raises:
          InputError: a code is out of range.
        """
        codes = base.checked_codes(codes, self.vocab_size)
        stream = bits.tokens_to_bits(codes, self._token_bits)
        text, place = bytearray(), 0
        while place < len(stream):
            known = stream[place:]
            least, greatest = (np.append(known, np.full(_PAD, bit, known.dtype)) for bit in (0, 1))
            joined, size = np.append(least, greatest), len(least)
            try:
                limits, starts = self._read_headers(joined, np.array([0, size]), self._text_ending)
                if limits[0] != limits[1]:
                    break
                ends = np.array([size, 2 * size])
                decoder = self.coders[1](joined, starts, ends, self._model.precision)
                block = self._agreed_symbols(decoder, limits[0])
                text += block
                if len(block) < limits[0]:
                    break
                place += decoder.finish(0, self._token_bits)
            except errors.InputError:
                break
        return bytes(text)

    def _agreed_symbols(self, decoder: arithmetic_coder.ArithmeticDecoder, limit: int) -> bytes:
        """What the two rows of a decoder agree on, up to EOS or a limit."""
        prefixes, block = block_stream.Prefixes(self._model, 2), bytearray()
        both = np.ones(2, bool)
        while len(block) < limit:
            least, greatest = symbols = decoder.decode(prefixes.rows, prefixes.cdfs)
            if least != greatest or least == vocab.EOS_SYMBOL:
                break
            block.append(least)
            prefixes.advance(symbols, both)
        return bytes(block)
