"""Arithmetic coding to the bit, many independent rows at a time (Witten, Neal and Cleary 1987).

A row's text so far is an interval of the unit interval. Its ends are kept as the 32 binary digits
that are still undecided, both ends included:

    low   =  0. b b b b | 0 0 1 0 1 ...  32 digits, then 0 0 0 ... for ever
    high  =  0. b b b b | 1 1 0 1 0 ...  32 digits, then 1 1 1 ... for ever
                written     undecided

    a symbol x       with n = high - low + 1, keeps [low + n cdf[x] / 2^P, low + n cdf[x+1] / 2^P)
    both below 1/2   writes 0, and both ends move one digit to the left
    both above       writes 1, likewise
    both in the      the next two digits are 01 or 10, not known which: the second is taken out,
    middle half      counted as pending, and written (the other way round) after the first

So n > 2^30 before each symbol, every symbol keeps at least one point as P <= 30, and the
products stay below 2^(32+P). The end writes the fewest digits that name a part of the interval:
at most two, and whatever follows them, the text decodes the same.
"""

import numpy as np

from eiw import errors
from eiw.coding import jit

_TOP = np.uint64((1 << 32) - 1)
_HALF = np.uint64(1 << 31)
_QUARTER = np.uint64(1 << 30)
_ONE = np.uint64(1)

# Where a row's numbers stand in uint64[rows, 5]. `shifts` counts the digits moved out, pending ones
# included; with the tail that is the exact length of the code, for encoder and decoder alike.
_LOW, _HIGH, _PENDING, _SHIFTS, _VALUE = range(5)


class ArithmeticEncoder:
    """Codes symbols of `rows` texts, each of at most `max_symbols` symbols, at precision P."""

    def __init__(self, rows: int, max_symbols: int, precision: int) -> None:
        self._precision = precision
        self._registers = _new_registers(rows)
        # A symbol costs at most P bits, and by the rounding of the products a little more.
        self._bits = np.zeros((rows, max_symbols * (precision + 1) + 64), np.uint8)

    def encode(self, rows: np.ndarray, cdfs: np.ndarray, symbols: np.ndarray) -> None:
        """Codes one symbol in each of the given rows.

        Args:
          rows: int64[n], which texts these are, each once.
          cdfs: uint32[n, A + 1].
          symbols: int64[n].
        """
        _encode(self._registers, self._bits, rows, cdfs, symbols, self._precision)

    def encode_run(self, row: int, cdf: np.ndarray, symbols: np.ndarray) -> None:
        """Codes symbols int64[n] one after another, all with the same CDF, uint32[A + 1]."""
        _encode_run(self._registers[row], self._bits[row], cdf, symbols, self._precision)

    def finish(self, row: int) -> np.ndarray:
        """Ends a row: all its bits, uint8[n] of 0 and 1."""
        length = _write_tail(self._registers[row], self._bits[row])
        return self._bits[row, :length]


class ArithmeticDecoder:
    """Decodes rows of symbols from one array of bits, each row from a start of its own.

    Args:
      bits: uint8[n] of 0 and 1; zeros are read past the end.
      starts: int[rows], where in `bits` each row's code begins.
      ends: int[rows], where it has ended at the latest. What stands there does not matter.
    """

    def __init__(
        self, bits: np.ndarray, starts: np.ndarray, ends: np.ndarray, precision: int
    ) -> None:
        self._bits = bits
        self._starts = np.asarray(starts, np.int64)
        self._ends = ends
        self._precision = precision
        self._registers = _new_registers(len(self._starts))
        _read_first_digits(self._registers, bits, self._starts)

    def decode(self, rows: np.ndarray, cdfs: np.ndarray) -> np.ndarray:
        """The next symbol of each of the given rows, int64[n]; `cdfs` is uint32[n, A + 1]."""
        symbols = np.empty(len(rows), np.int64)
        _decode(self._registers, self._bits, self._starts, rows, cdfs, self._precision, symbols)
        return symbols

    def decode_run(self, row: int, cdf: np.ndarray, limit: int, stop: int) -> np.ndarray:
        """Symbols int64[n] with the same CDF: at most `limit`, the last of them `stop` if met."""
        symbols = np.empty(limit, np.int64)
        start = self._starts[row]
        count = _decode_run(
            self._registers[row], self._bits, start, cdf, self._precision, stop, symbols
        )
        return symbols[:count]

    def finish(self, row: int, alignment: int) -> int:
        """Ends a row: the place in `bits` where the next one can begin, a multiple of `alignment`.

        Raises:
          InputError: what stands there is not what the encoder writes after these symbols.
        """
        registers = self._registers[row]
        width, tail = _tail(registers)
        shifts = int(self._starts[row]) + int(registers[_SHIFTS])
        end = -(-(shifts + width) // alignment) * alignment
        if end > self._ends[row]:
            raise errors.InputError("The code is truncated: its last symbols need more bits.")
        # The register holds the digits from `shifts` on: first the tail, then zeros up to `end`.
        expected = int(tail) << (end - shifts - width)
        if int(registers[_VALUE]) >> (32 - (end - shifts)) != expected:
            raise errors.InputError("The code ends in bits that no encoder writes there.")
        return end


def _new_registers(rows: int) -> np.ndarray:
    registers = np.zeros((rows, 5), np.uint64)
    registers[:, _HIGH] = _TOP
    return registers


@jit.jit
def _narrow(registers, cdf, symbol, precision):
    """Keeps the part of the interval that belongs to `symbol`."""
    low, size = registers[_LOW], registers[_HIGH] - registers[_LOW] + _ONE
    shift = np.uint64(precision)
    registers[_LOW] = low + ((size * np.uint64(cdf[symbol])) >> shift)
    registers[_HIGH] = low + ((size * np.uint64(cdf[symbol + 1])) >> shift) - _ONE


@jit.jit
def _next_shift(registers):
    """What can be moved out: 0 or 1, a digit both ends share; 2, a pending one; -1, nothing."""
    low, high = registers[_LOW], registers[_HIGH]
    if high < _HALF:
        return 0
    if low >= _HALF:
        return 1
    if low >= _QUARTER and high < _HALF + _QUARTER:
        return 2
    return -1


@jit.jit
def _shift(registers, kind):
    """Moves one digit out; returns what has to be taken off every number of this row first."""
    offset = _HALF if kind == 1 else _QUARTER if kind == 2 else np.uint64(0)
    registers[_LOW] = (registers[_LOW] - offset) << _ONE
    registers[_HIGH] = ((registers[_HIGH] - offset) << _ONE) | _ONE
    registers[_PENDING] = registers[_PENDING] + _ONE if kind == 2 else np.uint64(0)
    registers[_SHIFTS] += _ONE
    return offset


@jit.jit
def _put(bits, end, digit, pending):
    """Writes a digit and the pending ones so that the last stands before `end`."""
    bits[end - 1 - pending] = digit
    for place in range(end - pending, end):
        bits[place] = 1 - digit


@jit.jit
def _tail(registers):
    """The fewest digits that name a part of the interval: their number and, as an integer, they.

    None are needed when the interval is everything, unless a pending digit waits for its first.
    """
    width = 0 if registers[_PENDING] == 0 else 1
    while True:
        step = np.uint64(32 - width)
        part = (registers[_LOW] + (_ONE << step) - _ONE) >> step
        if ((part + _ONE) << step) - _ONE <= registers[_HIGH]:
            return width, part
        width += 1


@jit.jit
def _write_tail(registers, bits):
    width, part = _tail(registers)
    length = np.int64(registers[_SHIFTS])
    pending = np.int64(registers[_PENDING])
    for place in range(width):
        digit = np.int64(part >> np.uint64(width - 1 - place)) & 1
        length += 1
        # The pending digits were counted as shifts already; they follow the first digit.
        _put(bits, length, digit, pending)
        pending = 0
    return length


@jit.jit
def _encode_symbol(registers, bits, cdf, symbol, precision):
    _narrow(registers, cdf, symbol, precision)
    kind = _next_shift(registers)
    while kind >= 0:
        pending = np.int64(registers[_PENDING])
        _shift(registers, kind)
        if kind != 2:
            _put(bits, np.int64(registers[_SHIFTS]), kind, pending)
        kind = _next_shift(registers)


@jit.jit
def _encode(all_registers, all_bits, rows, cdfs, symbols, precision):
    for index in range(len(rows)):
        row = rows[index]
        _encode_symbol(all_registers[row], all_bits[row], cdfs[index], symbols[index], precision)


@jit.jit
def _encode_run(registers, bits, cdf, symbols, precision):
    for symbol in symbols:
        _encode_symbol(registers, bits, cdf, symbol, precision)


@jit.jit
def _read_first_digits(all_registers, bits, starts):
    for row in range(len(starts)):
        for place in range(starts[row], starts[row] + 32):
            digit = np.uint64(bits[place]) if place < len(bits) else np.uint64(0)
            all_registers[row, _VALUE] = (all_registers[row, _VALUE] << _ONE) | digit


@jit.jit
def _decode_symbol(registers, bits, start, cdf, precision):
    size = registers[_HIGH] - registers[_LOW] + _ONE
    # The count of 2^P that the value falls into: the last whose lower end is not above it.
    offset = registers[_VALUE] - registers[_LOW] + _ONE
    count = ((offset << np.uint64(precision)) - _ONE) // size
    symbol = np.searchsorted(cdf, np.uint32(count), side="right") - 1
    _narrow(registers, cdf, symbol, precision)
    kind = _next_shift(registers)
    while kind >= 0:
        place = start + 32 + np.int64(registers[_SHIFTS])
        digit = np.uint64(bits[place]) if place < len(bits) else np.uint64(0)
        offset = _shift(registers, kind)
        registers[_VALUE] = ((registers[_VALUE] - offset) << _ONE) | digit
        kind = _next_shift(registers)
    return symbol


@jit.jit
def _decode(all_registers, bits, starts, rows, cdfs, precision, symbols):
    for index in range(len(rows)):
        row = rows[index]
        symbols[index] = _decode_symbol(
            all_registers[row], bits, starts[row], cdfs[index], precision
        )


@jit.jit
def _decode_run(registers, bits, start, cdf, precision, stop, symbols):
    for index in range(len(symbols)):
        symbols[index] = _decode_symbol(registers, bits, start, cdf, precision)
        if symbols[index] == stop:
            return index + 1
    return len(symbols)
