"""One window at a time, compiled: the rules of `window_node` on integers of any width.

W = 128 at precision 14 asks for products of 157 bits, so points and cells are L limbs of 32 bits,
lowest first, in uint64: the product of a limb and a count, with its carry, then fits into one.

A lane is a walk over texts. It stops when it needs the CDF after a prefix that nobody knows
(`MISS`), and goes on when that is there. CDFs lie in the rows of a `Pool`: row 0 is the one that
every fresh M1 begins with; then come those of the trie, which all lanes share; then the lanes' own.
Where M1 is kept over windows, a prefix is not all that its CDF depends on: there is no trie, and a
lane's own rows hold the CDFs after its last symbols, one after another.
"""

from typing import NamedTuple

import numpy as np

from eiw import vocab
from eiw.coding import jit, wide_integers

# Why a lane stopped: for a CDF, for room to write to, at its end, at a cell that is no text's.
MISS, FULL, DONE, FOREIGN = range(4)
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
_UNKNOWN, _NO_CODE, _HAS_CODE, _RESERVES = range(4)

_MASK = np.uint64((1 << 32) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
# Multiplier of the hash: 2^64 divided by the golden ratio.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


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
def begin_window(rules, pool, counters, wide, lane, is_fresh):
    """At the empty prefix; `is_fresh` says that M1 begins here too."""
    if is_fresh:
        counters[BASE] = counters[FED] = counters[START]
        counters[AGE] = 0
    counters[DEPTH] = counters[BEST] = 0
    counters[ARRIVED] = -1
    counters[ROW] = _row_after(pool, counters, lane, counters[START])
    wide[LOW, :] = wide[WIDTH, :] = _ZERO
    unit = rules.window_bits + rules.precision
    wide[WIDTH, unit // 32] = _ONE << np.uint64(unit % 32)


@jit.jit
def encode(rules, pool, lanes, counters, wide, text, claimed, starts, cells, path):
    """Runs each of some lanes as far as the CDFs reach, and says where it stopped: uint8[n].

    Args:
      rules, pool: format and CDFs.
      lanes: int64[n].
      counters, wide: int64[lanes, ..], uint64[lanes, .., L].
      text: uint8[m], all texts.
      claimed: bool[m], whether M1 began afresh at this place in some lane: one walk goes on there.
      starts, cells: int64[lanes, k], uint64[lanes, k, L], the log: windows' places and codes.
      path: uint64[lanes, max_depth + 1, L], codes of all prefixes; for `DELAY` only.
    """
    statuses = np.empty(len(lanes), np.uint8)
    for index, lane in enumerate(lanes):
        arguments = (counters[lane], wide[lane], text, claimed, starts[lane], cells[lane])
        statuses[index] = _encode_lane(rules, pool, lane, *arguments, path[lane])
    return statuses


@jit.jit
def _encode_lane(rules, pool, lane, counters, wide, text, claimed, starts, cells, path):
    while counters[LOGGED] < len(starts):
        while True:  # to the end of the window
            _note_code(rules, pool, counters, wide, path)
            place = counters[START] + counters[DEPTH]
            if place == counters[END] or counters[DEPTH] == rules.max_depth:
                break
            _narrow(rules, pool, counters, wide, np.int64(text[place]))
            if not _fits(rules, wide, CHILD_LOW, CHILD_WIDTH):
                break
            if not _descend(rules, pool, counters, wide, lane, np.int64(text[place])):
                return MISS
        if rules.window_end == DELAY:
            counters[BEST] = 1
            while not wide_integers.equal(path[counters[BEST]], wide[CODE]):
                counters[BEST] += 1
        starts[counters[LOGGED]] = counters[START]
        cells[counters[LOGGED]] = wide[CODE]
        counters[LOGGED] += 1
        counters[START] += counters[BEST]
        counters[AGE] += 1
        place = counters[START]
        is_fresh = counters[AGE] == rules.reset_every
        if place == counters[END] or (is_fresh and claimed[place]):
            return DONE
        if is_fresh:
            claimed[place] = True
        begin_window(rules, pool, counters, wide, lane, is_fresh)
    return FULL


@jit.jit
def decode(rules, pool, lanes, counters, wide, texts, cells):
    """Runs each of some lanes as far as the CDFs reach, and says where it stopped: uint8[n].

    Args:
      rules, pool, lanes, counters, wide: as of `encode`.
      texts: uint8[lanes, k], where each lane writes.
      cells: uint64[m, L], all windows.
    """
    statuses = np.empty(len(lanes), np.uint8)
    for index, lane in enumerate(lanes):
        statuses[index] = _decode_lane(
            rules, pool, lane, counters[lane], wide[lane], texts[lane], cells
        )
    return statuses


@jit.jit
def _decode_lane(rules, pool, lane, counters, wide, text, cells):
    while counters[START] + rules.max_depth <= len(text):
        cell = cells[counters[WINDOW]]
        while not _is_found(rules, pool, counters, wide, cell):
            symbol = _symbol_enclosing(rules, pool, counters, wide, cell)
            if symbol < 0:
                if rules.window_end == EXACT:
                    counters[BEST] = counters[DEPTH]
                break
            if symbol == vocab.EOS_SYMBOL:
                counters[BEST] *= rules.window_end == GREEDY
                break
            text[counters[START] + counters[DEPTH]] = symbol
            _narrow(rules, pool, counters, wide, symbol)
            if not _descend(rules, pool, counters, wide, lane, symbol):
                return MISS
        if counters[BEST] == 0:
            return FOREIGN
        counters[START] += counters[BEST]
        counters[AGE] += 1
        counters[WINDOW] += 1
        if counters[WINDOW] == counters[END]:
            return DONE
        begin_window(rules, pool, counters, wide, lane, counters[AGE] == rules.reset_every)
    return FULL


@jit.jit
def store(rules, pool, lanes, counters, symbols, cdfs):
    """Takes in what M1 gave after one more symbol: the nodes of these prefixes, int64[n], -1: none.

    CDFs of prefixes that the trie knows are thrown away: M1 was only led past them.

    Args:
      rules, pool, lanes, counters: as of `encode`.
      symbols: int64[n].
      cdfs: uint32[n, A + 1].
    """
    nodes = np.full(len(lanes), -1, np.int64)
    for index, lane in enumerate(lanes):
        state = counters[lane]
        state[FED] += 1
        is_awaited = state[FED] == state[START] + state[DEPTH] + 1
        row = _row_after(pool, state, lane, state[FED])
        if rules.reset_every == 1 and state[ROW] < len(pool.parents):
            if is_awaited:
                nodes[index] = _add_node(pool, state[ROW], symbols[index], cdfs[index])
            else:
                nodes[index] = state[ROW]
                for _ in range(state[START] + state[DEPTH] - state[FED]):
                    nodes[index] = pool.parents[nodes[index]]
            if nodes[index] >= 0:
                continue
        if rules.reset_every != 1 or is_awaited:
            pool.cdfs[row] = cdfs[index]
            pool.notes[row] = _UNKNOWN
        if is_awaited:
            state[ARRIVED] = row
    return nodes


@jit.jit
def paths(pool, lanes, counters, entries, found):
    """How far the prefixes of lanes can be resumed: int64[n] symbols.

    Args:
      pool, lanes, counters: as of `encode`.
      entries: int32[nodes], which entry of a bank a node has, -1 for none.
      found: int64[n, D], the entries of the prefixes' beginnings; written.
    """
    counts = np.zeros(len(lanes), np.int64)
    for index, lane in enumerate(lanes):
        state = counters[lane]
        node, depth = state[ROW], state[DEPTH]
        if node >= len(pool.parents):
            continue
        counts[index] = min(depth, found.shape[1])
        while depth > 0:
            if depth <= found.shape[1]:
                found[index, depth - 1] = entries[node]
                if entries[node] < 0:
                    counts[index] = depth - 1
            node, depth = np.int64(pool.parents[node]), depth - 1
    return counts


@jit.jit
def _add_node(pool, parent, symbol, cdf):
    """The child of a node, made if it is not there; -1 if there is no room."""
    slot = _slot(pool, parent, symbol)
    if pool.table[slot] < 0 and pool.size[0] < len(pool.parents):
        node = pool.size[0]
        pool.size[0] += 1
        pool.cdfs[node] = cdf
        pool.notes[node] = _UNKNOWN
        pool.parents[node], pool.symbols[node] = parent, symbol
        pool.table[slot] = node
    return np.int64(pool.table[slot])


@jit.jit
def rebuild(pool, count):
    """Enters `count` nodes, whose CDFs, parents and symbols are there, into the table."""
    for node in range(1, count):
        pool.table[_slot(pool, np.int64(pool.parents[node]), np.int64(pool.symbols[node]))] = node
    pool.size[0] = count


@jit.jit
def _row_after(pool, counters, lane, place):
    """A row for the CDF after text[BASE : place] that is no node's, but for the empty one."""
    if place == counters[BASE]:
        return np.int64(0)
    return len(pool.cdfs) - (lane + 1) * pool.own_rows + place % pool.own_rows


@jit.jit
def _descend(rules, pool, counters, wide, lane, symbol):
    """Goes on to the child in `CHILD_LOW`, `CHILD_WIDTH`; False if its CDF is not known."""
    place = counters[START] + counters[DEPTH] + 1
    row, parent = counters[ARRIVED], counters[ROW]
    if rules.reset_every != 1:
        row = _row_after(pool, counters, lane, place) if place <= counters[FED] else np.int64(-1)
    elif counters[DEPTH] + 1 == rules.max_depth:
        row = _row_after(pool, counters, lane, place)  # nothing follows: no CDF is needed
    elif parent < len(pool.parents):
        slot = _slot(pool, parent, symbol)
        if pool.table[slot] >= 0:
            row = np.int64(pool.table[slot])
    if row < 0:
        return False
    counters[ROW], counters[ARRIVED] = row, -1
    counters[DEPTH] += 1
    wide[LOW], wide[WIDTH] = wide[CHILD_LOW], wide[CHILD_WIDTH]
    return True


@jit.jit
def _slot(pool, parent, symbol):
    """Where the table has this child, or where it belongs."""
    mask = np.int64(len(pool.table) - 1)
    slot = np.int64((np.uint64(parent * 512 + symbol) * _GOLDEN) >> np.uint64(20)) & mask
    while True:
        node = pool.table[slot]
        if node < 0 or (pool.parents[node] == parent and pool.symbols[node] == symbol):
            return slot
        slot = (slot + 1) & mask


@jit.jit
def _note_code(rules, pool, counters, wide, path):
    """Takes the prefix as the text to encode, if it has a code."""
    if counters[DEPTH] == 0:
        return
    note = _code(rules, pool, counters, wide)
    if note == _RESERVES:
        wide[RESERVED] = pool.codes[counters[ROW]]
    elif counters[DEPTH] == 1:
        wide[RESERVED] = _MASK  # no cell
    if note != _NO_CODE:
        wide[CODE] = pool.codes[counters[ROW]]
        counters[BEST] = counters[DEPTH]
        if rules.window_end == DELAY:
            path[counters[DEPTH]] = wide[CODE]


@jit.jit
def _is_found(rules, pool, counters, wide, cell):
    """Whether the prefix is seen to be the text of a cell; notes it if it could be."""
    depth = counters[DEPTH]
    if depth == 0 or (rules.window_end == EXACT and depth > 1):
        return False
    note = _code(rules, pool, counters, wide)
    is_code = wide_integers.equal(pool.codes[counters[ROW]], cell)
    if rules.window_end == EXACT:
        is_found = note == _RESERVES and is_code
    else:
        is_found = is_code and rules.window_end == DELAY
    if is_found or (is_code and rules.window_end == GREEDY):
        counters[BEST] = depth
    return is_found


@jit.jit
def _code(rules, pool, counters, wide):
    """What is known of the prefix, and `pool.codes[ROW]`, found out if it has to be."""
    row, depth = counters[ROW], counters[DEPTH]
    if row < len(pool.parents) and pool.notes[row] != _UNKNOWN:
        return pool.notes[row]
    _enclosed(rules, wide, LOW, WIDTH)
    code = pool.codes[row]
    if rules.window_end != EXACT:
        note = _HAS_CODE
        _roundest(rules, wide, code, whole=True)
    else:
        if depth == 1:
            wide[RESERVED] = _MASK
        if depth == rules.max_depth:
            has_code = _leaf_code(rules, wide, code)
        else:
            has_code = _own_code(rules, pool, counters, wide, code)
        note = _HAS_CODE if has_code else _NO_CODE
        if depth == 1 and not has_code:
            note = _RESERVES
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
def _fits(rules, wide, low, width):
    _enclosed(rules, wide, low, width)
    return wide_integers.less(wide[FIRST], wide[STOP])


@jit.jit
def _narrow(rules, pool, counters, wide, symbol):
    """Sets the child's interval."""
    cdf = pool.cdfs[counters[ROW]]
    wide_integers.scale(wide[WIDTH], cdf[symbol], rules.precision, wide[CHILD_LOW])
    wide_integers.scale(wide[WIDTH], cdf[symbol + 1], rules.precision, wide[CHILD_WIDTH])
    wide_integers.subtract(wide[CHILD_WIDTH], wide[CHILD_LOW], wide[CHILD_WIDTH])
    wide_integers.add(wide[CHILD_LOW], wide[LOW], wide[CHILD_LOW])


@jit.jit
def _symbol_enclosing(rules, pool, counters, wide, cell):
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
    _narrow(rules, pool, counters, wide, symbol)
    _enclosed(rules, wide, CHILD_LOW, CHILD_WIDTH)
    encloses = not wide_integers.less(cell, wide[FIRST]) and wide_integers.less(cell, wide[STOP])
    return symbol if encloses else np.int64(-1)
