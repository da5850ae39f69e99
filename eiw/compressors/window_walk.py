"""Walks over texts, one window after the other, compiled; the rules are those of `window_cells`.

A lane is a walk. It stops when it needs the CDF after a prefix that nobody knows (`MISS`), and goes
on when that is there.
"""

import numpy as np

from eiw import vocab
from eiw.coding import jit, wide_integers
from eiw.compressors.window_cells import (
    AGE,
    ARRIVED,
    BASE,
    BEST,
    CHILD_LOW,
    CHILD_WIDTH,
    CODE,
    DELAY,
    DEPTH,
    END,
    EXACT,
    FED,
    GREEDY,
    LOGGED,
    LOW,
    NO_CODE,
    RESERVED,
    RESERVES,
    ROW,
    START,
    UNKNOWN,
    WIDTH,
    WINDOW,
    code_of,
    fits,
    narrow,
    symbol_enclosing,
)

# Why a lane stopped: for a CDF, for room to write to, at its end, at a cell that is no text's.
MISS, FULL, DONE, FOREIGN = range(4)

_MASK = np.uint64((1 << 32) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
# Multiplier of the hash: 2^64 divided by the golden ratio.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


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
            narrow(rules, pool, counters, wide, np.int64(text[place]))
            if not fits(rules, wide, CHILD_LOW, CHILD_WIDTH):
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
            symbol = symbol_enclosing(rules, pool, counters, wide, cell)
            if symbol < 0:
                if rules.window_end == EXACT:
                    counters[BEST] = counters[DEPTH]
                break
            if symbol == vocab.EOS_SYMBOL:
                counters[BEST] *= rules.window_end == GREEDY
                break
            text[counters[START] + counters[DEPTH]] = symbol
            narrow(rules, pool, counters, wide, symbol)
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
            pool.notes[row] = UNKNOWN
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
        pool.notes[node] = UNKNOWN
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
    note = code_of(rules, pool, counters, wide)
    if note == RESERVES:
        wide[RESERVED] = pool.codes[counters[ROW]]
    elif counters[DEPTH] == 1:
        wide[RESERVED] = _MASK  # no cell
    if note != NO_CODE:
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
    note = code_of(rules, pool, counters, wide)
    is_code = wide_integers.equal(pool.codes[counters[ROW]], cell)
    if rules.window_end == EXACT:
        is_found = note == RESERVES and is_code
    else:
        is_found = is_code and rules.window_end == DELAY
    if is_found or (is_code and rules.window_end == GREEDY):
        counters[BEST] = depth
    return is_found
