"""Attention over whole sequences, and of one token over a cache. Pure functions, no parameters.

Both return what the heads read, before the output projection. Scores are not divided by the root
of the head's width: T5 folds that into the initial query kernel. Scores, bias and softmax are at
least float32; only then are the weights cast to the values' dtype.

Over whole sequences the square of scores never exists: it is cut into blocks, those that no query
may read are not computed, and the backward pass computes each block again from the softmax's
normalisers (Dao et al. 2022). Blocks are static slices, so that every product is a plain matrix
product of known shape. Inside, scores are [keys, queries]: so the largest operand of each product
stands as the matrix units and the CPU's kernels want it, and only arrays as wide as a head are
ever transposed; softmax then runs down the columns.
"""

import jax
import jax.numpy as jnp

# Finite, so that a row whose keys are all masked gives an average and not NaN.
_MASKED = -1e9
# Wide enough for fast products, narrow enough that the blocks on the diagonal waste little.
_BLOCK = 128
# Blocks are unrolled; long sequences get wider ones, not more of them.
_MAX_BLOCKS = 16


@jax.custom_vjp
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
        of a later token is that of distance zero. No block can be left out then.
    """
    arguments = (query_BTHK, key_BTHK, value_BTHK, bias_HN, segment_ids_BT, bidirectional_BT)
    return _attention_forward(*arguments)[0]


def _attention_forward(
    query_BTHK: jax.Array,
    key_BTHK: jax.Array,
    value_BTHK: jax.Array,
    bias_HN: jax.Array,
    segment_ids_BT: jax.Array | None = None,
    bidirectional_BT: jax.Array | None = None,
) -> tuple[jax.Array, tuple]:
    """The result, and what the backward pass needs: inputs, result, log of the normalisers."""
    length = query_BTHK.shape[1]
    reads, log_sums = [], []
    for queries in _blocks(length):
        keys = slice(0, queries.stop if bidirectional_BT is None else length)
        scores_BHST = _scores(
            query_BTHK, key_BTHK, bias_HN, segment_ids_BT, bidirectional_BT, keys, queries
        )
        max_BH1T = jnp.max(scores_BHST, axis=2, keepdims=True)
        weights_BHST = jnp.exp(scores_BHST - max_BH1T)
        sum_BH1T = jnp.sum(weights_BHST, axis=2, keepdims=True)
        read_BHKT = jnp.einsum(
            "BSHK,BHST->BHKT",
            value_BTHK[:, keys],
            weights_BHST.astype(value_BTHK.dtype),
            preferred_element_type=scores_BHST.dtype,
        )
        reads.append((read_BHKT / sum_BH1T).astype(value_BTHK.dtype))
        log_sums.append(max_BH1T + jnp.log(sum_BH1T))
    read_BTHK = jnp.moveaxis(jnp.concatenate(reads, axis=3), 3, 1)
    inputs = (query_BTHK, key_BTHK, value_BTHK, bias_HN, segment_ids_BT, bidirectional_BT)
    return read_BTHK, (inputs, read_BTHK, jnp.concatenate(log_sums, axis=3))


def _attention_backward(saved: tuple, d_read_BTHK: jax.Array) -> tuple:
    """Gradients of queries, keys, values and bias, one block of keys after the other."""
    inputs, read_BTHK, log_sum_BH1T = saved
    query_BTHK, key_BTHK, value_BTHK, bias_HN, segment_ids_BT, bidirectional_BT = inputs
    batch, length, heads, width = query_BTHK.shape
    dtype, wide = query_BTHK.dtype, log_sum_BH1T.dtype
    blocks = _blocks(length)
    # The softmax's own backward pass subtracts the mean of its gradient, which is this product.
    # An einsum: XLA's sum of products takes seven times as long on CPU for a batch of one row.
    mean_BTH = jnp.einsum(
        "bthk,bthk->bth", d_read_BTHK.astype(wide), read_BTHK.astype(wide), precision="highest"
    )
    mean_BH1T = jnp.moveaxis(mean_BTH, 1, 2)[:, :, None]

    d_keys, d_values = [], []
    d_query_BHKT = jnp.zeros((batch, heads, width, length), wide)
    # Blocks are added up where their distances agree: column t of row s is of distance
    # t - s - later.
    later = 0 if bidirectional_BT is None else blocks[-1].start
    d_bias_HST = jnp.zeros((heads, blocks[0].stop, length + later), wide)
    for keys in blocks:
        queries = slice(keys.start if bidirectional_BT is None else 0, length)
        scores_BHST = _scores(
            query_BTHK, key_BTHK, bias_HN, segment_ids_BT, bidirectional_BT, keys, queries
        )
        weights_BHST = jnp.exp(scores_BHST - log_sum_BH1T[..., queries])
        d_weights_BHST = jnp.einsum(
            "BSHK,BTHK->BHST",
            value_BTHK[:, keys],
            d_read_BTHK[:, queries],
            preferred_element_type=wide,
        )
        d_scores_BHST = weights_BHST * (d_weights_BHST - mean_BH1T[..., queries])
        first = queries.start - keys.start + later
        d_bias_HST = d_bias_HST.at[
            :, : keys.stop - keys.start, first : first + queries.stop - queries.start
        ].add(jnp.sum(d_scores_BHST, axis=0))

        weights_BHST = weights_BHST.astype(dtype)
        d_scores_BHST = d_scores_BHST.astype(dtype)
        d_values.append(jnp.einsum("BHST,BTHK->BHSK", weights_BHST, d_read_BTHK[:, queries]))
        d_keys.append(jnp.einsum("BHST,BTHK->BHSK", d_scores_BHST, query_BTHK[:, queries]))
        d_query_BHKT = d_query_BHKT.at[..., queries].add(
            jnp.einsum(
                "BSHK,BHST->BHKT", key_BTHK[:, keys], d_scores_BHST, preferred_element_type=wide
            )
        )
    d_bias_HN = _sum_diagonals(d_bias_HST, later, bias_HN.shape[1])
    return (
        jnp.moveaxis(d_query_BHKT.astype(dtype), 3, 1),
        jnp.moveaxis(jnp.concatenate(d_keys, axis=2), 2, 1),
        jnp.moveaxis(jnp.concatenate(d_values, axis=2), 2, 1),
        d_bias_HN.astype(bias_HN.dtype),
        None,
        None,
    )


causal_attention.defvjp(_attention_forward, _attention_backward)


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


def _blocks(length: int) -> list[slice]:
    """Slices of up to `_BLOCK` tokens, or a `_MAX_BLOCKS`th of the length; the last one may be
    shorter."""
    size = max(_BLOCK, -(-length // _MAX_BLOCKS))
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _scores(
    query_BTHK: jax.Array,
    key_BTHK: jax.Array,
    bias_HN: jax.Array,
    segment_ids_BT: jax.Array | None,
    bidirectional_BT: jax.Array | None,
    keys: slice,
    queries: slice,
) -> jax.Array:
    """scores_BHST of a block, bias included, masked where a query may not read a key."""
    scores_BHST = jnp.einsum(
        "BSHK,BTHK->BHST",
        key_BTHK[:, keys],
        query_BTHK[:, queries],
        preferred_element_type=bias_HN.dtype,
    )
    # Where nobody reads later tokens, their bias is the mask.
    later_H1 = jnp.full_like(bias_HN[:, :1], _MASKED)
    if bidirectional_BT is not None:
        later_H1 = bias_HN[:, :1]
    scores_BHST += _spread(bias_HN, later_H1, keys, queries)[None]
    visible_BST = None
    if bidirectional_BT is not None:
        prefix_BT = bidirectional_BT != 0
        position_S1 = jnp.arange(keys.start, keys.stop)[:, None]
        earlier_ST = position_S1 <= jnp.arange(queries.start, queries.stop)[None]
        visible_BST = prefix_BT[:, keys, None] & prefix_BT[:, None, queries] | earlier_ST[None]
    if segment_ids_BT is not None:
        same_BST = segment_ids_BT[:, keys, None] == segment_ids_BT[:, None, queries]
        visible_BST = same_BST if visible_BST is None else visible_BST & same_BST
    if visible_BST is None:
        return scores_BHST
    return jnp.where(visible_BST[:, None], scores_BHST, _MASKED)


def _spread(bias_HN: jax.Array, later_H1: jax.Array, keys: slice, queries: slice) -> jax.Array:
    """bias_HST[h, s, t] = bias_HN[h, distance from key s to query t], or `later_H1` if negative.

    Row s is a window on the line of all the block's distances, one further left than the row
    above. XLA merges such windows into the loops that read them; a gather of single numbers, or
    a reshape that skews the rows, would make those loops several times slower.
    """
    heads, size = bias_HN.shape[0], queries.stop - queries.start
    lowest = queries.start - keys.stop + 1
    highest = queries.stop - 1 - keys.start
    line = jnp.concatenate(
        [
            jnp.broadcast_to(later_H1, (heads, max(0, -lowest))),
            bias_HN[:, max(0, lowest) : highest + 1],
        ],
        axis=1,
    )
    starts_S = jnp.arange(keys.stop - keys.start)[::-1]
    window = jax.vmap(lambda start: jax.lax.dynamic_slice_in_dim(line, start, size, axis=1), 0, 1)
    return window(starts_S)


def _sum_diagonals(x_HST: jax.Array, later: int, count: int) -> jax.Array:
    """sum_HN[h, n] of all x_HST[h, s, t] with t - s - later = n; negative distances go to 0.

    Padding flat rows to one number more than they have shifts each row by one against the last.
    """
    heads, rows, columns = x_HST.shape
    line = rows - 1 + columns
    flat = jnp.pad(x_HST, ((0, 0), (0, 0), (rows - 1, 0))).reshape(heads, rows * line)
    skewed = jnp.pad(flat, ((0, 0), (0, rows))).reshape(heads, rows, line + 1)
    # Column p holds distance p - (rows - 1) - later; the last column is padding.
    sum_HP = jnp.sum(skewed, axis=1)[:, :line]
    zero = rows - 1 + later
    negative_H1 = jnp.sum(sum_HP[:, :zero], axis=1, keepdims=True)
    sum_HN = sum_HP[:, zero : zero + count]
    sum_HN = sum_HN.at[:, :1].add(negative_H1)
    return jnp.pad(sum_HN, ((0, 0), (0, count - sum_HN.shape[1])))
