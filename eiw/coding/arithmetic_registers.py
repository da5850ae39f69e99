"""The registers of arithmetic coding, and what symbols do to them, in compiled code.

What they stand for is said in `arithmetic_coder`.
"""

import numpy as np

from eiw.coding import jit

_ONE = np.uint64(1)
WORD_BITS = np.uint64(32)
_WORD_MASK = np.uint64((1 << 32) - 1)
_WORD_SHIFT, _REST_MASK = np.uint64(5), np.uint64(31)
# All but the first digit of `low`: 0 to the coder, and in the register 1 if it is not certain.
LOW_MASK = np.uint64((1 << 31) - 1)

# Where a row's numbers stand in uint64[rows, 6]. Of both coders: `low`; the size that n would have
# after c digits; and whether that is one too many, 0 or 1, so that n is half of it.
LOW, SIZE, HALVED = range(3)
# Of the encoder: the last digits moved out as a number, how many they are, and how many whole words
# of 32 were moved out before them.
DIGITS, NUM_DIGITS, NUM_WORDS = range(3, 6)
# Of the decoder: the code minus `low`, and how many digits were moved out.
OFFSET, SHIFTS = range(3, 5)

# A decoder of runs finds symbols by the first bits of the count, and steps on from there.
_BUCKET_BITS = 12


def new_registers(rows: int) -> np.ndarray:
    registers = np.zeros((rows, 6), np.uint64)
    registers[:, SIZE] = 1 << 32
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
    moved_low = (((low & LOW_MASK) + added) << shifts) & LOW_MASK
    halved = (moved_low + size - _ONE) >> WORD_BITS
    return added, shifts - halved, size, halved


@jit.jit
def tail(registers):
    """The fewest digits that name a part of the interval: their number and, as an integer, they.

    None are needed when the interval is everything, unless the first digit is not certain.
    """
    low = registers[LOW] & LOW_MASK
    width = 0 if registers[LOW] == low else 1
    while True:
        step = np.uint64(32 - width)
        part = (low + (_ONE << step) - _ONE) >> step
        if (part + _ONE) << step <= low + (registers[SIZE] >> registers[HALVED]):
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
def write_tail(registers, words):
    """Fills the last words; returns how many digits there are."""
    width, part = tail(registers)
    low, num_words = registers[LOW], registers[NUM_WORDS]
    # From the start of the interval to the number that names the part: its first digit may carry.
    first = low & ~LOW_MASK
    value = first + (part << np.uint64(32 - width))
    digits = (registers[DIGITS] << WORD_BITS) + value
    num_digits = registers[NUM_DIGITS] + WORD_BITS
    length = np.int64(WORD_BITS * num_words + registers[NUM_DIGITS]) + width
    num_words, digits, rest = _move_out(words, num_words, digits, num_digits)
    words[num_words] = np.uint32(digits << (WORD_BITS - rest))
    return length


@jit.jit
def _encode_symbol(registers, words, first, last, precision):
    """Codes counts `first` to `last`; returns the new registers."""
    low, size, halved, digits, num_digits, num_words = registers
    added, shifts, size, halved = _narrow(low, size, halved, first, last, precision)
    # A 33rd digit is the carry.
    low += added
    digits = (digits << shifts) + (low >> (WORD_BITS - shifts))
    low = (low << shifts) & _WORD_MASK
    num_words, digits, num_digits = _move_out(words, num_words, digits, num_digits + shifts)
    return low, size, halved, digits, num_digits, num_words


@jit.jit
def encode(all_registers, all_words, rows, cdfs, symbols, precision):
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
def encode_run(stored_registers, words, cdf, symbols, precision):
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
    pair = np.uint64(words[index]) << WORD_BITS if index < len(words) else np.uint64(0)
    if index + 1 < len(words):
        pair |= np.uint64(words[index + 1])
    # In two steps: a shift by all 64 digits would be none.
    return (pair << np.uint64(place & 31)) >> _ONE >> (np.uint64(63) - count)


@jit.jit
def read_first_digits(all_registers, words, starts):
    for row in range(len(starts)):
        all_registers[row, OFFSET] = _read(words, starts[row], WORD_BITS)


@jit.jit
def put(all_registers, words, starts, place, digits):
    """Replaces digits from `place` on, and what rows have of them in the code minus `low`."""
    ahead = np.empty(len(starts), np.uint64)
    for row in range(len(starts)):
        ahead[row] = _read(words, starts[row] + np.int64(all_registers[row, SHIFTS]), WORD_BITS)
    for index in range(len(digits)):
        shift = np.uint32(31 - (place + index) % 32)
        word = words[(place + index) // 32] & ~(np.uint32(1) << shift)
        words[(place + index) // 32] = word | np.uint32(digits[index]) << shift
    for row in range(len(starts)):
        new = _read(words, starts[row] + np.int64(all_registers[row, SHIFTS]), WORD_BITS)
        # Modulo 2^64, where differences below zero come out right.
        all_registers[row, OFFSET] += new - ahead[row]


@jit.jit
def _count(registers, precision):
    """The count of 2^P that the code falls into: the last whose lower end is not above it."""
    size = registers[SIZE] >> registers[HALVED]
    return np.uint32((((registers[OFFSET] + _ONE) << np.uint64(precision)) - _ONE) // size)


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
    above = (_ONE << WORD_BITS) + count
    # First whether it is one of the last 2^log_half symbols.
    rest = np.uint64(cdfs.shape[1]) - _ONE - (_ONE << log_half)
    symbol = rest * ((above - np.uint64(cdfs[row, rest])) >> WORD_BITS)
    while log_half > np.uint64(0):
        log_half -= _ONE
        lower_end = np.uint64(cdfs[row, symbol + (_ONE << log_half)])
        symbol += ((above - lower_end) >> WORD_BITS) << log_half
    return symbol


@jit.jit
def decode(all_registers, words, starts, ends, rows, cdfs, precision, symbols):
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
        is_whole &= starts[row] + np.int64(registers[SHIFTS]) <= ends[row]
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
def decode_run(stored_registers, words, start, cdf, precision, stop, symbols):
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
