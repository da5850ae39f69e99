"""Texts cut into pieces, and put together again: codes do not depend on how they are cut.

  - Decoding: windows of W bits stand at known places, so any run of them is a piece that begins
    where M1 begins afresh.
  - Encoding: a piece begins at a guess. Where M1 is reset, the windows that follow are a function
    of the text from there on and of nothing else, so two walks that meet at one such place go on
    alike: the one that comes later stops there. In the end the walk from the text's beginning is
    put together from the pieces that it meets. A walk from a wrong guess falls in with it after
    about as many windows as a window has bytes; what it found before that is thrown away.

When there are no more pieces, a lane that is free takes half of the longest that is left of
another's: a network takes its time whether all of its rows are used or one. Where M1 is never
reset, a text is one piece.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eiw import errors
from eiw.compressors import window_cells, window_lanes, window_walk

# Windows that a lane finds before they are taken from it.
_LOG = 512
# Texts are cut into about as many pieces as there are lanes, or more, if they would be longer.
_MAX_PIECE_BYTES, _MAX_PIECE_WINDOWS = 1 << 14, 1 << 11
# Texts that are encoded at the same time have this many bytes in all, or are one.
_SLAB_BYTES = 1 << 24


def encode(
    lanes: window_lanes.WindowLanes, texts: Sequence[bytes]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The cells of each text, uint64[n, L], and where each begins in it, int64[n]."""
    return [windows for slab in _slabs(texts) for windows in _Encoding(lanes, slab).run()]


def decode(lanes: window_lanes.WindowLanes, cells: Sequence[np.ndarray]) -> list[bytes]:
    """The texts of cells uint64[n, L].

    Raises:
      InputError: a cell is no text's, or that of one with EOS.
    """
    return _Decoding(lanes, cells).run()


class _Piece(NamedTuple):
    """What one walk found: windows from places `starts`, int64[n], in `cells`, uint64[n, L].

    The first window and every `reset_every`th from it begin with a fresh M1; `stop` is where the
    next window would begin.
    """

    starts: np.ndarray
    cells: np.ndarray
    stop: int


class _Encoding:
    """Encodes some texts; each job is (number of the text, where to begin, where others begin)."""

    def __init__(self, lanes: window_lanes.WindowLanes, texts: Sequence[bytes]) -> None:
        self._lanes = lanes
        self._text = np.frombuffer(b"".join(texts), np.uint8)
        self._bounds = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(int)
        self._claimed = np.zeros(len(self._text), bool)
        # Where the piece behind a lane's begins.
        self._limits = np.zeros(window_lanes.LANES, np.int64)
        # Walks meet after about as many windows as a window has bytes.
        self._min_piece = max(lanes.rules.window_bits**2 // 16, 16)
        self._queue = self._pieces_of_texts()
        self._starts = np.empty((window_lanes.LANES, _LOG), np.int64)
        self._cells = np.empty((window_lanes.LANES, _LOG, lanes.num_limbs), np.uint64)
        is_delay = lanes.rules.window_end == window_cells.DELAY
        path = lanes.rules.max_depth + 1 if is_delay else 1
        self._path = np.empty((window_lanes.LANES, path, lanes.num_limbs), np.uint64)
        self._logs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._pieces: list[list[_Piece]] = [[] for _ in texts]

    def run(self) -> list[tuple[np.ndarray, np.ndarray]]:
        self._lanes.run(self._next_job, self._begin, self._walk, self._stopped, self._symbols_at)
        return [self._join(number) for number in range(len(self._pieces))]

    def _pieces_of_texts(self) -> Iterator[tuple[int, int, int]]:
        size = max(len(self._text), 1)
        if self._lanes.rules.reset_every:
            size = min(max(size // window_lanes.LANES, self._min_piece), _MAX_PIECE_BYTES)
        for number, (start, end) in enumerate(itertools.pairwise(self._bounds.tolist())):
            for place in range(start, end, size):
                limit = min(place + size, end)
                # Else a walk came by while this waited, and goes on behind it.
                if not self._claimed[place:limit].any():
                    yield number, place, limit

    def _next_job(self, busy: list[int]) -> tuple[int, int, int] | None:
        job = next(self._queue, None)
        if job is not None or not busy or not self._lanes.rules.reset_every:
            return job
        places = self._lanes.counters[busy, window_cells.START]
        rests = self._limits[busy] - places
        longest = int(rests.argmax())
        if rests[longest] < 2 * self._min_piece:
            return None
        place = int(places[longest] + rests[longest] // 2)
        if self._claimed[place]:
            return None  # by a walk that went beyond its piece
        limit = int(self._limits[busy[longest]])
        self._limits[busy[longest]] = place
        return int(np.searchsorted(self._bounds, place, "right")) - 1, place, limit

    def _begin(self, lane: int, job: tuple[int, int, int]) -> None:
        number, place, self._limits[lane] = job
        self._claimed[place] = True
        self._logs[lane] = []
        self._lanes.begin(lane, place, int(self._bounds[number + 1]), 0)

    def _walk(self, numbers: np.ndarray) -> np.ndarray:
        lanes = self._lanes
        state = (lanes.rules, lanes.pool, numbers, lanes.counters, lanes.wide)
        log = (self._starts, self._cells, self._path)
        return window_walk.encode(*state, self._text, self._claimed, *log)

    def _stopped(self, lane: int, job: tuple[int, int, int], status: int) -> bool:
        counters = self._lanes.counters[lane]
        count = counters[window_cells.LOGGED]
        counters[window_cells.LOGGED] = 0
        self._logs[lane].append(
            (self._starts[lane, :count].copy(), self._cells[lane, :count].copy())
        )
        if status != window_walk.DONE:
            return False
        stop = int(counters[window_cells.START])
        starts, cells = zip(*self._logs.pop(lane), strict=True)
        self._pieces[job[0]].append(_Piece(np.concatenate(starts), np.concatenate(cells), stop))
        return True

    def _symbols_at(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        return self._text[places].astype(np.int64)

    def _join(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows of one text: from piece to piece, from each its part behind the meeting."""
        place, end = self._bounds[number], self._bounds[number + 1]
        cells = [np.zeros((0, self._lanes.num_limbs), np.uint64)]
        starts = [np.zeros(0, np.int64)]
        pieces = self._pieces[number]
        # Places at which M1 began afresh; each was claimed by one walk alone.
        step = self._lanes.rules.reset_every or max(end - place, 1)
        fresh = [piece.starts[::step] for piece in pieces]
        owners = np.repeat(np.arange(len(pieces)), [len(places) for places in fresh])
        indices = np.concatenate([np.zeros(0, int), *(np.arange(len(p)) * step for p in fresh)])
        places = np.concatenate([np.zeros(0, int), *fresh])
        order = np.argsort(places)
        while place < end:
            entry = order[np.searchsorted(places, place, sorter=order)]
            piece = pieces[owners[entry]]
            cells.append(piece.cells[indices[entry] :])
            starts.append(piece.starts[indices[entry] :])
            place = piece.stop
        return np.concatenate(cells), np.concatenate(starts) - self._bounds[number]


class _Decoding:
    """Decodes some texts; each job is (number of the text, first cell, end of its cells)."""

    def __init__(self, lanes: window_lanes.WindowLanes, cells: Sequence[np.ndarray]) -> None:
        self._lanes = lanes
        counts = [len(one) for one in cells]
        self._bounds = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        self._cells = np.concatenate([np.zeros((0, lanes.num_limbs), np.uint64), *cells])
        room = 4 * max(lanes.rules.max_depth, 1024)
        self._texts = np.empty((window_lanes.LANES, room), np.uint8)
        self._parts: dict[int, list[bytes]] = {}
        self._found: list[dict[int, bytes]] = [{} for _ in cells]
        self._queue = self._pieces_of_texts()

    def run(self) -> list[bytes]:
        self._lanes.run(self._next_job, self._begin, self._walk, self._stopped, self._symbols_at)
        return [b"".join(found[first] for first in sorted(found)) for found in self._found]

    def _pieces_of_texts(self) -> Iterator[tuple[int, int, int]]:
        size = max(len(self._cells), 1)
        if step := self._lanes.rules.reset_every:
            size = -(-min(max(size // window_lanes.LANES, 1), _MAX_PIECE_WINDOWS) // step) * step
        for number, (start, end) in enumerate(itertools.pairwise(self._bounds.tolist())):
            for first in range(start, end, size):
                yield number, first, min(first + size, end)

    def _next_job(self, busy: list[int]) -> tuple[int, int, int] | None:
        job = next(self._queue, None)
        step = self._lanes.rules.reset_every
        if job is not None or not busy or not step:
            return job
        counters = self._lanes.counters
        # Whole resets from the beginning of the window that each lane is at.
        nexts = counters[busy, window_cells.WINDOW] + step - counters[busy, window_cells.AGE]
        rests = (counters[busy, window_cells.END] - nexts) // step
        longest = int(rests.argmax())
        if rests[longest] < 1:
            return None
        first = int(nexts[longest] + rests[longest] // 2 * step)
        end = int(counters[busy[longest], window_cells.END])
        counters[busy[longest], window_cells.END] = first
        return int(np.searchsorted(self._bounds, first, "right")) - 1, first, end

    def _begin(self, lane: int, job: tuple[int, int, int]) -> None:
        _, first, end = job
        self._parts[lane] = []
        self._lanes.begin(lane, 0, end, first)

    def _walk(self, numbers: np.ndarray) -> np.ndarray:
        lanes = self._lanes
        state = (lanes.rules, lanes.pool, numbers, lanes.counters, lanes.wide)
        return window_walk.decode(*state, self._texts, self._cells)

    def _stopped(self, lane: int, job: tuple[int, int, int], status: int) -> bool:
        if status == window_walk.FOREIGN:
            raise errors.InputError(
                "The codes hold a window that no text of bytes has: no encoder wrote it."
            )
        number, first, _ = job
        counters, text = self._lanes.counters[lane], self._texts[lane]
        start = int(counters[window_cells.START])
        if status == window_walk.DONE:
            self._parts[lane].append(text[:start].tobytes())
            self._found[number][first] = b"".join(self._parts.pop(lane))
            return True
        # Own rows of the pool are found by place, modulo their number.
        shift = start - start % self._lanes.pool.own_rows
        self._parts[lane].append(text[:shift].tobytes())
        text[: start - shift] = text[shift:start].copy()
        counters[[window_cells.START, window_cells.FED, window_cells.BASE]] -= shift
        return False

    def _symbols_at(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        return self._texts[numbers, places].astype(np.int64)


def _slabs(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    slab, size = [], 0
    for text in texts:
        if slab and size + len(text) > _SLAB_BYTES:
            yield slab
            slab, size = [], 0
        slab.append(text)
        size += len(text)
    yield slab
