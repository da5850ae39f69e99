"""Exact bits/byte of a decoder on held-out documents (paper, 3.8).

The documents' ids, EOS after each, are one stream that is cut into contexts of a fixed length, as
in training. Every id is scored once, given those before it in its context. Sums of nats and of
bytes are kept apart, for each document, and divided last.

Letters: B contexts in a batch, T ids in a context, C positions in a chunk, N chunks, D embedding.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import partitioning

from eiw import errors, progress, vocab
from eiw.data import token_files
from eiw.models import axes as model_axes
from eiw.models import decoder
from eiw.training import hosts

# Positions whose logits exist at the same time: 67 MB of float32 at 65,536 ids. Twice as many are
# slower on a CPU, whose caches they leave.
_CHUNK_TOKENS = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What a model pays for each document.

    Attributes:
      document_nats: float64[documents], cross-entropy summed over a document's ids and its EOS.
      document_tokens: int64[documents], ids scored, EOS included.
      document_bytes: int64[documents], bytes of the raw text, without EOS.
    """

    document_nats: np.ndarray
    document_tokens: np.ndarray
    document_bytes: np.ndarray

    @property
    def nats(self) -> float:
        """Cross-entropy summed over all ids."""
        return float(self.document_nats.sum())

    @property
    def tokens(self) -> int:
        """Ids scored, EOS included, padding not."""
        return int(self.document_tokens.sum())

    @property
    def bytes(self) -> int:
        """Bytes of the raw text, without EOS."""
        return int(self.document_bytes.sum())

    @property
    def bits_per_byte(self) -> float:
        """All bits over all bytes: EOS is paid for, but is no byte."""
        return self.nats / math.log(2) / self.bytes

    @property
    def standard_error(self) -> float | None:
        """Of `bits_per_byte`, over documents; None for fewer than two.

        A ratio's (Cochran, Sampling Techniques, 2.11): documents are drawn, their lengths as much
        as their nats, so what counts is how far each is from the common ratio.
        """
        count = len(self.document_nats)
        if count < 2:
            return None
        residuals = self.document_nats - self.nats / self.bytes * self.document_bytes
        spread = math.sqrt(count / (count - 1) * float(np.square(residuals).sum()))
        return spread / self.bytes / math.log(2)


def score(
    model: decoder.Decoder,
    params: dict,
    token_file: token_files.TokenFile,
    length: int,
    batch_size: int,
) -> Score:
    """Scores every document of `token_file`.

    Args:
      model: its `config.vocab_size` ids are what probability is spread over.
      params: the model's "params" collection, on host or device, sharded or not.
      token_file: whole documents.
      length: ids in a context; best that of training.
      batch_size: contexts scored together; changes nothing but speed and memory.

    Raises:
      InputError: no bytes to divide by, another number of ids than the model's, or nats that are
        not finite.
      ValueError: length or batch_size below 1.
    """
    if length < 1 or batch_size < 1:
        raise ValueError(f"length ({length}) and batch_size ({batch_size}) must be positive.")
    num_ids = token_file.vocab_size + vocab.NUM_SPECIAL_IDS
    if num_ids != model.config.vocab_size:
        raise errors.InputError(
            f"The text has {num_ids} ids, the model {model.config.vocab_size}: it was trained on "
            "another compressor's codes."
        )
    offsets, document_bytes = token_file.offsets, token_file.byte_counts
    if not document_bytes.sum():
        raise errors.InputError("Nothing to score: the held-out documents have no bytes.")

    stream = token_file.ids
    document_nats = np.zeros(len(document_bytes), np.float64)
    with progress.bar("Score", total=len(stream), unit="tok") as bar:
        for start in range(0, len(stream), batch_size * length):
            ids = np.asarray(stream[start : start + batch_size * length], np.int32)
            nats = _nats_of_ids(model, params, ids, length, batch_size)
            positions = np.arange(start, start + len(ids))
            owners = np.searchsorted(offsets, positions, side="right") - 1
            document_nats += np.bincount(owners, nats, minlength=len(document_nats))
            bar.update(len(ids))
    if not np.isfinite(document_nats).all():
        raise errors.InputError("The model's nats are not finite: its training diverged.")
    return Score(document_nats, np.diff(offsets), document_bytes)


def score_examples(
    model: decoder.Decoder, params: dict, targets_NT: np.ndarray, batch_size: int
) -> tuple[float, int]:
    """(nats, ids) of examples that are contexts by themselves; padding is neither.

    Args:
      model: the network.
      params: as of `score`.
      targets_NT: int32[N, T], padded at their ends.
      batch_size: examples scored together; changes nothing but speed and memory.

    Raises:
      InputError: the nats are not finite.
    """
    length, total = targets_NT.shape[1], 0.0
    starts = range(0, len(targets_NT), batch_size)
    for start in progress.track(starts, "Score", unit="batch"):
        ids_BT = targets_NT[start : start + batch_size]
        nats = _nats_of_ids(model, params, ids_BT.reshape(-1), length, batch_size)
        total += float(nats[ids_BT.reshape(-1) != vocab.PAD_ID].sum())
    if not math.isfinite(total):
        raise errors.InputError("The model's nats are not finite: its training diverged.")
    return total, int(np.count_nonzero(targets_NT != vocab.PAD_ID))


def paper_bits_per_byte(loss_nats_per_token: float, bytes_per_token: float) -> float:
    """The paper's formula (3.8): tokens/bytes * nats / ln 2.

    The paper counts EOS as a byte in `bytes_per_token` and takes it from the whole validation set;
    with both numbers from one `Score` this is its `bits_per_byte`.
    """
    return loss_nats_per_token / bytes_per_token / math.log(2)


def _nats_of_ids(
    model: decoder.Decoder, params: dict, ids: np.ndarray, length: int, batch_size: int
) -> np.ndarray:
    """float64[n] of n <= batch_size * length contiguous ids, the first of which starts a context.

    The shape that is compiled is always the same: padding, whose nats are thrown away here, stands
    behind the text, where no id of the text can see it.
    """
    targets = np.full(batch_size * length, vocab.PAD_ID, np.int32)
    targets[: len(ids)] = ids
    targets_BT = targets.reshape(batch_size, length)
    inputs_BT = np.pad(targets_BT[:, :-1], ((0, 0), (1, 0)), constant_values=vocab.PAD_ID)
    chunk_length = max(1, min(length, _CHUNK_TOKENS // batch_size))
    nats_BT = hosts.gather(_score_batch(model, params, inputs_BT, targets_BT, chunk_length))
    return nats_BT.astype(np.float64).reshape(-1)[: len(ids)]


@functools.partial(jax.jit, static_argnames=("model", "chunk_length"))
def _score_batch(
    model: decoder.Decoder,
    params: dict,
    inputs_BT: jax.Array,
    targets_BT: jax.Array,
    chunk_length: int,
) -> jax.Array:
    """nats_BT: -log p of each target. The head runs on `chunk_length` positions at a time.

    Inside a mesh the contexts are divided over it, as a batch is in training.
    """
    with partitioning.axis_rules(model_axes.MESH_RULES):
        inputs_BT = partitioning.with_sharding_constraint(inputs_BT, ("batch", "length"))
        hidden_BTD = model.apply({"params": params}, inputs_BT, targets_BT, method="hidden")
    head_DV = model.head_kernel(params)
    batch, length = targets_BT.shape

    def chunk_nats(chunk: tuple[jax.Array, jax.Array]) -> jax.Array:
        hidden_BCD, targets_BC = chunk
        logits_BCV = decoder.logits_of(hidden_BCD, head_DV, model.config)
        picked_BC = jnp.take_along_axis(logits_BCV, targets_BC[..., None], axis=-1)[..., 0]
        return jax.nn.logsumexp(logits_BCV, axis=-1) - picked_BC

    chunks = (_chunks(hidden_BTD, chunk_length), _chunks(targets_BT, chunk_length))
    nats_NBC = jax.lax.map(chunk_nats, chunks)
    return jnp.moveaxis(nats_NBC, 0, 1).reshape(batch, -1)[:, :length]


def _chunks(x_BTr: jax.Array, chunk_length: int) -> jax.Array:
    """[B, T, ...] -> [N, B, C, ...], zeros after the end. The batch, which a mesh cuts, stays."""
    batch, length, *rest = x_BTr.shape
    count = -(-length // chunk_length)
    padding = [(0, 0), (0, count * chunk_length - length)] + [(0, 0)] * len(rest)
    x_BTr = jnp.pad(x_BTr, padding)
    return jnp.moveaxis(x_BTr.reshape(batch, count, chunk_length, *rest), 1, 0)
