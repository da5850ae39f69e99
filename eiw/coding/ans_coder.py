"""Asymmetric numeral systems, the range variant, many independent rows at a time (Duda 2013).

A row's text is one number, kept between 2^16 and 2^32. A symbol x with w of the 2^P counts, from
c on, takes the number apart by w where the decoder takes it apart by 2^P:

    encode   n  ->  (n div w) 2^P + c + n mod w        first, if n >= w 2^(32 - P), n's low 16 bits
                                                       are written, which keeps the result in range
    decode   n  ->  w (n div 2^P) + n mod 2^P - c      where c <= n mod 2^P < c + w tells x; then,
                                                       if n < 2^16, 16 bits are read

Each step undoes the other, so what was written last is read first: a row is coded from its last
symbol to its first, and its words are turned around. It begins with the 32 bits of the number. The
encoder starts from 2^16, so that the decoder must end there: 16 bits of the 32 are lost to that,
and nearly every altered code is found out by it.
"""

import numpy as np

from eiw import errors
from eiw.coding import jit

_WORD_BITS = 16
_SMALLEST = np.uint64(1 << _WORD_BITS)
_TRUNCATED = "The code is truncated: its last symbols need more bits."


class AnsEncoder:
    """Codes symbols of `rows` texts, each of at most `max_symbols` symbols, at precision P <= 16.

    Raises:
      InputError: P is above 16.
    """

    def __init__(self, rows: int, max_symbols: int, precision: int) -> None:
        self._precision = _checked_precision(precision)
        # Of each symbol its first count and how many it has: all that coding in reverse needs.
        self._counts = np.empty((rows, max_symbols, 2), np.uint32)
        self._lengths = np.zeros(rows, np.int64)

    def encode(self, rows: np.ndarray, cdfs: np.ndarray, symbols: np.ndarray) -> None:
        """Notes one symbol in each of the given rows: int64[n], uint32[n, A + 1], int64[n]."""
        _note(self._counts, self._lengths, rows, cdfs, symbols)

    def encode_run(self, row: int, cdf: np.ndarray, symbols: np.ndarray) -> None:
        """Notes symbols int64[n] one after another, all with the same CDF, uint32[A + 1]."""
        first = self._lengths[row]
        _note_run(self._counts[row, first : first + len(symbols)], cdf, symbols)
        self._lengths[row] += len(symbols)

    def finish(self, row: int) -> np.ndarray:
        """Codes a row: all its bits, uint8[n] of 0 and 1, n a multiple of 16."""
        length = self._lengths[row]
        words = np.empty(length * self._precision // _WORD_BITS + 3, np.uint16)
        num_words = _encode(self._counts[row, :length], self._precision, words)
        return np.unpackbits(words[:num_words][::-1].astype(">u2").view(np.uint8))


class AnsDecoder:
    """Decodes rows of symbols from one array of bits, each row from a start of its own.

    Args:
      bits: uint8[n] of 0 and 1; zeros are read past the end.
      starts: int[rows], where in `bits` each row's code begins.
      ends: int[rows], where it has ended at the latest. What stands there does not matter.

    Raises:
      InputError: P is above 16.
    """

    def __init__(
        self, bits: np.ndarray, starts: np.ndarray, ends: np.ndarray, precision: int
    ) -> None:
        self._precision = _checked_precision(precision)
        self._bits = bits
        self._ends = np.asarray(ends, np.int64)
        # Per row: the number, and where its next word stands.
        self._registers = np.zeros((len(starts), 2), np.uint64)
        self._registers[:, 1] = np.asarray(starts, np.int64)
        _read_numbers(self._registers, bits)

    def decode(self, rows: np.ndarray, cdfs: np.ndarray) -> np.ndarray:
        """The next symbol of each of the given rows, int64[n]; `cdfs` is uint32[n, A + 1].

        Raises:
          InputError: a row's code had to be longer; M1 need not run to the end of such a block.
        """
        symbols = np.empty(len(rows), np.int64)
        _decode(self._registers, self._bits, rows, cdfs, self._precision, symbols)
        if (self._registers[rows, 1].astype(np.int64) > self._ends[rows]).any():
            raise errors.InputError(_TRUNCATED)
        return symbols

    def decode_run(self, row: int, cdf: np.ndarray, limit: int, stop: int) -> np.ndarray:
        """Symbols int64[n] with the same CDF: at most `limit`, the last of them `stop` if met."""
        symbols = np.empty(limit, np.int64)
        symbol_of_count = np.repeat(np.arange(len(cdf) - 1), np.diff(cdf)).astype(np.uint16)
        count = _decode_run(
            self._registers[row], self._bits, cdf, symbol_of_count, self._precision, stop, symbols
        )
        return symbols[:count]

    def finish(self, row: int, alignment: int) -> int:
        """Ends a row: the place in `bits` where the next one can begin, a multiple of `alignment`.

        Raises:
          InputError: what stands there is not what the encoder writes for these symbols.
        """
        number, place = (int(value) for value in self._registers[row])
        end = -(-place // alignment) * alignment
        if end > self._ends[row]:
            raise errors.InputError(_TRUNCATED)
        if number != _SMALLEST or self._bits[place:end].any():
            raise errors.InputError("The code does not end as an encoder's does.")
        return end


def _checked_precision(precision: int) -> int:
    if precision > _WORD_BITS:
        raise errors.InputError(
            f"A byte model of precision {precision} is too fine for ANS: {_WORD_BITS} at most."
        )
    return precision


@jit.jit
def _note(counts, lengths, rows, cdfs, symbols):
    for index in range(len(rows)):
        row, symbol = rows[index], symbols[index]
        low = cdfs[index, symbol]
        counts[row, lengths[row], 0] = low
        counts[row, lengths[row], 1] = cdfs[index, symbol + 1] - low
        lengths[row] += 1


@jit.jit
def _note_run(counts, cdf, symbols):
    for place in range(len(symbols)):
        low = cdf[np.uint64(symbols[place])]
        counts[place, 0] = low
        counts[place, 1] = cdf[np.uint64(symbols[place]) + np.uint64(1)] - low


@jit.jit
def _encode(counts, precision, words):
    """Fills `words` in the order of writing, the number's halves last; returns how many."""
    number, num_words = _SMALLEST, 0
    for place in range(len(counts) - 1, -1, -1):
        low, width = np.uint64(counts[place, 0]), np.uint64(counts[place, 1])
        # Written in any case, and counted if it has to be: a branch would be hard to foresee.
        words[num_words] = number & np.uint64(0xFFFF)
        is_full = np.uint64(number >= width << np.uint64(32 - precision))
        num_words += np.int64(is_full)
        number >>= is_full << np.uint64(4)
        quotient = np.uint64(np.uint32(number) // np.uint32(width))
        number = (quotient << np.uint64(precision)) + low + number - quotient * width
    words[num_words] = number & np.uint64(0xFFFF)
    words[num_words + 1] = number >> np.uint64(_WORD_BITS)
    return num_words + 2


@jit.jit
def _read_word(registers, bits):
    first = np.int64(registers[1])
    word = np.uint64(0)
    for place in range(first, min(first + _WORD_BITS, len(bits))):
        word = word << np.uint64(1) | np.uint64(bits[place])
    word <<= np.uint64(max(0, min(_WORD_BITS, first + _WORD_BITS - len(bits))))
    registers[0] = registers[0] << np.uint64(_WORD_BITS) | word
    registers[1] += np.uint64(_WORD_BITS)


@jit.jit
def _read_numbers(all_registers, bits):
    for row in range(len(all_registers)):
        _read_word(all_registers[row], bits)
        _read_word(all_registers[row], bits)


@jit.jit
def _remove(registers, bits, low, width, count, precision):
    """Takes off a symbol of `width` counts from `low` on, which holds `count`."""
    quotient = registers[0] >> np.uint64(precision)
    registers[0] = np.uint64(width) * quotient + np.uint64(count) - np.uint64(low)
    if registers[0] < _SMALLEST:
        _read_word(registers, bits)


@jit.jit
def _decode(all_registers, bits, rows, cdfs, precision, symbols):
    mask = np.uint64((1 << precision) - 1)
    for index in range(len(rows)):
        registers, cdf = all_registers[rows[index]], cdfs[index]
        count = np.uint32(registers[0] & mask)
        symbol = np.searchsorted(cdf, count, side="right") - 1
        _remove(registers, bits, cdf[symbol], cdf[symbol + 1] - cdf[symbol], count, precision)
        symbols[index] = symbol


@jit.jit
def _decode_run(registers, bits, cdf, symbol_of_count, precision, stop, symbols):
    mask = np.uint64((1 << precision) - 1)
    for index in range(len(symbols)):
        count = np.int64(registers[0] & mask)
        symbol = np.int64(symbol_of_count[count])
        _remove(registers, bits, cdf[symbol], cdf[symbol + 1] - cdf[symbol], count, precision)
        symbols[index] = symbol
        if symbol == stop:
            return index + 1
    return len(symbols)
