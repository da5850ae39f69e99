"""All texts that have a window of W bits, found by running a byte model over their trie once.

The rules are those of `equal_info`, here in 64-bit integers and for many texts at a time. The trie
is walked level by level in slices of bounded size: the states of a whole level of M1 can take
gigabytes, so each slice is followed to its leaves before the next one begins.
"""

import dataclasses
from typing import Any

import numpy as np

from eiw import errors, progress, vocab
from eiw.coding import byte_model, jit
from eiw.compressors import window_format

# A product of an interval's width and a CDF's count takes W + 2 P bits; this many fit.
_MAX_PRODUCT_BITS = 62
_MAX_WINDOW_BITS = 20

# Texts of one slice. A network runs smaller batches; wide slices keep those full.
_SLICE = 4096

# Columns of int64[n, 6] texts of one length: number, row of the parent in its slice, last symbol,
# interval [low, low + width), and the cell that the first symbol reserves (-1 for none).
_NUMBER, _PARENT, _SYMBOL, _LOW, _WIDTH, _RESERVED = range(6)


@dataclasses.dataclass(frozen=True)
class WindowTexts:
    """The V texts that encoding knows: first those that codes decode to, ordered by them.

    Of exact windows there are no others.

    Attributes:
      text_bytes: uint8[sum of lengths], one text after another.
      text_offsets: int64[V + 1], where each begins, and the end.
      cells: int32[V], the code of each text; of exact windows one of its own cells.
      owners: int32[2^W], the text that each cell decodes to, -1 for none (one with EOS, say).
    """

    text_bytes: np.ndarray
    text_offsets: np.ndarray
    cells: np.ndarray
    owners: np.ndarray


@dataclasses.dataclass(frozen=True)
class WindowTrie:
    """All n texts of bytes that fit into a window. Text 0 is empty; a parent comes before a child.

    Attributes:
      parents: int32[n], the text without its last symbol; of the empty text itself.
      symbols: int16[n], the last symbol.
      first_cells, end_cells: int32[n], a text's interval encloses the cells from first to end - 1.
      codes: int32[2^W], the text that has this cell as its exact code, -1 for none.
      owners: int32[2^W], the text that owns this cell, -1 for texts with EOS.
    """

    parents: np.ndarray
    symbols: np.ndarray
    first_cells: np.ndarray
    end_cells: np.ndarray
    codes: np.ndarray
    owners: np.ndarray

    def spell(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The bytes of texts int[m] one after another, uint8[k], and offsets, int64[m + 1]."""
        lengths = np.zeros(len(self.parents), np.int64)
        _fill_lengths(self.parents, lengths)
        text_offsets = np.concatenate([[0], np.cumsum(lengths[numbers])])
        text_bytes = np.empty(text_offsets[-1], np.uint8)
        _spell(self.parents, self.symbols, numbers, text_offsets, text_bytes)
        return text_bytes, text_offsets


@dataclasses.dataclass
class _Slice:
    """Texts of one length whose states are still to be made from their parents'."""

    parent_state: Any
    texts: np.ndarray
    depth: int


def enumerate_windows(
    model: byte_model.ByteModel, settings: window_format.WindowFormat
) -> WindowTexts:
    """Finds every text of bytes that has a code. Texts with EOS own their cells but get none.

    Raises:
      InputError: windows so wide that their trie would have millions of texts.
    """
    trie = walk_windows(model, settings)
    cells = np.flatnonzero(trie.codes >= 0).astype(np.int32)
    numbers = trie.codes[cells]
    # Every text that owns a cell has a code, so owners can be renumbered by it.
    renumbered = np.full(len(trie.parents), -1, np.int32)
    renumbered[numbers] = np.arange(len(numbers))
    text_bytes, text_offsets = trie.spell(numbers)
    owners = np.where(trie.owners < 0, -1, renumbered[trie.owners])
    return WindowTexts(text_bytes, text_offsets, cells, owners)


def walk_windows(model: byte_model.ByteModel, settings: window_format.WindowFormat) -> WindowTrie:
    """Runs the model over every text of bytes that fits, whether it has a code or not.

    Raises:
      InputError: windows so wide that their trie would have millions of texts.
    """
    widest = min(_MAX_WINDOW_BITS, _MAX_PRODUCT_BITS - 2 * settings.precision)
    if settings.window_bits > widest:
        raise errors.InputError(
            f"Windows of {settings.window_bits} bits are too wide to compile: {widest} at most."
        )
    num_cells = 1 << settings.window_bits
    owners = np.full(num_cells, -1, np.int32)
    codes = np.full(num_cells, -1, np.int32)  # the text that has this cell as its code
    # The empty text, which has number 0 and no parent.
    parents, symbols = [np.zeros(1, np.int32)], [np.zeros(1, np.int16)]
    first_cells, end_cells = [np.zeros(1, np.int32)], [np.full(1, num_cells, np.int32)]
    num_texts = 1
    unit = num_cells << settings.precision
    state, cdfs = model.start(1)
    work = _Slice(None, np.array([[0, 0, 0, 0, unit, -1]], np.int64), 0)
    waiting = []
    with progress.bar("Compiling windows", total=num_cells, unit="cell") as bar:
        while True:
            children, num_owned = _expand(work, cdfs, settings, num_texts, owners, codes)
            bar.update(num_owned)
            parents.append(work.texts[children[:, _PARENT], _NUMBER].astype(np.int32))
            symbols.append(children[:, _SYMBOL].astype(np.int16))
            lows, highs = children[:, _LOW], children[:, _LOW] + children[:, _WIDTH]
            first_cells.append((-(-lows >> settings.precision)).astype(np.int32))
            end_cells.append((highs >> settings.precision).astype(np.int32))
            num_texts += len(children)
            waiting += [
                # Copied, so that a waiting slice does not hold the others'.
                _Slice(state, children[first : first + _SLICE].copy(), work.depth + 1)
                for first in range(0, len(children), _SLICE)
            ]
            if not waiting:
                break
            work = waiting.pop()
            state, cdfs = _run_model(model, work, settings.max_depth)
    arrays = (np.concatenate(parts) for parts in (parents, symbols, first_cells, end_cells))
    return WindowTrie(*arrays, codes, owners)


def _run_model(model: byte_model.ByteModel, work: _Slice, max_depth: int) -> tuple[Any, np.ndarray]:
    """State and CDFs of a slice. Nothing follows a text at the cap, so no CDFs: [n, 0]."""
    if work.depth == max_depth:
        return None, np.zeros((len(work.texts), 0), np.uint32)
    state = model.take(work.parent_state, work.texts[:, _PARENT])
    work.parent_state = None  # the last slice of a level frees its parents'
    return model.advance(state, work.texts[:, _SYMBOL])


def _expand(
    work: _Slice,
    cdfs: np.ndarray,
    settings: window_format.WindowFormat,
    first_number: int,
    owners: np.ndarray,
    codes: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Hands out the cells of a slice: the children, int64[n, 6], and how many cells were owned."""
    children = np.empty((len(work.texts) * max(cdfs.shape[1] - 1, 0), 6), np.int64)
    num_children, num_owned = _expand_texts(
        work.texts,
        np.ascontiguousarray(cdfs),
        work.depth,
        settings.precision,
        settings.own_cell == "roundest",
        first_number,
        owners,
        codes,
        children,
    )
    return children[:num_children], num_owned


@jit.jit
def _expand_texts(
    texts, cdfs, depth, precision, roundest, first_number, owners, codes, children
):  # fmt: skip
    """See `window_node.WindowNode`, whose rules these are; `depth` is the length of `texts`."""
    cell_mask = (np.int64(1) << precision) - 1
    num_children, num_owned = 0, 0
    for row in range(len(texts)):
        number, low, width = texts[row, _NUMBER], texts[row, _LOW], texts[row, _WIDTH]
        reserved = texts[row, _RESERVED]
        first, end = (low + cell_mask) >> precision, (low + width) >> precision
        code = np.int64(-1)
        if cdfs.shape[1] == 0:
            for cell in range(first, end):
                if cell != reserved:
                    code = _better_code(code, cell, roundest)
                    owners[cell] = number
                    num_owned += 1
        last_owned = np.int64(-1)
        # The boundaries between children: each cuts at most one cell.
        for symbol in range(1, cdfs.shape[1] - 1):
            point = low + ((width * np.int64(cdfs[row, symbol])) >> precision)
            cell = point >> precision
            if point & cell_mask and first <= cell < end and cell not in (last_owned, reserved):
                code = _better_code(code, cell, roundest)
                owners[cell] = number
                num_owned += 1
                last_owned = cell
        if depth == 1 and code < 0:
            reserved = code = first
            owners[first] = number
            num_owned += 1
        if code >= 0:
            codes[code] = number
        for symbol in range(min(cdfs.shape[1] - 1, vocab.NUM_BYTES)):
            left = low + ((width * np.int64(cdfs[row, symbol])) >> precision)
            right = low + ((width * np.int64(cdfs[row, symbol + 1])) >> precision)
            if (left + cell_mask) >> precision < right >> precision:
                child = children[num_children]
                child[_NUMBER], child[_PARENT] = first_number + num_children, row
                child[_SYMBOL], child[_RESERVED] = symbol, reserved
                child[_LOW], child[_WIDTH] = left, right - left
                num_children += 1
    return num_children, num_owned


@jit.jit
def _better_code(code, cell, roundest):
    """The better of two cells for a code, the first of them smaller or -1."""
    if code < 0 or (roundest and cell & -cell > code & -code and code != 0):
        return cell
    return code


@jit.jit
def _fill_lengths(parents, lengths):
    for number in range(1, len(parents)):  # a parent has a lower number
        lengths[number] = lengths[parents[number]] + 1


@jit.jit
def _spell(parents, symbols, numbers, text_offsets, text_bytes):
    for index in range(len(numbers)):
        number = numbers[index]
        for place in range(text_offsets[index + 1] - 1, text_offsets[index] - 1, -1):
            text_bytes[place] = symbols[number]
            number = parents[number]
