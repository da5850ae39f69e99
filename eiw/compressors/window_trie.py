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
    """The V texts that have a code, ordered by it.

    Attributes:
      text_bytes: uint8[sum of lengths], one text after another.
      text_offsets: int64[V + 1], where each begins, and the end.
      cells: int32[V], ascending: the code of each text, one of its own cells.
      owners: int32[2^W], the text that each cell belongs to, -1 for texts with EOS.
    """

    text_bytes: np.ndarray
    text_offsets: np.ndarray
    cells: np.ndarray
    owners: np.ndarray


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
    widest = min(_MAX_WINDOW_BITS, _MAX_PRODUCT_BITS - 2 * settings.precision)
    if settings.window_bits > widest:
        raise errors.InputError(
            f"Windows of {settings.window_bits} bits are too wide to compile: {widest} at most."
        )
    num_cells = 1 << settings.window_bits
    owners = np.full(num_cells, -1, np.int32)
    codes = np.full(num_cells, -1, np.int32)  # the text that has this cell as its code
    parents, symbols = [np.zeros(1, np.int32)], [np.zeros(1, np.int16)]
    num_texts = 1  # the empty text, which has number 0 and no parent
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
    return _in_order_of_codes(np.concatenate(parents), np.concatenate(symbols), codes, owners)


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
    """See `equal_info._Node`, whose rules these are; `depth` is the length of `texts`."""
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


def _in_order_of_codes(
    parents: np.ndarray, symbols: np.ndarray, codes: np.ndarray, owners: np.ndarray
) -> WindowTexts:
    cells = np.flatnonzero(codes >= 0).astype(np.int32)
    numbers = codes[cells]
    # Every text that owns a cell has a code, so owners can be renumbered by it.
    renumbered = np.full(len(parents), -1, np.int32)
    renumbered[numbers] = np.arange(len(numbers))
    lengths = np.zeros(len(parents), np.int64)
    _fill_lengths(parents, lengths)
    text_offsets = np.concatenate([[0], np.cumsum(lengths[numbers])])
    text_bytes = np.empty(text_offsets[-1], np.uint8)
    _spell(parents, symbols, numbers, text_offsets, text_bytes)
    return WindowTexts(
        text_bytes, text_offsets, cells, np.where(owners < 0, -1, renumbered[owners])
    )


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
