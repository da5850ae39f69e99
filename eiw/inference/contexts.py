"""What a decoder pays for a stream of ids, in contexts as those that it was trained on.

Each context begins with PAD_ID, the sign for "begin", wherever in a document it starts: so do the
examples of training. The stream is cut into pieces of `stride` ids. A piece is scored at the end of
a context of `length` ids, or after all that stands before it where that is less: every id is scored
once, and given at least `length - stride` ids where there are as many. A stride of `length` puts
contexts one after another; shorter strides let them slide, which costs `length / stride` times as
much and shows what the model does with a context that is never short.

Letters: B contexts in a batch, T ids in a context, S ids of it that are scored, C positions in a
chunk, N chunks, D embedding.
"""

import dataclasses
import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import partitioning

from eiw import errors, vocab
from eiw.models import axes as model_axes
from eiw.models import decoder
from eiw.training import hosts

# Positions whose logits exist at the same time: 67 MB of float32 at 65,536 ids. Twice as many are
# slower on a CPU, whose caches they leave.
_CHUNK_TOKENS = 256


@dataclasses.dataclass(frozen=True)
class Contexts:
    """How a stream of ids is cut to be scored.

    Attributes:
      length: ids in a context; best that of training.
      stride: ids that a context scores, its last ones; None: all of them, one context after
        another.
      batch_size: contexts scored together; changes nothing but speed and memory.

    Raises:
      InputError: a number below 1, or a stride beyond the length.
    """

    length: int
    stride: int | None = None
    batch_size: int = 1

    def __post_init__(self) -> None:
        if self.length < 1 or self.batch_size < 1:
            raise errors.InputError(
                f"length ({self.length}) and batch_size ({self.batch_size}) must be at least 1."
            )
        if self.stride is not None and not 1 <= self.stride <= self.length:
            raise errors.InputError(
                f"The stride is {self.stride}: give 1 to {self.length}, the ids of a context, or "
                "none for contexts one after another."
            )

    @property
    def scored(self) -> int:
        """Ids that a context scores."""
        return self.length if self.stride is None else self.stride


def stream_nats(
    model: decoder.Decoder, params: dict, ids: np.ndarray, contexts: Contexts
) -> Iterator[np.ndarray]:
    """-log p of every id, in the stream's order: float64[k] for one batch of contexts at a time.

    Args:
      model: its `config.vocab_size` ids are what probability is spread over.
      params: its "params" collection, on host or device, sharded or not.
      ids: int[n], maybe a memory map. Padding among them is scored like any id: who pads throws
        those nats away.
      contexts: how to cut them.
    """
    length, stride, batch = contexts.length, contexts.scored, contexts.batch_size
    chunk = max(1, min(stride, _CHUNK_TOKENS // batch))
    for first in range(0, len(ids), batch * stride):
        # The compiled shape is always the same: padding stands behind the text, where no id of the
        # text can see it, and in rows of its own.
        targets_BT = np.full((batch, length), vocab.PAD_ID, np.int32)
        places_B = np.arange(first, first + batch * stride, stride)
        starts_B = np.maximum(places_B + stride - length, 0)
        for row, place, start in zip(targets_BT, places_B, starts_B, strict=True):
            if place < len(ids):
                part = ids[start : start + length]
                row[: len(part)] = part
        inputs_BT = np.pad(targets_BT[:, :-1], ((0, 0), (1, 0)), constant_values=vocab.PAD_ID)
        before_B = (places_B - starts_B).astype(np.int32)
        nats_BS = hosts.gather(
            _score_batch(model, params, inputs_BT, targets_BT, before_B, stride, chunk)
        )
        yield nats_BS.astype(np.float64).reshape(-1)[: len(ids) - first]


@functools.partial(jax.jit, static_argnames=("model", "stride", "chunk_length"))
def _score_batch(
    model: decoder.Decoder,
    params: dict,
    inputs_BT: jax.Array,
    targets_BT: jax.Array,
    before_B: jax.Array,
    stride: int,
    chunk_length: int,
) -> jax.Array:
    """nats_BS: -log p of the `stride` targets behind the first `before` ones of each context.

    The head runs on those alone, `chunk_length` positions at a time. Inside a mesh the contexts are
    divided over it, as a batch is in training.
    """
    with partitioning.axis_rules(model_axes.MESH_RULES):
        inputs_BT = partitioning.with_sharding_constraint(inputs_BT, ("batch", "length"))
        hidden_BSD = model.apply({"params": params}, inputs_BT, targets_BT, method="hidden")
    targets_BS = targets_BT
    if stride < targets_BT.shape[1]:
        places_BS = before_B[:, None] + jnp.arange(stride, dtype=jnp.int32)[None]
        hidden_BSD = jnp.take_along_axis(hidden_BSD, places_BS[..., None], axis=1)
        targets_BS = jnp.take_along_axis(targets_BT, places_BS, axis=1)
    head_DV = model.head_kernel(params)

    def chunk_nats(chunk: tuple[jax.Array, jax.Array]) -> jax.Array:
        hidden_BCD, targets_BC = chunk
        logits_BCV = decoder.logits_of(hidden_BCD, head_DV, model.config)
        picked_BC = jnp.take_along_axis(logits_BCV, targets_BC[..., None], axis=-1)[..., 0]
        return jax.nn.logsumexp(logits_BCV, axis=-1) - picked_BC

    chunks = (_chunks(hidden_BSD, chunk_length), _chunks(targets_BS, chunk_length))
    nats_NBC = jax.lax.map(chunk_nats, chunks)
    return jnp.moveaxis(nats_NBC, 0, 1).reshape(len(targets_BS), -1)[:, :stride]


def _chunks(x_BSr: jax.Array, chunk_length: int) -> jax.Array:
    """[B, S, ...] -> [N, B, C, ...], zeros after the end. The batch, which a mesh cuts, stays."""
    batch, length, *rest = x_BSr.shape
    count = -(-length // chunk_length)
    padding = [(0, 0), (0, count * chunk_length - length)] + [(0, 0)] * len(rest)
    x_BSr = jnp.pad(x_BSr, padding)
    return jnp.moveaxis(x_BSr.reshape(batch, count, chunk_length, *rest), 1, 0)
