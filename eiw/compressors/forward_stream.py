"""Block streams whose coder writes a text from its beginning on: all but ANS, which begins at the
end. So texts that begin alike have codes that do, and codes that break off have a text."""

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits
from eiw.compressors import base, block_stream

# Bits behind a code that is cut short: more than a decoder looks ahead.
_PAD = 64


class ForwardStream(block_stream.BlockStream):
    """What AC, Huffman and Equal-Text share; see `BlockStream`."""

    @property
    def token_bits(self) -> int:
        """Bits of a code (of a delimiter none)."""
        return self._token_bits

    @property
    def block_bytes(self) -> int:
        """Bytes of a block; each begins on a code of its own."""
        return self._block_bytes

    def bounds(self, text: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Between what the codes of all texts lie that begin with `text`.

        Returns:
          The codes that all of them begin with, int32[n]: those of full blocks. Of the bits of the
          block that is left open, the least and the greatest that can follow, uint8[m] of each; the
          one goes on in zeros, the other in ones. Any bits between them are a text's.

        Raises:
          InputError: the model knows no EOS, so that a block's length stands before it, and codes
            of longer texts have nothing in common.
        """
        if not self._ends_by_eos:
            raise errors.InputError(
                f"{self.name} writes the length of a block before it, as its byte model knows no "
                "EOS: codes do not go on from those of a beginning."
            )
        num_full = len(text) // self._block_bytes * self._block_bytes
        codes = self.encode(text[:num_full])
        rest = np.frombuffer(text[num_full:], np.uint8)
        if not len(rest):
            return codes, np.zeros(0, np.uint8), np.zeros(0, np.uint8)
        coder = self._run_coder([rest], np.array([len(rest)]))
        return codes, *coder.bounds(0)

    def decode_beginning(self, codes: np.ndarray) -> bytes:
        """The bytes that every text begins with whose codes begin with int[n] codes.

        They are what the least and the greatest of such codes agree on. AC keeps the order of
        texts; and a Huffman code whose bits are not all known is another one in these two.

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

    def _agreed_symbols(self, decoder, limit: int) -> bytes:
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
