"""Huffman coding under integer CDFs, many independent rows at a time (Huffman 1952).

The counts of a CDF are taken for frequencies. The two rarest groups of symbols are joined again
and again, and a symbol's code has one bit for every time that it was joined. Of the codes with
these lengths it is the canonical one, which is fixed by the lengths alone (Schwartz and Kallick
1964): in order of length, then of symbol, each code is the next binary number.

    counts  0: 8   1: 4   2: 2   3: 2      lengths 1 2 3 3      codes 0  10  110  111

At precision P a code has at most 1.44 P bits, since frequencies then grow like Fibonacci numbers.
With CDFs of M1 the code is another at each symbol, built anew on both sides.
"""

import numpy as np

from eiw import errors
from eiw.coding import jit

_MAX_PRECISION = 24
_MAX_LENGTH = 40
_TRUNCATED = "The code is truncated: its last symbols need more bits."


class HuffmanEncoder:
    """Codes symbols of `rows` texts, each of at most `max_symbols` symbols, at precision P <= 24.

    Raises:
      InputError: P is above 24.
    """

    def __init__(self, rows: int, max_symbols: int, precision: int) -> None:
        _check_precision(precision)
        # A symbol's length and, in its low bits, its code: all that is kept until the end.
        self._words = np.empty((rows, max_symbols, 2), np.uint64)
        self._lengths = np.zeros(rows, np.int64)

    def encode(self, rows: np.ndarray, cdfs: np.ndarray, symbols: np.ndarray) -> None:
        """Codes one symbol in each of the given rows: int64[n], uint32[n, A + 1], int64[n]."""
        _encode(self._words, self._lengths, rows, cdfs, symbols)

    def encode_run(self, row: int, cdf: np.ndarray, symbols: np.ndarray) -> None:
        """Codes symbols int64[n] one after another, all with the same CDF, uint32[A + 1]."""
        first = self._lengths[row]
        self._words[row, first : first + len(symbols)] = code_table(cdf)[symbols]
        self._lengths[row] += len(symbols)

    def finish(self, row: int) -> np.ndarray:
        """Ends a row: all its bits, uint8[n] of 0 and 1."""
        words = self._words[row, : self._lengths[row]]
        bits = np.empty(int(words[:, 0].sum()), np.uint8)
        _write(words, bits)
        return bits

    def bounds(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest code of all texts that go on from here, bits uint8[n] of each.

        They begin with these bits, followed by zeros and by ones without end.
        """
        written = self.finish(row)
        return written, written


class HuffmanDecoder:
    """Decodes rows of symbols from one array of bits, each row from a start of its own.

    Args:
      bits: uint8[n] of 0 and 1; zeros are read past the end.
      starts: int[rows], where in `bits` each row's code begins.
      ends: int[rows], where it has ended at the latest. What stands there does not matter.

    Raises:
      InputError: P is above 24.
    """

    def __init__(
        self, bits: np.ndarray, starts: np.ndarray, ends: np.ndarray, precision: int
    ) -> None:
        _check_precision(precision)
        self._bits = bits
        self._ends = np.asarray(ends, np.int64)
        self._places = np.array(starts, np.int64)

    def decode(self, rows: np.ndarray, cdfs: np.ndarray) -> np.ndarray:
        """The next symbol of each of the given rows, int64[n]; `cdfs` is uint32[n, A + 1].

        Raises:
          InputError: a row's code had to be longer; M1 need not run to the end of such a block.
        """
        symbols = np.empty(len(rows), np.int64)
        _decode(self._places, self._bits, rows, cdfs, symbols)
        if (self._places[rows] > self._ends[rows]).any():
            raise errors.InputError(_TRUNCATED)
        return symbols

    def decode_run(self, row: int, cdf: np.ndarray, limit: int, stop: int) -> np.ndarray:
        """Symbols int64[n] with the same CDF: at most `limit`, the last of them `stop` if met."""
        symbols = np.empty(limit, np.int64)
        count = _decode_run(self._places[row : row + 1], self._bits, cdf, stop, symbols)
        return symbols[:count]

    def put(self, place: int, digits: np.ndarray) -> None:
        """Writes bits, uint8[n] of 0 and 1, in place of those from `place` on."""
        self._bits[place : place + len(digits)] = digits

    def mark(self) -> np.ndarray:
        """Where all rows are, for `reset`."""
        return self._places.copy()

    def reset(self, mark: np.ndarray) -> None:
        """Goes back to where `mark` was called."""
        self._places = mark

    def end(self, row: int, alignment: int) -> int:
        """Where a row that ends here has its end, in `bits`: a multiple of `alignment`."""
        return -(-int(self._places[row]) // alignment) * alignment

    def finish(self, row: int, alignment: int) -> int:
        """Ends a row: the place in `bits` where the next one can begin, a multiple of `alignment`.

        Raises:
          InputError: what stands there is not what the encoder writes after these symbols.
        """
        place, end = int(self._places[row]), self.end(row, alignment)
        if end > self._ends[row]:
            raise errors.InputError(_TRUNCATED)
        if self._bits[place:end].any():
            raise errors.InputError("The code ends in bits that no encoder writes there.")
        return end


def code_table(cdf: np.ndarray) -> np.ndarray:
    """The canonical Huffman code of a CDF, uint64[A, 2]: lengths in bits, and codes."""
    table = np.empty((len(cdf) - 1, 2), np.uint64)
    _fill_table(cdf, table)
    return table


def _check_precision(precision: int) -> None:
    if precision > _MAX_PRECISION:
        raise errors.InputError(
            f"A byte model of precision {precision} is too fine for Huffman codes: "
            f"{_MAX_PRECISION} at most."
        )


@jit.jit
def _fill_lengths(cdf, lengths):
    """Code lengths int64[A]. Equal counts are taken in order of symbol, symbols before groups."""
    alphabet = len(cdf) - 1
    counts = cdf[1:].astype(np.int64) - cdf[:-1].astype(np.int64)
    # Sorted as one integer each, count above symbol: no order is left to chance.
    order = np.sort(counts << 16 | np.arange(alphabet))
    # Groups are made in order of their weight, so two queues take the place of a heap.
    weights = np.empty(2 * alphabet - 1, np.int64)
    parents = np.zeros(2 * alphabet - 1, np.int64)
    for rank in range(alphabet):
        weights[rank] = order[rank] >> 16
    leaf, group = 0, alphabet
    for joined in range(alphabet, 2 * alphabet - 1):
        weights[joined] = 0
        for _ in range(2):
            if leaf < alphabet and (group == joined or weights[leaf] <= weights[group]):
                lightest = leaf
                leaf += 1
            else:
                lightest = group
                group += 1
            weights[joined] += weights[lightest]
            parents[lightest] = joined
    depths = np.zeros(2 * alphabet - 1, np.int64)
    for node in range(2 * alphabet - 3, -1, -1):
        depths[node] = depths[parents[node]] + 1
        if node < alphabet:
            lengths[order[node] & 0xFFFF] = depths[node]


@jit.jit
def _fill_firsts(lengths, firsts, num_codes):
    """The first code of each length, and how many there are, int64[_MAX_LENGTH + 1]."""
    num_codes[:] = 0
    for length in lengths:
        num_codes[length] += 1
    code = np.int64(0)
    for length in range(1, _MAX_LENGTH + 1):
        firsts[length] = code
        code = (code + num_codes[length]) << 1


@jit.jit
def _fill_table(cdf, table):
    lengths = np.empty(len(cdf) - 1, np.int64)
    firsts = np.zeros(_MAX_LENGTH + 1, np.int64)
    _fill_lengths(cdf, lengths)
    _fill_firsts(lengths, firsts, np.empty(_MAX_LENGTH + 1, np.int64))
    for symbol in range(len(lengths)):
        table[symbol, 0] = lengths[symbol]
        table[symbol, 1] = firsts[lengths[symbol]]
        firsts[lengths[symbol]] += 1


@jit.jit
def _encode(words, lengths, rows, cdfs, symbols):
    table = np.empty((cdfs.shape[1] - 1, 2), np.uint64)
    for index in range(len(rows)):
        row = rows[index]
        _fill_table(cdfs[index], table)
        words[row, lengths[row]] = table[symbols[index]]
        lengths[row] += 1


@jit.jit
def _write(words, bits):
    place = 0
    for index in range(len(words)):
        length, code = np.int64(words[index, 0]), words[index, 1]
        for digit in range(length - 1, -1, -1):
            bits[place] = code >> np.uint64(digit) & np.uint64(1)
            place += 1


@jit.jit
def _read_code(places, row, bits, firsts, num_codes):
    """Reads one code: its length, and which one it is of those with that length."""
    code = np.int64(0)
    for length in range(1, _MAX_LENGTH + 1):
        place = places[row]
        code = code << 1 | (np.int64(bits[place]) if place < len(bits) else 0)
        places[row] += 1
        if code - firsts[length] < num_codes[length]:
            return length, code - firsts[length]
    return 0, 0  # not reached: the codes fill the binary tree


@jit.jit
def _decode(places, bits, rows, cdfs, symbols):
    lengths = np.empty(cdfs.shape[1] - 1, np.int64)
    firsts = np.zeros(_MAX_LENGTH + 1, np.int64)
    num_codes = np.empty(_MAX_LENGTH + 1, np.int64)
    for index in range(len(rows)):
        _fill_lengths(cdfs[index], lengths)
        _fill_firsts(lengths, firsts, num_codes)
        length, rank = _read_code(places, rows[index], bits, firsts, num_codes)
        for symbol in range(len(lengths)):
            if lengths[symbol] == length:
                if rank == 0:
                    symbols[index] = symbol
                    break
                rank -= 1


@jit.jit
def _decode_run(places, bits, cdf, stop, symbols):
    lengths = np.empty(len(cdf) - 1, np.int64)
    firsts = np.zeros(_MAX_LENGTH + 1, np.int64)
    num_codes = np.empty(_MAX_LENGTH + 1, np.int64)
    _fill_lengths(cdf, lengths)
    _fill_firsts(lengths, firsts, num_codes)
    # Symbols by length, then by symbol: those of one length follow one another.
    by_code = np.argsort(lengths, kind="mergesort")
    begins = np.zeros(_MAX_LENGTH + 1, np.int64)
    for length in range(1, _MAX_LENGTH):
        begins[length + 1] = begins[length] + num_codes[length]
    for index in range(len(symbols)):
        length, rank = _read_code(places, 0, bits, firsts, num_codes)
        symbols[index] = by_code[begins[length] + rank]
        if symbols[index] == stop:
            return index + 1
    return len(symbols)
