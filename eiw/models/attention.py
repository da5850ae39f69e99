"""Attention over whole sequences, and of one token over a cache. Pure functions, no parameters.

Both return what the heads read, before the output projection. Scores are not divided by the root
of the head's width: T5 folds that into the initial query kernel. Scores, bias and softmax are at
least float32; only then are the weights cast to the values' dtype.
"""

import jax
import jax.numpy as jnp

# Finite, so that a row whose keys are all masked gives an average and not NaN.
_MASKED = -1e9


def causal_attention(
    query_BTHK: jax.Array,
    key_BTHK: jax.Array,
    value_BTHK: jax.Array,
    bias_HN: jax.Array,
    segment_ids_BT: jax.Array | None = None,
    bidirectional_BT: jax.Array | None = None,
) -> jax.Array:
    """Each token reads itself and what stands before it: read_BTHK.

    Args:
      query_BTHK: queries.
      key_BTHK: keys of the same tokens.
      value_BTHK: values of the same tokens.
      bias_HN: bias by distance, at least T distances.
      segment_ids_BT: packed examples: tokens read only tokens of their own segment. Positions are
        not needed beside it: distances are the same in a segment as in the whole row.
      bidirectional_BT: non-zero marks a prefix whose tokens also read later tokens of it. The bias
        of a later token is that of distance zero.
    """
    length = query_BTHK.shape[1]
    position_T = jnp.arange(length)
    visible_BTS = (position_T[:, None] >= position_T[None, :])[None]
    if bidirectional_BT is not None:
        prefix_BT = bidirectional_BT != 0
        visible_BTS = visible_BTS | (prefix_BT[:, :, None] & prefix_BT[:, None, :])
    if segment_ids_BT is not None:
        visible_BTS = visible_BTS & (segment_ids_BT[:, :, None] == segment_ids_BT[:, None, :])

    bias_HTS = _spread(bias_HN[:, :length])
    scores_BHTS = jnp.einsum(
        "BTHK,BSHK->BHTS", query_BTHK, key_BTHK, preferred_element_type=bias_HTS.dtype
    )
    scores_BHTS = jnp.where(visible_BTS[:, None], scores_BHTS + bias_HTS[None], _MASKED)
    weights_BHTS = jax.nn.softmax(scores_BHTS).astype(value_BTHK.dtype)
    return jnp.einsum("BHTS,BSHK->BTHK", weights_BHTS, value_BTHK)


def cached_attention(
    query_BHK: jax.Array,
    key_BHKS: jax.Array,
    value_BHSK: jax.Array,
    bias_HN: jax.Array,
    distance_BS: jax.Array,
    filled_BS: jax.Array,
) -> jax.Array:
    """One token a row reads a cache that already holds it: read_BHK.

    Args:
      query_BHK: the token's query.
      key_BHKS: cached keys, slots last (layout: `kv_cache`).
      value_BHSK: cached values.
      bias_HN: bias by distance, S distances.
      distance_BS: int, how many tokens before the query each slot's token stands, 0 <= it < S.
        Its first axis may be 1: all rows stand at the same position.
      filled_BS: bool, of the same shape: slots that hold a token.
    """
    bias_BHS = jnp.moveaxis(bias_HN[:, distance_BS], 0, 1)
    scores_BHS = jnp.einsum(
        "BHK,BHKS->BHS", query_BHK, key_BHKS, preferred_element_type=bias_HN.dtype
    )
    bias_BHS = jnp.broadcast_to(bias_BHS, scores_BHS.shape)
    scores_BHS = jnp.where(filled_BS[:, None], scores_BHS + bias_BHS, _MASKED)
    weights_BHS = jax.nn.softmax(scores_BHS).astype(value_BHSK.dtype)
    return jnp.einsum("BHS,BHSK->BHK", weights_BHS, value_BHSK)


def _spread(bias_HT: jax.Array) -> jax.Array:
    """bias_HTS[h, t, s] = bias_HT[h, t - s] for s <= t, bias_HT[h, 0] for s > t.

    A Toeplitz matrix without a gather, whose gradient would be a scatter of T x T numbers: repeat
    a line of 2T biases, then read it in rows that are one shorter, so that each row begins one
    number earlier in the line than the row above it.
    """
    heads, length = bias_HT.shape
    # Distances T-1, ..., 1, 0, and T numbers for the later tokens; distance 0 is at T-1.
    line = jnp.concatenate(
        [bias_HT[:, ::-1], jnp.broadcast_to(bias_HT[:, :1], (heads, length))], axis=1
    )
    lines = jnp.broadcast_to(line[:, None], (heads, length, 2 * length)).reshape(heads, -1)
    rows = lines[:, length - 1 : -1].reshape(heads, length, 2 * length - 1)
    return rows[:, :, :length]
