"""Runs windows of many texts side by side, so that M1 always has a full batch.

Each lane walks over one piece of a text (`window_walk`, `window_jobs`) until it needs a CDF that is
not known; then M1 reads one symbol for all lanes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eiw import errors
from eiw.coding import byte_model, lanes, wide_integers
from eiw.compressors import window_cells, window_format, window_walk

# As many as an exported network has rows.
LANES = 64
# CDFs lie in 16 bits.
_MAX_PRECISION = 15


class WindowLanes:
    """Lanes, M1 for them all, and the trie of the CDFs that it gave.

    Attributes:
      rules, pool, counters, wide: what compiled walks work on, see `window_cells`.
      num_limbs: L, of cells.

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
        self._model = model
        self.rules = window_cells.Rules(
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
        self.pool = _new_pool(
            model,
            max(max_nodes, 1) if is_trie else 1,
            2 if is_trie else settings.max_depth + 1,
            self.num_limbs,
        )
        self.counters = np.zeros((LANES, window_cells.NUM_COUNTERS), np.int64)
        self.wide = np.zeros((LANES, window_cells.NUM_WIDE, self.num_limbs), np.uint64)
        self._m1: lanes.Lanes | None = None
        # Nodes that M1 can go on from, by their number; see `lanes.Lanes`.
        self._entries = np.full(len(self.pool.parents), -1, np.int32)
        self._num_kept = 0

    @property
    def num_nodes(self) -> int:
        """Prefixes in the trie, the empty one included."""
        return int(self.pool.size[0])

    def trie_arrays(self) -> dict[str, np.ndarray]:
        """The trie, for `restore_trie`: what M1 need not be asked again."""
        count = self.num_nodes
        return {
            "parents": self.pool.parents[:count],
            "symbols": self.pool.symbols[:count],
            "cdfs": self.pool.cdfs[:count],
        }

    def restore_trie(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes over a trie of the same model and settings, as far as there is room for it."""
        count = min(len(arrays["parents"]), len(self.pool.parents))
        for name, array in arrays.items():
            getattr(self.pool, name)[:count] = array[:count]
        window_walk.rebuild(self.pool, count)

    def run(
        self,
        next_job: Callable[[list[int]], Any],
        begin: Callable[[int, Any], None],
        walk: Callable[[np.ndarray], np.ndarray],
        stopped: Callable[[int, Any, int], bool],
        symbols_at: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:
        """Runs jobs to their ends, `LANES` at a time.

        Args:
          next_job: from the numbers of the busy lanes to a job for another, None for none.
          begin: puts a lane at the start of a job.
          walk: lanes as far as they come, see `window_walk.encode`.
          stopped: handles a lane that stopped for something else than a CDF; whether it is done.
          symbols_at: what stands at a place, int64[n], in a lane's text.
        """
        if self._m1 is None:
            self._entries[:] = -1
            self._num_kept = 0
            self._m1 = lanes.open_lanes(self._model, LANES)
        try:
            self._run(next_job, begin, walk, stopped, symbols_at)
        except errors.InputError:
            raise  # refused by `stopped`, between two turns of M1
        except BaseException:
            # Interrupted anywhere: what M1's lanes hold, and which prefixes, is not known any more.
            self._m1 = None
            raise

    def _run(self, next_job, begin, walk, stopped, symbols_at) -> None:
        """See `run`."""
        free, running = list(range(LANES))[::-1], {}
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
        counters, bank_entries = self.counters, self._m1.bank_entries
        has_bank = bank_entries > 0 and self.rules.reset_every == 1
        fresh = counters[numbers, window_cells.FED] == counters[numbers, window_cells.BASE]
        if has_bank:
            begins = numbers[fresh]
            entries = np.full((len(begins), self._m1.bank_depth), -1, np.int64)
            counts = window_walk.paths(self.pool, begins, counters, self._entries, entries)
            if counts.any():
                resumed = np.flatnonzero(counts)
                self._m1.resume(begins[resumed], entries[resumed], counts[resumed])
                counters[begins, window_cells.FED] += counts
                fresh[fresh] = counts == 0
        fed = counters[numbers, window_cells.FED]
        symbols = symbols_at(numbers, fed)
        cdfs = self._m1.feed(numbers, symbols, fresh)
        nodes = window_walk.store(self.rules, self.pool, numbers, counters, symbols, cdfs)
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
        counters = self.counters[lane]
        counters[window_cells.START], counters[window_cells.END] = start, end
        counters[window_cells.WINDOW], counters[window_cells.LOGGED] = window, 0
        window_walk.begin_window(self.rules, self.pool, counters, self.wide[lane], lane, True)


def _new_pool(
    model: byte_model.ByteModel, max_nodes: int, own_rows: int, num_limbs: int
) -> window_cells.Pool:
    """A pool with the root. Memory that is never written to is never taken."""
    rows = max_nodes + LANES * own_rows
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
