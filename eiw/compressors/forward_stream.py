"""Block streams whose coder writes a text from its beginning on: all but ANS, which begins at the
end. So texts that begin alike have codes that do, and codes have a text before they end."""

import dataclasses
from typing import Any

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits, byte_model
from eiw.compressors import block_stream


@dataclasses.dataclass(frozen=True)
class _Read:
    """M1 behind the beginning of a block.

    Attributes:
      text: that beginning.
      cdfs: after each number of its bytes, from none on.
      state: after all of them, of one row.
    """

    text: bytes
    cdfs: list[np.ndarray]
    state: Any


class ForwardStream(block_stream.BlockStream):
    """What AC, Huffman and Equal-Text share; see `BlockStream`.

    Attributes:
      delimiter: the code that stands between blocks; None for none.
    """

    delimiter: int | None = None
    # M1 runs for one byte after another, so what `bounds` read last need not be read again.
    _last_read: _Read | None = None

    @property
    def token_bits(self) -> int:
        """Bits of a code (of a delimiter none)."""
        return self._token_bits

    def closed(self, text: bytes) -> np.ndarray:
        """The codes of whole blocks, int32[n], up to where the codes of another one begin."""
        return self.encode(text)

    def bounds(self, block: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Between what the bits of all blocks lie that begin with `block`, of one byte or more.

        Returns:
          The least and the greatest, uint8[n] of each; the one goes on in zeros, the other in ones.
          Any bits between them are such a block's. Where the block is full, they are all its bits.

        Raises:
          ValueError: not `ends_by_eos`: a block's length stands before it, and codes of longer
            texts have nothing in common.
        """
        if not self.ends_by_eos:
            raise ValueError("blocks with their lengths before them have no bounds")
        coder = self.coders[0](1, len(block), self._model.precision)
        cursor = _Cursor(self._model, None)
        for byte in block:
            coder.encode(np.zeros(1, np.int64), cursor.cdf[None], np.array([byte]))
            cursor.advance(byte)
        self._last_read = cursor.read()
        if len(block) < self.block_bytes:
            return coder.bounds(0)
        whole = bits.bits_to_tokens(coder.finish(0), self._token_bits)
        return (bits.tokens_to_bits(whole, self._token_bits),) * 2

    def reader(self) -> "StreamReader":
        """Reads the codes of one text, one after another."""
        return StreamReader(self, self.delimiter)

    def cursor(self) -> "_Cursor":
        """M1 at the beginning of a block."""
        return _Cursor(self._model, self._last_read)

    @property
    def header_bits(self) -> int:
        """Bits before a block."""
        return 0 if self.ends_by_eos else self.block_bytes.bit_length()

    def open_decoder(self, joined: np.ndarray) -> tuple[int, Any]:
        """How many bytes a block has at most, and what decodes it, twice.

        Args:
          joined: uint8[2 n], the bits of the block, followed by anything, two times.
        """
        size = len(joined) // 2
        limits, starts = self._read_headers(joined, np.array([0, size]), self._text_ending)
        ends = np.array([size, 2 * size])
        return int(limits[0]), self.coders[1](joined, starts, ends, self._model.precision)


class StreamReader:
    """Codes of one text -> its bytes, each as soon as no code that may follow can change it.

    The bits that are not known yet are read twice, as zeros and as ones: what both agree on is
    sure. AC keeps the order of texts; and a Huffman code that is not all known is another one in
    these two.

    Args:
      stream: whose codes these are.
      delimiter: the code that stands between blocks; None for none.
    """

    def __init__(self, stream: ForwardStream, delimiter: int | None = None) -> None:
        self._stream, self._delimiter = stream, delimiter
        self._is_delimited, self._has_ended = True, False
        self._error: errors.InputError | None = None
        self._begin_block()

    def push(self, code: int) -> bytes:
        """What becomes sure by one more code; maybe nothing.

        Raises:
          InputError: the codes are none of any text.
        """
        if self._error is not None:
            raise self._error
        if not self._is_delimited:
            self._is_delimited = True
            if code == self._delimiter:
                return b""
            raise errors.InputError("Between two blocks the delimiter is missing.")
        if self._has_ended:
            raise errors.InputError("The text goes on after its last block.")
        digits = bits.tokens_to_bits(np.array([code]), self._stream.token_bits)
        place = self._num_known
        self._num_known += len(digits)
        for start in (place, self._size + place):
            self._bits[start : start + len(digits)] = digits
            if self._decoder is not None:
                self._decoder.put(start, digits)
        text = self._agreed_text()
        try:
            self._end_block()
        except errors.InputError as error:
            self._error = error  # what is sure comes first
        return text

    def _begin_block(self) -> None:
        self._size = self._stream.most_bits
        self._bits = np.repeat(np.array([0, 1], np.uint8), self._size)
        self._num_known = self._num_bytes = 0
        self._is_closed = False
        self._decoder = None
        self._cursor = self._stream.cursor()

    def _agreed_text(self) -> bytes:
        text = bytearray()
        if self._decoder is None:
            if self._num_known < self._stream.header_bits:
                return b""
            self._limit, self._decoder = self._stream.open_decoder(self._bits)
        while not self._is_closed:
            mark = self._decoder.mark()
            cdfs = np.stack([self._cursor.cdf] * 2)
            least, greatest = self._decoder.decode(np.arange(2), cdfs).tolist()
            if least != greatest:
                self._decoder.reset(mark)
                break
            self._is_closed = self._has_ended = least == vocab.EOS_SYMBOL
            if not self._is_closed:
                text.append(least)
                self._num_bytes += 1
                self._is_closed = self._num_bytes == self._limit
                if not self._is_closed:
                    self._cursor.advance(least)
        return bytes(text)

    def _end_block(self) -> None:
        """Goes on to the next block, where this one is read to its end.

        Raises:
          InputError: it ends otherwise than the encoder ends one.
        """
        if not self._is_closed or self._num_known < self._decoder.end(0, self._stream.token_bits):
            return
        if (
            self._decoder.finish(0, self._stream.token_bits) < self._num_known
            or not self._num_bytes
        ):
            raise errors.InputError("The codes are none of a text: a block ends otherwise.")
        self._has_ended |= self._num_bytes < self._stream.block_bytes
        self._is_delimited = self._delimiter is None
        self._begin_block()


class _Cursor:
    """M1 behind the beginning of a block, of one row.

    Args:
      model: M1.
      known: what need not be read again.
    """

    def __init__(self, model: byte_model.ByteModel, known: _Read | None) -> None:
        self._model, self._known = model, known
        self._text, self._state = bytearray(), None
        if known is None:
            self._state, (cdf,) = model.start(1)
        else:
            (cdf, *_) = known.cdfs
        self._cdfs = [cdf]

    @property
    def cdf(self) -> np.ndarray:
        """Of the next symbol, uint32[A + 1]."""
        return self._cdfs[-1]

    def advance(self, byte: int) -> None:
        self._text.append(byte)
        size = len(self._text)
        if self._state is None:
            if self._known.text[size - 1 : size] == self._text[-1:]:
                self._cdfs.append(self._known.cdfs[size])
                return
            self._state = self._state_before()
        self._state, (cdf,) = self._model.advance(self._state, np.array([byte]))
        self._cdfs.append(cdf)

    def read(self) -> _Read:
        """What another cursor need not read again; nothing is read by this one any more."""
        return _Read(bytes(self._text), self._cdfs, self._state)

    def _state_before(self) -> Any:
        """Of all bytes but the last, which is the first that is not known."""
        *before, _ = self._text
        if len(before) == len(self._known.text):
            return self._model.take(self._known.state, np.zeros(1, np.int64))
        state, _ = self._model.start(1)
        for byte in before:
            state, _ = self._model.advance(state, np.array([byte]))
        return state
