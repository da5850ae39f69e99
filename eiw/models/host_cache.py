"""Rows of a cache that lie on the host: more than a program takes, so that it runs in turns.

They are numpy arrays with the axis of rows, and of the slots only little more than are in use.
"""

import functools

import jax
import numpy as np

from eiw.models import decode_step, kv_cache
from eiw.models.decode_step import Cache


def from_device(cache: Cache, length: int) -> Cache:
    """A copy of all rows of a program's cache, of which each has read `length` tokens."""
    # Powers of two: each number of slots is a program of its own to copy them.
    return jax.tree.map(np.asarray, _read_slots(cache, 1 << (length - 1).bit_length()))


@functools.partial(jax.jit, donate_argnames="cache")
def to_device(cache: Cache, rows: Cache) -> Cache:
    """`cache`, a program's, with its first slots replaced by all slots of `rows`, in place."""
    rows = decode_step.kept(rows)
    return {
        path: jax.lax.dynamic_update_slice(leaf, rows[path], (0,) * leaf.ndim)
        for path, leaf in cache.items()
    }


@functools.partial(jax.jit, static_argnames="slots")
def _read_slots(cache: Cache, slots: int) -> Cache:
    """The first `slots` slots, or all there are."""

    def read(leaf: jax.Array, axis: int) -> jax.Array:
        return jax.lax.slice_in_dim(leaf, 0, min(slots, leaf.shape[axis]), axis=axis)

    leaves = decode_step.with_rows(cache)
    return {path: read(leaf, kv_cache.SLOT_AXES[path[-1]]) for path, leaf in leaves.items()}
