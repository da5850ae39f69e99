"""One token a row through a decoder, and the cache that such programs hand on to the next step.

A decoder's own cache has positions among its leaves and the rows on the first axis of all others
(`kv_cache`). Between steps the positions are the caller's; and one row alone has no axis of rows.
XLA's CPU backend drops axes of one from matrix products: with one, it would write the token twice,
for the products and for the next step, into copies of the cache (see also `KVCache.append`).
"""

from typing import Any

import jax
from flax import traverse_util

from eiw.models import decoder, kv_cache

# Keys and values by their paths in the decoder's cache. What lies beyond a row's length is not
# read, so that rows can go back.
Cache = dict[tuple[str, ...], Any]

_NUM_AXES = 4


def kept(leaves: Cache) -> Cache:
    """What is handed on: of leaves with the axis of rows, without positions.

    The leaves may be a flattened cache of a decoder (unrolled layers).
    """
    return {
        path: leaf[0] if len(leaf) == 1 else leaf
        for path, leaf in leaves.items()
        if path[-1] in kv_cache.SLOT_AXES
    }


def with_rows(cache: Cache) -> Cache:
    """The leaves, the axis of rows in all of them, so that slots are at `kv_cache.SLOT_AXES`."""
    return {path: leaf if leaf.ndim == _NUM_AXES else leaf[None] for path, leaf in cache.items()}


@jax.jit
def take(cache: Cache, rows: jax.Array) -> Cache:
    """A copy of rows by their numbers, int[n], any of them often."""
    return kept({path: leaf[rows] for path, leaf in with_rows(cache).items()})


def read_token(
    model: decoder.Decoder,
    params: dict[str, Any],
    cache: Cache,
    lengths_B: jax.Array,
    tokens_B: jax.Array,
) -> tuple[Cache, jax.Array]:
    """A step, inside a program that donates the cache.

    Args:
      model: of unrolled layers.
      params: its parameters.
      cache: of B rows.
      lengths_B: int32[B], tokens that each row has read.
      tokens_B: int32[B], the next ones.

    Returns:
      The cache with the tokens in it, and logits_BV of what follows.
    """
    positions = {(*path[:-1], "cache_index"): lengths_B for path in cache}
    leaves = traverse_util.unflatten_dict(with_rows(cache) | positions)
    tokens_B1 = tokens_B[:, None]
    logits_B1V, variables = model.apply(
        {"params": params, "cache": leaves}, tokens_B1, tokens_B1, decode=True, mutable=["cache"]
    )
    return kept(traverse_util.flatten_dict(variables["cache"])), logits_B1V[:, 0]
