"""Runs windows of many texts side by side, so that M1 always has a full batch.

Each lane walks over one piece of a text (`window_walk`) until it needs a CDF that is not known;
then M1 reads one symbol for all lanes. Codes do not depend on how texts are cut into pieces:

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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from eiw import errors
from eiw.coding import byte_model, lanes, wide_integers
from eiw.compressors import window_cells, window_format, window_walk

# As many as an exported network has rows.
_LANES = 64
# Windows that a lane finds before they are taken from it.
_LOG = 512
# Texts are cut into about as many pieces as there are lanes, or more, if they would be longer.
_MAX_PIECE_BYTES, _MAX_PIECE_WINDOWS = 1 << 14, 1 << 11
# Texts that are encoded at the same time have this many bytes in all, or are one.
_SLAB_BYTES = 1 << 24
# CDFs lie in 16 bits.
_MAX_PRECISION = 15


class WindowLanes:
    """Encodes to and decodes from cells of W bits; remembers M1's CDFs in a trie.

    Args:
      model: M1.
      settings: with which windows are made.
      max_nodes: prefixes that the trie holds at most, about half a kilobyte each.

    Raises:
      InputError: a byte model of more than 15 bits of precision.
    """

    def __init__(
        self, model: byte_model.ByteModel, settings: window_format.WindowFormat, max_nodes: int
    ) -> None:
        if model.precision > _MAX_PRECISION:
            raise errors.InputError(
                f"An M1 of {model.precision} bits of precision is too fine for these windows: "
                f"{_MAX_PRECISION} at most."
            )
        self._model, self._settings = model, settings
        self._rules = window_cells.Rules(
            settings.precision,
            settings.window_bits,
            settings.max_depth,
            settings.own_cell == "roundest",
            ("exact", "greedy", "delay").index(settings.window_end),
            settings.reset_every,
        )
        # The product of an interval's width with a count.
        product_bits = settings.window_bits + 2 * settings.precision + 1
        self.num_limbs = -(-product_bits // wide_integers.LIMB_BITS)
        is_trie = settings.reset_every == 1
        self._pool = _new_pool(
            model,
            max(max_nodes, 1) if is_trie else 1,
            2 if is_trie else settings.max_depth + 1,
            self.num_limbs,
        )
        self._counters = np.zeros((_LANES, window_cells.NUM_COUNTERS), np.int64)
        self._wide = np.zeros((_LANES, window_cells.NUM_WIDE, self.num_limbs), np.uint64)
        self._m1: lanes.Lanes | None = None
        # Nodes that M1 can go on from, by their number; see `lanes.Lanes`.
        self._entries = np.full(len(self._pool.parents), -1, np.int32)
        self._num_kept = 0

    @property
    def num_nodes(self) -> int:
        """Prefixes in the trie, the empty one included."""
        return int(self._pool.size[0])

    def trie_arrays(self) -> dict[str, np.ndarray]:
        """The trie, for `restore_trie`: what M1 need not be asked again."""
        count = self.num_nodes
        return {
            "parents": self._pool.parents[:count],
            "symbols": self._pool.symbols[:count],
            "cdfs": self._pool.cdfs[:count],
        }

    def restore_trie(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes over a trie of the same model and settings, as far as there is room for it."""
        count = min(len(arrays["parents"]), len(self._pool.parents))
        for name, array in arrays.items():
            getattr(self._pool, name)[:count] = array[:count]
        window_walk.rebuild(self._pool, count)

    def encode(self, texts: Sequence[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The cells of each text, uint64[n, L], and where each begins in it, int64[n]."""
        return [windows for slab in _slabs(texts) for windows in _Encoding(self, slab).run()]

    def decode(self, cells: Sequence[np.ndarray]) -> list[bytes]:
        """The texts of cells uint64[n, L].

        Raises:
          InputError: a cell is no text's, or that of one with EOS.
        """
        return _Decoding(self, cells).run()

    def run(
        self,
        next_job: Callable[[list[int]], Any],
        begin: Callable[[int, Any], None],
        walk: Callable[[np.ndarray], np.ndarray],
        stopped: Callable[[int, Any, int], bool],
        symbols_at: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:
        """Runs jobs to their ends, `_LANES` at a time.

        Args:
          next_job: from the numbers of the busy lanes to a job for another, None for none.
          begin: puts a lane at the start of a job.
          walk: lanes as far as they come, see `window_walk.encode`.
          stopped: handles a lane that stopped for something else than a CDF; whether it is done.
          symbols_at: what stands at a place, int64[n], in a lane's text.
        """
        if self._m1 is None:
            self._m1 = lanes.open_lanes(self._model, _LANES)
        free, running = list(range(_LANES))[::-1], {}
        while True:
            while free and (job := next_job(list(running))) is not None:
                begin(free[-1], job)
                running[free.pop()] = job
            if not running:
                return
            numbers = np.fromiter(running, np.int64)
            statuses = walk(numbers)
            rest = np.flatnonzero(statuses != window_walk.MISS)
            for lane, status in zip(numbers[rest].tolist(), statuses[rest], strict=True):
                if stopped(lane, running[lane], status):
                    del running[lane]
                    free.append(lane)
            if not len(rest):
                self._feed(numbers, symbols_at)

    def _feed(
        self, numbers: np.ndarray, symbols_at: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> None:
        """M1 reads a symbol in each lane."""
        counters, bank_entries = self._counters, self._m1.bank_entries
        has_bank = bank_entries > 0 and self._rules.reset_every == 1
        fresh = counters[numbers, window_cells.FED] == counters[numbers, window_cells.BASE]
        if has_bank:
            begins = numbers[fresh]
            entries = np.full((len(begins), self._m1.bank_depth), -1, np.int64)
            counts = window_walk.paths(self._pool, begins, counters, self._entries, entries)
            if counts.any():
                resumed = np.flatnonzero(counts)
                self._m1.resume(begins[resumed], entries[resumed], counts[resumed])
                counters[begins, window_cells.FED] += counts
                fresh[fresh] = counts == 0
        fed = counters[numbers, window_cells.FED]
        symbols = symbols_at(numbers, fed)
        cdfs = self._m1.feed(numbers, symbols, fresh)
        nodes = window_walk.store(self._rules, self._pool, numbers, counters, symbols, cdfs)
        if has_bank:
            depths = fed + 1 - counters[numbers, window_cells.BASE]
            is_new = (nodes >= 0) & (depths <= self._m1.bank_depth)
            is_new[is_new] = self._entries[nodes[is_new]] < 0
            # Two lanes can have the same prefix; one of them is enough.
            _, first = np.unique(nodes[is_new], return_index=True)
            new = np.flatnonzero(is_new)[first][: bank_entries - self._num_kept]
            if len(new):
                places = self._num_kept + np.arange(len(new))
                self._entries[nodes[new]] = places
                self._num_kept += len(new)
                self._m1.keep(numbers[new], places)

    def begin(self, lane: int, start: int, end: int, window: int) -> None:
        """Puts a lane before its first window, at a fresh M1."""
        counters = self._counters[lane]
        counters[window_cells.START], counters[window_cells.END] = start, end
        counters[window_cells.WINDOW], counters[window_cells.LOGGED] = window, 0
        window_walk.begin_window(self._rules, self._pool, counters, self._wide[lane], lane, True)


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

    def __init__(self, owner: WindowLanes, texts: Sequence[bytes]) -> None:
        self._owner = owner
        self._text = np.frombuffer(b"".join(texts), np.uint8)
        self._bounds = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(int)
        self._claimed = np.zeros(len(self._text), bool)
        # Where the piece behind a lane's begins.
        self._limits = np.zeros(_LANES, np.int64)
        # Walks meet after about as many windows as a window has bytes.
        self._min_piece = max(owner._rules.window_bits**2 // 16, 16)
        self._queue = self._pieces_of_texts()
        self._starts = np.empty((_LANES, _LOG), np.int64)
        self._cells = np.empty((_LANES, _LOG, owner.num_limbs), np.uint64)
        is_delay = owner._rules.window_end == window_cells.DELAY
        path = owner._rules.max_depth + 1 if is_delay else 1
        self._path = np.empty((_LANES, path, owner.num_limbs), np.uint64)
        self._logs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._pieces: list[list[_Piece]] = [[] for _ in texts]

    def run(self) -> list[tuple[np.ndarray, np.ndarray]]:
        self._owner.run(self._next_job, self._begin, self._walk, self._stopped, self._symbols_at)
        return [self._join(number) for number in range(len(self._pieces))]

    def _pieces_of_texts(self) -> Iterator[tuple[int, int, int]]:
        size = max(len(self._text), 1)
        if self._owner._rules.reset_every:
            size = min(max(size // _LANES, self._min_piece), _MAX_PIECE_BYTES)
        for number, (start, end) in enumerate(itertools.pairwise(self._bounds.tolist())):
            for place in range(start, end, size):
                limit = min(place + size, end)
                # Else a walk came by while this waited, and goes on behind it.
                if not self._claimed[place:limit].any():
                    yield number, place, limit

    def _next_job(self, busy: list[int]) -> tuple[int, int, int] | None:
        job = next(self._queue, None)
        if job is not None or not busy or not self._owner._rules.reset_every:
            return job
        places = self._owner._counters[busy, window_cells.START]
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
        self._owner.begin(lane, place, int(self._bounds[number + 1]), 0)

    def _walk(self, numbers: np.ndarray) -> np.ndarray:
        owner = self._owner
        state = (owner._rules, owner._pool, numbers, owner._counters, owner._wide)
        log = (self._starts, self._cells, self._path)
        return window_walk.encode(*state, self._text, self._claimed, *log)

    def _stopped(self, lane: int, job: tuple[int, int, int], status: int) -> bool:
        counters = self._owner._counters[lane]
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
        cells = [np.zeros((0, self._owner.num_limbs), np.uint64)]
        starts = [np.zeros(0, np.int64)]
        pieces = self._pieces[number]
        # Places at which M1 began afresh; each was claimed by one walk alone.
        step = self._owner._rules.reset_every or max(end - place, 1)
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

    def __init__(self, owner: WindowLanes, cells: Sequence[np.ndarray]) -> None:
        self._owner = owner
        counts = [len(one) for one in cells]
        self._bounds = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        self._cells = np.concatenate([np.zeros((0, owner.num_limbs), np.uint64), *cells])
        room = 4 * max(owner._rules.max_depth, 1024)
        self._texts = np.empty((_LANES, room), np.uint8)
        self._parts: dict[int, list[bytes]] = {}
        self._found: list[dict[int, bytes]] = [{} for _ in cells]
        self._queue = self._pieces_of_texts()

    def run(self) -> list[bytes]:
        self._owner.run(self._next_job, self._begin, self._walk, self._stopped, self._symbols_at)
        return [b"".join(found[first] for first in sorted(found)) for found in self._found]

    def _pieces_of_texts(self) -> Iterator[tuple[int, int, int]]:
        size = max(len(self._cells), 1)
        if step := self._owner._rules.reset_every:
            size = -(-min(max(size // _LANES, 1), _MAX_PIECE_WINDOWS) // step) * step
        for number, (start, end) in enumerate(itertools.pairwise(self._bounds.tolist())):
            for first in range(start, end, size):
                yield number, first, min(first + size, end)

    def _next_job(self, busy: list[int]) -> tuple[int, int, int] | None:
        job = next(self._queue, None)
        step = self._owner._rules.reset_every
        if job is not None or not busy or not step:
            return job
        counters = self._owner._counters
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
        self._owner.begin(lane, 0, end, first)

    def _walk(self, numbers: np.ndarray) -> np.ndarray:
        owner = self._owner
        state = (owner._rules, owner._pool, numbers, owner._counters, owner._wide)
        return window_walk.decode(*state, self._texts, self._cells)

    def _stopped(self, lane: int, job: tuple[int, int, int], status: int) -> bool:
        if status == window_walk.FOREIGN:
            raise errors.InputError(
                "The codes hold a window that no text of bytes has: no encoder wrote it."
            )
        number, first, _ = job
        counters, text = self._owner._counters[lane], self._texts[lane]
        start = int(counters[window_cells.START])
        if status == window_walk.DONE:
            self._parts[lane].append(text[:start].tobytes())
            self._found[number][first] = b"".join(self._parts.pop(lane))
            return True
        # Own rows of the pool are found by place, modulo their number.
        shift = start - start % self._owner._pool.own_rows
        self._parts[lane].append(text[:shift].tobytes())
        text[: start - shift] = text[shift:start].copy()
        counters[[window_cells.START, window_cells.FED, window_cells.BASE]] -= shift
        return False

    def _symbols_at(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        return self._texts[numbers, places].astype(np.int64)


def _new_pool(
    model: byte_model.ByteModel, max_nodes: int, own_rows: int, num_limbs: int
) -> window_cells.Pool:
    """A pool with the root. Memory that is never written to is never taken."""
    rows = max_nodes + _LANES * own_rows
    pool = window_cells.Pool(
        cdfs=np.empty((rows, model.alphabet_size + 1), np.uint16),
        codes=np.empty((rows, num_limbs), np.uint64),
        notes=np.zeros(rows, np.uint8),
        parents=np.zeros(max_nodes, np.int32),
        symbols=np.zeros(max_nodes, np.int16),
        table=np.full(1 << (2 * max_nodes).bit_length(), -1, np.int32),
        size=np.ones(1, np.int64),
        own_rows=own_rows,
    )
    pool.cdfs[0] = model.start(1)[1][0]
    return pool


def _slabs(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    slab, size = [], 0
    for text in texts:
        if slab and size + len(text) > _SLAB_BYTES:
            yield slab
            slab, size = [], 0
        slab.append(text)
        size += len(text)
    yield slab
