"""Cross entropy and z-loss of a language model, without ever holding the logits of a whole batch.

At V = 65,536 the logits of 8 x 512 tokens are a gigabyte, three times over in the backward pass.
So the head and the loss are one function, which works on a few positions of every sequence at a
time. The length is what is cut, not the batch: a mesh shards the batch, and it stays sharded.

Letters: B batch, T length, C positions in a chunk, N chunks, D embedding, V padded vocabulary.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp


class LossSums(NamedTuple):
    """Sums over tokens, never means: they add up over steps, batches and hosts.

    Attributes:
      nats: cross entropy alone, which is what bits/byte are made of.
      z_loss: the regulariser, coefficient included.
      weight: the sum of the loss weights (the number of tokens that count).
    """

    nats: jax.Array
    z_loss: jax.Array
    weight: jax.Array


def cross_entropy(
    hidden_BTD: jax.Array,
    kernel_DV: jax.Array,
    targets_BT: jax.Array,
    weights_BT: jax.Array,
    *,
    vocab_size: int,
    z_loss: float = 1e-4,
    chunk_length: int = 64,
) -> tuple[jax.Array, LossSums]:
    """The training loss summed over tokens, and its parts.

    The z-loss is T5X's: `z_loss * log(Z)^2` a token, Z the softmax's normaliser, which keeps the
    logits from drifting.

    Args:
      hidden_BTD: the decoder's last activations; their dtype is that of the matrix products.
      kernel_DV: the head, its vocabulary padded.
      targets_BT: int ids below `vocab_size`.
      weights_BT: float, 0 for padding.
      vocab_size: ids that exist; the columns beyond get no probability and no gradient.
      z_loss: coefficient of the z-loss.
      chunk_length: positions of each sequence whose logits exist at the same time.

    Returns:
      (sum of nats and z-loss, the sums apart), in float32, or float64 if the activations are. Only
      the first carries a gradient, to the activations and the head; the sums are for the record.
    """
    if not 0 < vocab_size <= kernel_DV.shape[1]:
        raise ValueError(f"vocab_size {vocab_size} does not fit a head of {kernel_DV.shape[1]}.")
    if chunk_length < 1:
        raise ValueError(f"chunk_length must be positive, not {chunk_length}.")
    hidden_NBCD = _chunks(hidden_BTD, chunk_length)
    targets_NBC = _chunks(targets_BT, chunk_length)
    # The padding of the last chunk has weight 0.
    weights_NBC = _chunks(weights_BT.astype(_sum_dtype(hidden_BTD)), chunk_length)
    return _loss(hidden_NBCD, kernel_DV, targets_NBC, weights_NBC, vocab_size, z_loss)


def _sum_dtype(hidden: jax.Array) -> jnp.dtype:
    return jnp.float64 if hidden.dtype == jnp.float64 else jnp.float32


def _chunks(x_BTr: jax.Array, chunk_length: int) -> jax.Array:
    """[B, T, ...] -> [N, B, C, ...], zeros after the end."""
    batch, length, *rest = x_BTr.shape
    chunk_length = min(chunk_length, length)
    count = -(-length // chunk_length)
    padding = [(0, 0), (0, count * chunk_length - length)] + [(0, 0)] * len(rest)
    x_BTr = jnp.pad(x_BTr, padding)
    return jnp.moveaxis(x_BTr.reshape(batch, count, chunk_length, *rest), 1, 0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def _loss(
    hidden_NBCD: jax.Array,
    kernel_DV: jax.Array,
    targets_NBC: jax.Array,
    weights_NBC: jax.Array,
    vocab_size: int,
    z_loss: float,
) -> tuple[jax.Array, LossSums]:
    kernel_DV = kernel_DV.astype(hidden_NBCD.dtype)

    def add_chunk(sums: LossSums, chunk: tuple) -> tuple[LossSums, None]:
        hidden_BCD, targets_BC, weights_BC = chunk
        parts = _chunk_loss(hidden_BCD, kernel_DV, targets_BC, weights_BC, vocab_size, z_loss)
        return jax.tree.map(jnp.add, sums, parts[0]), None

    zero = jnp.zeros((), weights_NBC.dtype)
    chunks = (hidden_NBCD, targets_NBC, weights_NBC)
    sums, _ = jax.lax.scan(add_chunk, LossSums(zero, zero, zero), chunks)
    return sums.nats + sums.z_loss, sums


def _loss_forward(
    hidden_NBCD: jax.Array,
    kernel_DV: jax.Array,
    targets_NBC: jax.Array,
    weights_NBC: jax.Array,
    vocab_size: int,
    z_loss: float,
) -> tuple[tuple[jax.Array, LossSums], tuple[jax.Array, jax.Array]]:
    """The loss, and its gradients as residuals.

    The loss is one number, so its gradients are known up to a factor while a chunk's logits are
    still there: three matrix products a chunk, where recomputing the logits later would take four.
    """
    cast_DV = kernel_DV.astype(hidden_NBCD.dtype)

    def add_chunk(carry: tuple, chunk: tuple) -> tuple[tuple, jax.Array]:
        sums, d_kernel_DV = carry
        hidden_BCD, targets_BC, weights_BC = chunk
        parts, (exp_BCV, total_BC, log_z_BC) = _chunk_loss(
            hidden_BCD, cast_DV, targets_BC, weights_BC, vocab_size, z_loss
        )
        # d(nats)/d(logits) = softmax - onehot; the z-loss adds 2 * z_loss * log(Z) * softmax.
        scale_BC = weights_BC * (1 + 2 * z_loss * log_z_BC) / total_BC
        d_logits_BCV = exp_BCV * scale_BC[..., None]
        is_target_BCV = _ids(exp_BCV) == targets_BC[..., None]
        d_logits_BCV -= jnp.where(is_target_BCV, weights_BC[..., None], 0)
        d_logits_BCV = d_logits_BCV.astype(hidden_BCD.dtype)
        d_hidden_BCD = jnp.einsum("bcv,dv->bcd", d_logits_BCV, cast_DV)
        d_kernel_DV += jnp.einsum(
            "bcd,bcv->dv", hidden_BCD, d_logits_BCV, preferred_element_type=d_kernel_DV.dtype
        )
        return (jax.tree.map(jnp.add, sums, parts), d_kernel_DV), d_hidden_BCD

    zero = jnp.zeros((), weights_NBC.dtype)
    start = (LossSums(zero, zero, zero), jnp.zeros(kernel_DV.shape, weights_NBC.dtype))
    chunks = (hidden_NBCD, targets_NBC, weights_NBC)
    (sums, d_kernel_DV), d_hidden_NBCD = jax.lax.scan(add_chunk, start, chunks)
    d_kernel_DV = d_kernel_DV.astype(kernel_DV.dtype)
    return (sums.nats + sums.z_loss, sums), (d_hidden_NBCD, d_kernel_DV)


def _loss_backward(
    vocab_size: int,
    z_loss: float,
    gradients: tuple[jax.Array, jax.Array],
    cotangent: tuple[jax.Array, LossSums],
) -> tuple[jax.Array, jax.Array, None, None]:
    d_hidden_NBCD, d_kernel_DV = gradients
    factor = cotangent[0]
    return (
        d_hidden_NBCD * factor.astype(d_hidden_NBCD.dtype),
        d_kernel_DV * factor.astype(d_kernel_DV.dtype),
        None,
        None,
    )


_loss.defvjp(_loss_forward, _loss_backward)


def _chunk_loss(
    hidden_BCD: jax.Array,
    kernel_DV: jax.Array,
    targets_BC: jax.Array,
    weights_BC: jax.Array,
    vocab_size: int,
    z_loss: float,
) -> tuple[LossSums, tuple[jax.Array, jax.Array, jax.Array]]:
    """A chunk's sums, and (exp(logits - max), their sum, log Z) for the gradient."""
    dtype = _sum_dtype(hidden_BCD)
    logits_BCV = jnp.einsum("bcd,dv->bcv", hidden_BCD, kernel_DV, preferred_element_type=dtype)
    logits_BCV = jnp.where(_ids(logits_BCV) < vocab_size, logits_BCV, -jnp.inf)
    # A gather, which stays within shards where the mesh cuts the vocabulary.
    picked_BC = jnp.take_along_axis(logits_BCV, targets_BC[..., None], axis=-1)[..., 0]
    max_BC = jnp.max(logits_BCV, axis=-1)
    exp_BCV = jnp.exp(logits_BCV - max_BC[..., None])
    total_BC = jnp.sum(exp_BCV, axis=-1)
    log_z_BC = jnp.log(total_BC) + max_BC
    nats_BC = log_z_BC - picked_BC
    sums = LossSums(
        nats=jnp.sum(weights_BC * nats_BC),
        z_loss=jnp.sum(weights_BC * z_loss * jnp.square(log_z_BC)),
        weight=jnp.sum(weights_BC),
    )
    return sums, (exp_BCV, total_BC, log_z_BC)


def _ids(logits_BCV: jax.Array) -> jax.Array:
    """The id that each logit is for: int32, of the logits' shape."""
    return jax.lax.broadcasted_iota(jnp.int32, logits_BCV.shape, logits_BCV.ndim - 1)
