"""The rules of `window_node` on integers of any width, compiled.

W = 128 at precision 14 asks for products of 157 bits, so points and cells are L limbs of 32 bits,
see `wide_integers`. What is known of a walk over a text is in two arrays: its counters and its wide
integers. CDFs lie in the rows of a `Pool`: row 0 is the one that every fresh M1 begins with; then
come those of the trie, which all walks share; then the walks' own. Where M1 is kept over windows, a
prefix is not all that its CDF depends on: there is no trie, and a walk's own rows hold the CDFs
after its last symbols, one after another.
"""

from typing import NamedTuple

import numpy as np

from eiw.coding import jit, wide_integers

EXACT, GREEDY, DELAY = range(3)

# A lane's integers, int64[NUM_COUNTERS]. Places are indices into its text.
#   START, DEPTH: the prefix is text[START : START + DEPTH]; ROW: of its CDF in the pool
#   END: of the text, or in decoding of the lane's cells; WINDOW: index of the cell to decode
#   FED, BASE: M1 has read text[BASE : FED]
#   AGE: windows since M1 began afresh
#   BEST: length of the text to take, 0 for none yet
#   ARRIVED: row of the CDF that the lane waited for, -1 for none
#   LOGGED: windows written to the log
(START, DEPTH, ROW, END, WINDOW, FED, BASE, AGE, BEST, ARRIVED, LOGGED, NUM_COUNTERS) = range(12)

# Its wide integers, uint64[NUM_WIDE, L]: the interval of the prefix and of its child, the cell that
# the first symbol reserved, the code to take, and what lies between.
(LOW, WIDTH, CHILD_LOW, CHILD_WIDTH, RESERVED, CODE, FIRST, STOP, POINT, CELL, NUM_WIDE) = range(11)

# What is known of the text of a row: nothing; that it has no code; its code; and that this code is
# one that a single symbol reserved.
UNKNOWN, NO_CODE, HAS_CODE, RESERVES = range(4)

_MASK = np.uint64((1 << 32) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


class Rules(NamedTuple):
    """The format, as numbers: `window_format.WindowFormat`."""

    precision: int
    window_bits: int
    max_depth: int
    roundest: bool
    window_end: int
    reset_every: int
    """1: prefixes are all that CDFs depend on, and rows of the pool are a trie."""


class Pool(NamedTuple):
    """CDFs and what is known of their texts.

    Attributes:
      cdfs: uint16[rows, A + 1].
      codes, notes: uint64[rows, L], uint8[rows]: the texts' codes, once known.
      parents, symbols: int32[nodes], int16[nodes]: the first rows are nodes of the trie.
      table: int32[power of two], open addressing from parent and symbol to node; -1 is empty.
      size: int64[1], nodes so far.
      own_rows: rows of a lane, at the end of the pool, each in its turn: where M1 is kept one for
        each prefix of a window; else two, the prefix that the trie has no room for and its child.
    """

    cdfs: np.ndarray
    codes: np.ndarray
    notes: np.ndarray
    parents: np.ndarray
    symbols: np.ndarray
    table: np.ndarray
    size: np.ndarray
    own_rows: int


@jit.jit
def code_of(rules, pool, counters, wide):
    """What is known of the prefix, and `pool.codes[ROW]`, found out if it has to be."""
    row, depth = counters[ROW], counters[DEPTH]
    if row < len(pool.parents) and pool.notes[row] != UNKNOWN:
        return pool.notes[row]
    _enclosed(rules, wide, LOW, WIDTH)
    code = pool.codes[row]
    if rules.window_end != EXACT:
        note = HAS_CODE
        _roundest(rules, wide, code, whole=True)
    else:
        if depth == 1:
            wide[RESERVED] = _MASK
        if depth == rules.max_depth:
            has_code = _leaf_code(rules, wide, code)
        else:
            has_code = _own_code(rules, pool, counters, wide, code)
        note = HAS_CODE if has_code else NO_CODE
        if depth == 1 and not has_code:
            note = RESERVES
            code[:] = wide[FIRST]
    pool.notes[row] = note
    return note


@jit.jit
def _own_code(rules, pool, counters, wide, code):
    """The code among the cells that boundaries between children cut; False if there is none."""
    cdf = pool.cdfs[counters[ROW]]
    points_in_cell = (_ONE << np.uint64(rules.precision)) - _ONE
    best_zeros = -1
    for symbol in range(1, len(cdf) - 1):
        wide_integers.scale(wide[WIDTH], cdf[symbol], rules.precision, wide[POINT])
        wide_integers.add(wide[POINT], wide[LOW], wide[POINT])
        if wide[POINT, 0] & points_in_cell == 0:
            continue
        wide_integers.shift_right(wide[POINT], rules.precision, wide[CELL])
        if (
            wide_integers.less(wide[CELL], wide[FIRST])
            or not wide_integers.less(wide[CELL], wide[STOP])
            or wide_integers.equal(wide[CELL], wide[RESERVED])
        ):
            continue
        zeros = wide_integers.trailing_zeros(wide[CELL])
        if zeros > best_zeros:
            code[:] = wide[CELL]
            best_zeros = zeros
        if not rules.roundest:
            break
    return best_zeros >= 0


@jit.jit
def _leaf_code(rules, wide, code):
    """The code of a text that nothing may follow: it owns all its cells but the reserved one."""
    if wide_integers.equal(wide[FIRST], wide[RESERVED]):
        wide_integers.add_bit(wide[FIRST], 0, wide[FIRST])
    code[:] = wide[FIRST]
    if not wide_integers.less(wide[FIRST], wide[STOP]):
        return False
    if rules.roundest:
        _roundest(rules, wide, code, whole=False)
    return True


@jit.jit
def _roundest(rules, wide, code, whole):
    """The cell of FIRST .. STOP with the most trailing zeros, the lowest of these.

    If `whole`, so many that all cells between it and the next such one are in the interval.
    """
    for zeros in range(rules.window_bits, -1, -1):
        wide_integers.round_up(wide[FIRST], zeros, code)
        wide[CELL] = code
        if whole:
            wide_integers.add_bit(code, zeros, wide[CELL])
            if not wide_integers.less(wide[STOP], wide[CELL]):
                return
        elif wide_integers.less(code, wide[STOP]):
            return


@jit.jit
def _enclosed(rules, wide, low, width):
    """Sets FIRST and STOP: the cells that an interval encloses are those from FIRST to STOP - 1."""
    wide_integers.round_up(wide[low], rules.precision, wide[FIRST])
    wide_integers.shift_right(wide[FIRST], rules.precision, wide[FIRST])
    wide_integers.add(wide[low], wide[width], wide[STOP])
    wide_integers.shift_right(wide[STOP], rules.precision, wide[STOP])


@jit.jit
def fits(rules, wide, low, width):
    _enclosed(rules, wide, low, width)
    return wide_integers.less(wide[FIRST], wide[STOP])


@jit.jit
def narrow(rules, pool, counters, wide, symbol):
    """Sets the child's interval."""
    cdf = pool.cdfs[counters[ROW]]
    wide_integers.scale(wide[WIDTH], cdf[symbol], rules.precision, wide[CHILD_LOW])
    wide_integers.scale(wide[WIDTH], cdf[symbol + 1], rules.precision, wide[CHILD_WIDTH])
    wide_integers.subtract(wide[CHILD_WIDTH], wide[CHILD_LOW], wide[CHILD_WIDTH])
    wide_integers.add(wide[CHILD_LOW], wide[LOW], wide[CHILD_LOW])


@jit.jit
def symbol_enclosing(rules, pool, counters, wide, cell):
    """The symbol whose child encloses a cell of the prefix, -1 for none."""
    if counters[DEPTH] == rules.max_depth:
        return np.int64(-1)
    cdf = pool.cdfs[counters[ROW]]
    # The last symbol whose child begins at or below the cell's first point, by bisection.
    symbol, above = np.int64(0), np.int64(len(cdf) - 1)
    while above - symbol > 1:
        middle = (symbol + above) // 2
        wide_integers.scale(wide[WIDTH], cdf[middle], rules.precision, wide[POINT])
        wide_integers.add(wide[POINT], wide[LOW], wide[POINT])
        wide_integers.round_up(wide[POINT], rules.precision, wide[POINT])
        wide_integers.shift_right(wide[POINT], rules.precision, wide[CELL])
        if wide_integers.less(cell, wide[CELL]):
            above = middle
        else:
            symbol = middle
    narrow(rules, pool, counters, wide, symbol)
    _enclosed(rules, wide, CHILD_LOW, CHILD_WIDTH)
    encloses = not wide_integers.less(cell, wide[FIRST]) and wide_integers.less(cell, wide[STOP])
    return symbol if encloses else np.int64(-1)
