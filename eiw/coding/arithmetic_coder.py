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
from eiw.coding import jit
from eiw.coding.bits import bits_of

_ONE = np.uint64(1)
_WORD_BITS = np.uint64(32)
_WORD_MASK = np.uint64((1 << 32) - 1)
_WORD_SHIFT, _REST_MASK = np.uint64(5), np.uint64(31)
# All but the first digit of `low`: 0 to the coder, and in the register 1 if it is not certain.
_LOW_MASK = np.uint64((1 << 31) - 1)
_TRUNCATED = "The code is truncated: its last symbols need more bits."

# Where a row's numbers stand in uint64[rows, 6]. Of both coders: `low`; the size that n would have
# after c digits; and whether that is one too many, 0 or 1, so that n is half of it.
_LOW, _SIZE, _HALVED = range(3)
# Of the encoder: the last digits moved out as a number, how many they are, and how many whole words
# of 32 were moved out before them.
_DIGITS, _NUM_DIGITS, _NUM_WORDS = range(3, 6)
# Of the decoder: the code minus `low`, and how many digits were moved out.
_OFFSET, _SHIFTS = range(3, 5)

# A decoder of runs finds symbols by the first bits of the count, and steps on from there.
_BUCKET_BITS = 12


class ArithmeticEncoder:
    """Codes symbols of `rows` texts, each of at most `max_symbols` symbols, at precision P."""

    def __init__(self, rows: int, max_symbols: int, precision: int) -> None:
        self._precision = precision
        self._registers = _new_registers(rows)
        # A symbol costs at most P bits, and by the rounding of the products a little more.
        self._words = np.zeros((rows, max_symbols * (precision + 1) // 32 + 3), np.uint32)

    def encode(self, rows: np.ndarray, cdfs: np.ndarray, symbols: np.ndarray) -> None:
        """Codes one symbol in each of the given rows.

        Args:
          rows: int64[n], which texts these are, each once.
          cdfs: uint32[n, A + 1].
          symbols: int64[n].
        """
        _encode(self._registers, self._words, rows, cdfs, symbols, self._precision)

    def encode_run(self, row: int, cdf: np.ndarray, symbols: np.ndarray) -> None:
        """Codes symbols int64[n] one after another, all with the same CDF, uint32[A + 1]."""
        _encode_run(self._registers[row], self._words[row], cdf, symbols, self._precision)

    def finish(self, row: int) -> np.ndarray:
        """Ends a row: all its bits, uint8[n] of 0 and 1."""
        length = _write_tail(self._registers[row], self._words[row])
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
        self._registers = _new_registers(len(self._starts))
        _read_first_digits(self._registers, self._words, self._starts)

    def decode(self, rows: np.ndarray, cdfs: np.ndarray) -> np.ndarray:
        """The next symbol of each of the given rows, int64[n]; `cdfs` is uint32[n, A + 1].

        Raises:
          InputError: a row's code had to be longer; M1 need not run to the end of such a block.
        """
        symbols = np.empty(len(rows), np.int64)
        if not _decode(
            self._registers, self._words, self._starts, self._ends,
            rows, cdfs, self._precision, symbols,
        ):  # fmt: skip
            raise errors.InputError(_TRUNCATED)
        return symbols

    def decode_run(self, row: int, cdf: np.ndarray, limit: int, stop: int) -> np.ndarray:
        """Symbols int64[n] with the same CDF: at most `limit`, the last of them `stop` if met."""
        symbols = np.empty(limit, np.int64)
        start = self._starts[row]
        count = _decode_run(
            self._registers[row], self._words, start, cdf, self._precision, stop, symbols
        )
        return symbols[:count]

    def put(self, place: int, digits: np.ndarray) -> None:
        """Writes bits, uint8[n] of 0 and 1, in place of those from `place` on.

        What rows have decoded must not depend on them; what they have looked at ahead may.
        """
        rows = range(len(self._starts))
        before = [self._ahead(row) for row in rows]
        for index, digit in enumerate(digits.tolist(), start=place):
            shift = np.uint32(31 - index % 32)
            word = self._words[index // 32] & ~(np.uint32(1) << shift)
            self._words[index // 32] = word | np.uint32(digit) << shift
        for row in rows:
            offset = int(self._registers[row, _OFFSET])
            self._registers[row, _OFFSET] = offset + self._ahead(row) - before[row]

    def mark(self) -> np.ndarray:
        """Where all rows are, for `reset`."""
        return self._registers.copy()

    def reset(self, mark: np.ndarray) -> None:
        """Goes back to where `mark` was called."""
        self._registers = mark

    def end(self, row: int, alignment: int) -> int:
        """Where a row that ends here has its end, in `bits`: a multiple of `alignment`."""
        registers = self._registers[row]
        width, _ = _tail(registers)
        shifts = int(self._starts[row]) + int(registers[_SHIFTS])
        return -(-(shifts + width) // alignment) * alignment

    def finish(self, row: int, alignment: int) -> int:
        """Ends a row: the place in `bits` where the next one can begin, a multiple of `alignment`.

        Raises:
          InputError: what stands there is not what the encoder writes after these symbols.
        """
        registers = self._registers[row]
        width, tail = _tail(registers)
        shifts = int(self._starts[row]) + int(registers[_SHIFTS])
        end = self.end(row, alignment)
        if end > self._ends[row]:
            raise errors.InputError(_TRUNCATED)
        # The 32 digits from `shifts` on: first the tail, then zeros up to `end`.
        value = int(registers[_LOW] & _LOW_MASK) + int(registers[_OFFSET])
        if value >> (32 - (end - shifts)) != int(tail) << (end - shifts - width):
            raise errors.InputError("The code ends in bits that no encoder writes there.")
        return end

    def _ahead(self, row: int) -> int:
        """The digits that a row looks at."""
        place = self._starts[row] + np.int64(self._registers[row, _SHIFTS])
        return int(_read(self._words, place, _WORD_BITS))


def _new_registers(rows: int) -> np.ndarray:
    registers = np.zeros((rows, 6), np.uint64)
    registers[:, _SIZE] = 1 << 32
    return registers


@jit.jit
def _narrow(low, size, halved, first, last, precision):
    """Keeps the part of the interval from count `first` to `last`.

    Returns:
      What is added to `low`, how many digits are then moved out, and the new size and halved.
    """
    # What the next symbol waits for is the size: that n may be half of it is found out meanwhile.
    shift = np.uint64(precision) + halved
    added = (size * first) >> shift
    part = ((size * last) >> shift) - added
    shifts = jit.leading_zeros(np.uint32(part - _ONE))
    size = part << shifts
    moved_low = (((low & _LOW_MASK) + added) << shifts) & _LOW_MASK
    halved = (moved_low + size - _ONE) >> _WORD_BITS
    return added, shifts - halved, size, halved


@jit.jit
def _tail(registers):
    """The fewest digits that name a part of the interval: their number and, as an integer, they.

    None are needed when the interval is everything, unless the first digit is not certain.
    """
    low = registers[_LOW] & _LOW_MASK
    width = 0 if registers[_LOW] == low else 1
    while True:
        step = np.uint64(32 - width)
        part = (low + (_ONE << step) - _ONE) >> step
        if (part + _ONE) << step <= low + (registers[_SIZE] >> registers[_HALVED]):
            return width, part
        width += 1


@jit.jit
def _carry(words, num_words):
    """Adds 1 to the number that the words are."""
    place = num_words - _ONE
    while words[place] == np.uint32(_WORD_MASK):
        words[place] = np.uint32(0)
        place -= _ONE
    words[place] += np.uint32(1)


@jit.jit
def _move_out(words, num_words, digits, num_digits):
    """Moves digits to `words` where there are 32 of them or more; returns the three numbers."""
    if digits >> num_digits:
        _carry(words, num_words)
    # Written in any case, and counted if it is a whole word: a branch would be hard to foresee.
    rest = num_digits & _REST_MASK
    words[num_words] = np.uint32(digits >> rest)
    return num_words + (num_digits >> _WORD_SHIFT), digits & ((_ONE << rest) - _ONE), rest


@jit.jit
def _write_tail(registers, words):
    """Fills the last words; returns how many digits there are."""
    width, part = _tail(registers)
    low, num_words = registers[_LOW], registers[_NUM_WORDS]
    # From the start of the interval to the number that names the part: its first digit may carry.
    first = low & ~_LOW_MASK
    value = first + (part << np.uint64(32 - width))
    digits = (registers[_DIGITS] << _WORD_BITS) + value
    num_digits = registers[_NUM_DIGITS] + _WORD_BITS
    length = np.int64(_WORD_BITS * num_words + registers[_NUM_DIGITS]) + width
    num_words, digits, rest = _move_out(words, num_words, digits, num_digits)
    words[num_words] = np.uint32(digits << (_WORD_BITS - rest))
    return length


@jit.jit
def _encode_symbol(registers, words, first, last, precision):
    """Codes counts `first` to `last`; returns the new registers."""
    low, size, halved, digits, num_digits, num_words = registers
    added, shifts, size, halved = _narrow(low, size, halved, first, last, precision)
    # A 33rd digit is the carry.
    low += added
    digits = (digits << shifts) + (low >> (_WORD_BITS - shifts))
    low = (low << shifts) & _WORD_MASK
    num_words, digits, num_digits = _move_out(words, num_words, digits, num_digits + shifts)
    return low, size, halved, digits, num_digits, num_words


@jit.jit
def _encode(all_registers, all_words, rows, cdfs, symbols, precision):
    for index in range(len(rows)):
        cdf, symbol = cdfs[index], np.uint64(symbols[index])
        registers = all_registers[rows[index]]
        registers[:] = _encode_symbol(
            _loaded(registers),
            all_words[rows[index]],
            np.uint64(cdf[symbol]),
            np.uint64(cdf[symbol + _ONE]),
            precision,
        )


@jit.jit
def _encode_run(stored_registers, words, cdf, symbols, precision):
    registers = _loaded(stored_registers)
    for index in range(len(symbols)):
        symbol = np.uint64(symbols[index])
        first, last = np.uint64(cdf[symbol]), np.uint64(cdf[symbol + _ONE])
        registers = _encode_symbol(registers, words, first, last, precision)
    stored_registers[:] = registers


@jit.jit
def _loaded(registers):
    """As a tuple, which the compiler keeps in registers of the machine."""
    return (
        registers[0], registers[1], registers[2], registers[3], registers[4], registers[5]
    )  # fmt: skip


@jit.jit
def _read(words, place, count):
    """The `count` digits (32 at most) from `place` on."""
    index = place >> 5
    pair = np.uint64(words[index]) << _WORD_BITS if index < len(words) else np.uint64(0)
    if index + 1 < len(words):
        pair |= np.uint64(words[index + 1])
    # In two steps: a shift by all 64 digits would be none.
    return (pair << np.uint64(place & 31)) >> _ONE >> (np.uint64(63) - count)


@jit.jit
def _read_first_digits(all_registers, words, starts):
    for row in range(len(starts)):
        all_registers[row, _OFFSET] = _read(words, starts[row], _WORD_BITS)


@jit.jit
def _count(registers, precision):
    """The count of 2^P that the code falls into: the last whose lower end is not above it."""
    size = registers[_SIZE] >> registers[_HALVED]
    return np.uint32((((registers[_OFFSET] + _ONE) << np.uint64(precision)) - _ONE) // size)


@jit.jit
def _decode_symbol(registers, words, start, first, last, precision):
    """Takes off counts `first` to `last`; returns the new registers."""
    low, size, halved, offset, num_shifts, unused = registers
    added, shifts, size, halved = _narrow(low, size, halved, first, last, precision)
    digits = _read(words, start + 32 + np.int64(num_shifts), shifts)
    offset = ((offset - added) << shifts) | digits
    low = ((low + added) << shifts) & _WORD_MASK
    return low, size, halved, offset, num_shifts + shifts, unused


@jit.jit
def _search(cdfs, row, count, log_half):
    """The symbol that holds a count, in one row of CDFs.

    2^log_half is the highest power of two that is at most A.

    Comparisons would become branches, at which rows wait for each other. So digit 32 of a
    difference says whether a lower end is not above the count.
    """
    above = (_ONE << _WORD_BITS) + count
    # First whether it is one of the last 2^log_half symbols.
    rest = np.uint64(cdfs.shape[1]) - _ONE - (_ONE << log_half)
    symbol = rest * ((above - np.uint64(cdfs[row, rest])) >> _WORD_BITS)
    while log_half > np.uint64(0):
        log_half -= _ONE
        lower_end = np.uint64(cdfs[row, symbol + (_ONE << log_half)])
        symbol += ((above - lower_end) >> _WORD_BITS) << log_half
    return symbol


@jit.jit
def _decode(all_registers, words, starts, ends, rows, cdfs, precision, symbols):
    """Returns whether all codes were long enough."""
    log_half, is_whole = np.uint64(0), True
    while 2 << log_half < cdfs.shape[1]:
        log_half += _ONE
    for index in range(len(rows)):
        row = rows[index]
        registers = _loaded(all_registers[row])
        symbol = _search(cdfs, index, np.uint64(_count(registers, precision)), log_half)
        first, last = np.uint64(cdfs[index, symbol]), np.uint64(cdfs[index, symbol + _ONE])
        registers = _decode_symbol(registers, words, starts[row], first, last, precision)
        all_registers[row, :] = registers
        is_whole &= starts[row] + np.int64(registers[_SHIFTS]) <= ends[row]
        symbols[index] = symbol
    return is_whole


@jit.jit
def _first_symbols(cdf, precision, bucket_bits):
    """The symbol that holds the first count of each bucket, uint16[2^bucket_bits]."""
    symbols = np.empty(1 << bucket_bits, np.uint16)
    symbol = 0
    for bucket in range(len(symbols)):
        while cdf[symbol + 1] <= bucket << (precision - bucket_bits):
            symbol += 1
        symbols[bucket] = symbol
    return symbols


@jit.jit
def _decode_run(stored_registers, words, start, cdf, precision, stop, symbols):
    bucket_bits = min(precision, _BUCKET_BITS)
    first_symbols = _first_symbols(cdf, precision, bucket_bits)
    registers = _loaded(stored_registers)
    num_symbols = len(symbols)
    for index in range(len(symbols)):
        count = _count(registers, precision)
        symbol = np.int64(first_symbols[count >> np.uint32(precision - bucket_bits)])
        while cdf[symbol + 1] <= count:
            symbol += 1
        first, last = np.uint64(cdf[symbol]), np.uint64(cdf[symbol + 1])
        registers = _decode_symbol(registers, words, start, first, last, precision)
        symbols[index] = symbol
        if symbol == stop:
            num_symbols = index + 1
            break
    stored_registers[:] = registers
    return num_symbols
