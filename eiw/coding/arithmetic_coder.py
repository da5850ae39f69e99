"""Arithmetic coding to the bit, many independent rows at a time (Witten, Neal and Cleary 1987).

A row's text so far is an interval of the unit interval. In binary digits its ends agree at first;
of what follows, 32 digits are kept, both ends included:

    low   =  0. b b b b | 0 0 1 0 1 ...  32 digits, then 0 0 0 ... for ever
    high  =  0. b b b b | 1 1 0 1 0 ...  32 digits, then 1 1 1 ... for ever
                moved out

    a symbol x       with n = high - low + 1, keeps [low + n cdf[x] / 2^P, low + n cdf[x+1] / 2^P)
    both below 1/2   moves out 0, and both ends move one digit to the left
    both above       moves out 1, likewise
    both in the      the next two digits are 01 or 10, not known which: moves out 0, the first digit
    middle half      of `low`, and takes its second, 1, for 0; in `high`, that of 0 for 1

So n > 2^30 before each symbol, every symbol keeps at least one point as P <= 30, and the products
stay below 2^(32+P). The end writes the fewest digits that name a part of the interval: at most two,
and whatever follows them, the text decodes the same.

All digits that a symbol moves out are counted at once. With c the zeros that n - 1 begins with in
32 digits, c more digits of `low` and `high` would bring n above 2^31. If such an interval still
lies within 32 digits, c are moved out; otherwise c - 1, which always can be. Digits of `low` are
one long number, to which each symbol adds: where one that is moved out was not certain, the carry
puts it right.
"""

import numpy as np

from eiw import errors
from eiw.coding import arithmetic_registers
from eiw.coding.bits import bits_of

_TRUNCATED = "The code is truncated: its last symbols need more bits."


class ArithmeticEncoder:
    """Codes symbols of `rows` texts, each of at most `max_symbols` symbols, at precision P."""

    def __init__(self, rows: int, max_symbols: int, precision: int) -> None:
        self._precision = precision
        self._registers = arithmetic_registers.new_registers(rows)
        # A symbol costs at most P bits, and by the rounding of the products a little more.
        self._words = np.zeros((rows, max_symbols * (precision + 1) // 32 + 3), np.uint32)

    def encode(self, rows: np.ndarray, cdfs: np.ndarray, symbols: np.ndarray) -> None:
        """Codes one symbol in each of the given rows.

        Args:
          rows: int64[n], which texts these are, each once.
          cdfs: uint32[n, A + 1].
          symbols: int64[n].
        """
        arithmetic_registers.encode(
            self._registers, self._words, rows, cdfs, symbols, self._precision
        )

    def encode_run(self, row: int, cdf: np.ndarray, symbols: np.ndarray) -> None:
        """Codes symbols int64[n] one after another, all with the same CDF, uint32[A + 1]."""
        arithmetic_registers.encode_run(
            self._registers[row], self._words[row], cdf, symbols, self._precision
        )

    def finish(self, row: int) -> np.ndarray:
        """Ends a row: all its bits, uint8[n] of 0 and 1."""
        length = arithmetic_registers.write_tail(self._registers[row], self._words[row])
        octets = self._words[row, : -(-length // 32)].astype(">u4").view(np.uint8)
        return np.unpackbits(octets, count=length)

    def bounds(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest code of all texts that go on from here, bits uint8[n] of each.

        They begin with these bits, followed by zeros and by ones without end.
        """
        low, size, halved, digits, num_digits, num_words = self._registers[row].tolist()
        moved_out = self._words[row, :num_words].astype(">u4").tobytes()
        least = ((int.from_bytes(moved_out, "big") << num_digits) + digits << 32) + low
        greatest = least + (size >> halved) - 1
        length = 32 * num_words + num_digits + 32
        return bits_of(least, length), bits_of(greatest, length)


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
        octets = np.packbits(bits)
        self._words = np.pad(octets, (0, -len(octets) % 4)).view(">u4").astype(np.uint32)
        self._starts = np.asarray(starts, np.int64)
        self._ends = np.asarray(ends, np.int64)
        self._precision = precision
        self._registers = arithmetic_registers.new_registers(len(self._starts))
        arithmetic_registers.read_first_digits(self._registers, self._words, self._starts)

    def decode(self, rows: np.ndarray, cdfs: np.ndarray) -> np.ndarray:
        """The next symbol of each of the given rows, int64[n]; `cdfs` is uint32[n, A + 1].

        Raises:
          InputError: a row's code had to be longer; M1 need not run to the end of such a block.
        """
        symbols = np.empty(len(rows), np.int64)
        if not arithmetic_registers.decode(
            self._registers, self._words, self._starts, self._ends,
            rows, cdfs, self._precision, symbols,
        ):  # fmt: skip
            raise errors.InputError(_TRUNCATED)
        return symbols

    def decode_run(self, row: int, cdf: np.ndarray, limit: int, stop: int) -> np.ndarray:
        """Symbols int64[n] with the same CDF: at most `limit`, the last of them `stop` if met."""
        symbols = np.empty(limit, np.int64)
        start = self._starts[row]
        count = arithmetic_registers.decode_run(
            self._registers[row], self._words, start, cdf, self._precision, stop, symbols
        )
        return symbols[:count]

    def put(self, place: int, digits: np.ndarray) -> None:
        """Writes bits, uint8[n] of 0 and 1, in place of those from `place` on.

        What rows have decoded must not depend on them; what they have looked at ahead may.
        """
        arithmetic_registers.put(self._registers, self._words, self._starts, place, digits)

    def mark(self) -> np.ndarray:
        """Where all rows are, for `reset`."""
        return self._registers.copy()

    def reset(self, mark: np.ndarray) -> None:
        """Goes back to where `mark` was called."""
        self._registers = mark

    def end(self, row: int, alignment: int) -> int:
        """Where a row that ends here has its end, in `bits`: a multiple of `alignment`."""
        registers = self._registers[row]
        width, _ = arithmetic_registers.tail(registers)
        shifts = int(self._starts[row]) + int(registers[arithmetic_registers.SHIFTS])
        return -(-(shifts + width) // alignment) * alignment

    def finish(self, row: int, alignment: int) -> int:
        """Ends a row: the place in `bits` where the next one can begin, a multiple of `alignment`.

        Raises:
          InputError: what stands there is not what the encoder writes after these symbols.
        """
        registers = self._registers[row]
        width, tail = arithmetic_registers.tail(registers)
        shifts = int(self._starts[row]) + int(registers[arithmetic_registers.SHIFTS])
        end = self.end(row, alignment)
        if end > self._ends[row]:
            raise errors.InputError(_TRUNCATED)
        # The 32 digits from `shifts` on: first the tail, then zeros up to `end`.
        value = int(registers[arithmetic_registers.LOW] & arithmetic_registers.LOW_MASK) + int(
            registers[arithmetic_registers.OFFSET]
        )
        if value >> (32 - (end - shifts)) != int(tail) << (end - shifts - width):
            raise errors.InputError("The code ends in bits that no encoder writes there.")
        return end
