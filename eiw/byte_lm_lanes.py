"""Lanes of a network: rows of its one program, each at a position of its own.

Many windows begin alike. What the network has to know of a prefix to read on is the keys and values
of its symbols, so those of short prefixes are kept in a bank, one entry for each prefix's last
symbol: a lane takes them from there and begins behind them. They are copies, bit for bit.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from eiw.models import decode_step, kv_cache
from eiw.models.decode_step import Cache

# Reads a token int32[B] in each row at its position int32[B]: the cache, and the CDFs after it.
Program = Callable[[Cache, np.ndarray, np.ndarray], tuple[Cache, jax.Array]]

# Entries: 6 kB each for the paper's M1. Longer prefixes are rarely met twice.
_BANK_ENTRIES = 1 << 14
_BANK_DEPTH = 8
# Lanes that take from the bank in one run of a program.
_TAKERS = 16
_PAD = 0


class NetworkLanes:
    """See `eiw.coding.lanes.Lanes`; more lanes than rows are run in groups, without a bank.

    A row that is not fed reads padding. That leaves no trace: its keys go to the slot of the row's
    next token, and give way to that token's before anything reads them.

    Args:
      count: lanes.
      rows: B, of the program.
      context: slots of its cache.
      program: what runs.
      empty_cache: makes one.
      first: the cache after the token that begins every text, which it has in every row's slot 0.
      to_tokens: symbols int64[n] to ids int32[n].
    """

    def __init__(
        self,
        count: int,
        rows: int,
        context: int,
        program: Program,
        empty_cache: Callable[[], Cache],
        first: Cache,
        to_tokens: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._rows, self._program = rows, program
        self._first, self._to_tokens = first, to_tokens
        num_groups = -(-count // rows)
        self._caches = [empty_cache() for _ in range(num_groups)]
        self._lengths = [np.zeros(rows, np.int32)] * num_groups
        self.bank_depth = min(_BANK_DEPTH, context - 1)
        self.bank_entries = _BANK_ENTRIES if num_groups == 1 and self.bank_depth else 0
        self._bank: Cache = {}

    def feed(self, lanes: np.ndarray, symbols: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """See `Lanes`."""
        tokens = self._to_tokens(np.asarray(symbols))
        cdfs: np.ndarray | None = None
        groups, rows = np.divmod(lanes, self._rows)
        for group in np.unique(groups):
            mine = np.flatnonzero(groups == group)
            begins = rows[mine[fresh[mine]]]
            if len(begins):
                self._begin(group, begins)
            filled = np.full(self._rows, _PAD, np.int32)
            filled[rows[mine]] = tokens[mine]
            self._caches[group], new = self._program(
                self._caches[group], self._lengths[group], filled
            )
            # A new array: the program may still be reading the old one.
            grown = np.bincount(rows[mine], minlength=self._rows).astype(np.int32)
            self._lengths[group] = self._lengths[group] + grown
            new = np.asarray(new)
            if cdfs is None:
                cdfs = np.empty((len(lanes), new.shape[1]), np.uint32)
            cdfs[mine] = new[rows[mine]]
        return cdfs

    def keep(self, lanes: np.ndarray, entries: np.ndarray) -> None:
        """See `Lanes`."""
        if not self._bank:
            leaves = jax.eval_shape(decode_step.with_rows, self._caches[0])
            self._bank = {
                path: jnp.zeros((self.bank_entries, *_without_slots(path, leaf)), leaf.dtype)
                for path, leaf in leaves.items()
            }
        places = np.full(self._rows, self.bank_entries, np.int32)  # out of the bank: dropped
        places[lanes] = entries
        slots = np.maximum(self._lengths[0] - 1, 0)
        self._bank = _keep(self._bank, self._caches[0], slots, places)

    def resume(self, lanes: np.ndarray, entries: np.ndarray, counts: np.ndarray) -> None:
        """See `Lanes`."""
        self._begin(0, lanes)
        for first in range(0, len(lanes), _TAKERS):
            some = lanes[first : first + _TAKERS]
            rows = np.full(_TAKERS, self._rows, np.int32)  # out of the cache: dropped
            rows[: len(some)] = some
            taken = np.zeros((_TAKERS, self.bank_depth), np.int32)
            taken[: len(some)] = entries[first : first + _TAKERS]
            self._caches[0] = _resume(self._caches[0], self._bank, rows, taken)
        lengths = self._lengths[0].copy()
        lengths[lanes] += counts.astype(np.int32)
        self._lengths[0] = lengths

    def _begin(self, group: int, rows: np.ndarray) -> None:
        """Puts rows behind the token that begins every text."""
        is_fresh = np.zeros(self._rows, bool)
        is_fresh[rows] = True
        self._caches[group] = _write_first_slot(self._caches[group], self._first, is_fresh)
        self._lengths[group] = np.where(is_fresh, np.int32(1), self._lengths[group])


def _slot_axis(path: tuple[str, ...]) -> int:
    return kv_cache.SLOT_AXES[path[-1]]


def _without_slots(path: tuple[str, ...], leaf: jax.Array) -> tuple[int, ...]:
    """The shape of one token in one row."""
    axis = _slot_axis(path)
    return (*leaf.shape[1:axis], *leaf.shape[axis + 1 :])


@jax.jit(donate_argnames="cache")
def _write_first_slot(cache: Cache, first: Cache, is_fresh_B: jax.Array) -> Cache:
    """`cache` with the first slot of some rows replaced by that of `first`'s row 0."""
    first = decode_step.with_rows(first)

    def write(path: tuple[str, ...], leaf: jax.Array) -> jax.Array:
        axis = _slot_axis(path)
        new = jax.lax.slice_in_dim(first[path][:1], 0, 1, axis=axis)
        old = jax.lax.slice_in_dim(leaf, 0, 1, axis=axis)
        chosen = jnp.where(is_fresh_B[:, None, None, None], jnp.broadcast_to(new, old.shape), old)
        return jax.lax.dynamic_update_slice_in_dim(leaf, chosen, 0, axis=axis)

    leaves = decode_step.with_rows(cache)
    return decode_step.kept({path: write(path, leaf) for path, leaf in leaves.items()})


@jax.jit(donate_argnames="bank")
def _keep(bank: Cache, cache: Cache, slots_B: jax.Array, places_B: jax.Array) -> Cache:
    """`bank` with one slot of each row of `cache` in its place."""

    def one(path: tuple[str, ...], leaf: jax.Array) -> jax.Array:
        pick = jax.vmap(
            lambda row, slot: jax.lax.dynamic_index_in_dim(
                row, slot, axis=_slot_axis(path) - 1, keepdims=False
            )
        )
        return bank[path].at[places_B].set(pick(leaf, slots_B), mode="drop")

    leaves = decode_step.with_rows(cache)
    return {path: one(path, leaf) for path, leaf in leaves.items()}


@jax.jit(donate_argnames="cache")
def _resume(cache: Cache, bank: Cache, rows_N: jax.Array, entries_ND: jax.Array) -> Cache:
    """`cache` with entries in the slots from 1 on of some rows; unused ones are not yet filled."""

    def one(path: tuple[str, ...], leaf: jax.Array) -> jax.Array:
        axis = _slot_axis(path)
        taken = jnp.moveaxis(bank[path][entries_ND], 1, axis)
        slots = slice(1, 1 + entries_ND.shape[1])
        if axis == 3:
            return leaf.at[rows_N, :, :, slots].set(taken, mode="drop")
        return leaf.at[rows_N, :, slots].set(taken, mode="drop")

    leaves = decode_step.with_rows(cache)
    return decode_step.kept({path: one(path, leaf) for path, leaf in leaves.items()})
