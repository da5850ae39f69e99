"""A trained decoder, one token at a time: prefilled in one pass, then cached (`models.kv_cache`).

Layers are unrolled, since a scan copies the cache at every step. Lengths of prompts are rounded up
to powers of two, so that there are few programs to compile. Every sequence begins with PAD_ID, the
sign for "begin", as in training.

Letters: B rows, T tokens of a prompt, K last places of it, V ids (padded), D embedding.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from eiw import vocab
from eiw.inference import contexts, sampling
from eiw.models import decode_step, decoder, layer_stacking


@dataclasses.dataclass
class Rows:
    """Sequences that are being decoded.

    Attributes:
      cache: of the network, see `decode_step`.
      lengths_B: int32[B], tokens read, "begin" among them.
    """

    cache: decode_step.Cache
    lengths_B: np.ndarray


class Network:
    """A decoder with its parameters.

    Args:
      model: the network as it was trained.
      params: its parameters, of scanned or of unrolled layers.
      context: tokens that it reads at most, "begin" among them; longer sequences roll on.
    """

    def __init__(self, model: decoder.Decoder, params: dict[str, Any], context: int) -> None:
        self.config = dataclasses.replace(
            model.config, scan_layers=False, dropout_rate=0.0, remat="none"
        )
        self.context = context
        self._model = decoder.Decoder(self.config)
        self._params = jax.tree.map(jnp.asarray, layer_stacking.unstack_layers(dict(params)))

    def prefill(self, prompts: Sequence[np.ndarray], last: int) -> tuple[Rows, np.ndarray]:
        """Reads prompts in one pass.

        Args:
          prompts: int[n] ids of each row, without "begin"; n < `context`.
          last: of how many places, counted from the end, the logits are wanted.

        Returns:
          The rows, and float32[B, last, V]: logits of what follows the place that is k tokens
          before the prompt's end, in column last - 1 - k. Where a prompt has no such place they
          are of its first one.
        """
        lengths_B = np.array([len(prompt) + 1 for prompt in prompts], np.int32)
        length = min(power_of_two(int(lengths_B.max())), self.context)
        tokens_BT = np.full((len(prompts), length), vocab.PAD_ID, np.int32)
        for row, prompt in zip(tokens_BT, prompts, strict=True):
            row[1 : len(prompt) + 1] = prompt
        count = power_of_two(last)
        places_BK = np.maximum(lengths_B[:, None] - count + np.arange(count, dtype=np.int32), 0)
        cache, logits_BKV = _prefill(
            self._model, self.context, self._params, tokens_BT, lengths_B, places_BK
        )
        return Rows(cache, lengths_B), np.asarray(logits_BKV)[:, count - last :]

    def take(self, rows: Rows, numbers: np.ndarray, back: np.ndarray) -> Rows:
        """Rows by their numbers int[n], any of them often, each without its last `back` tokens."""
        cache = rows.cache
        if numbers.tolist() != list(range(len(rows.lengths_B))):
            cache = decode_step.take(cache, numbers)
        return Rows(cache, rows.lengths_B[numbers] - back.astype(np.int32))

    def step(
        self,
        rows: Rows,
        ids_B: np.ndarray,
        allowed_BV: jax.Array | np.ndarray,
        keys_B: jax.Array,
        number: int,
        how: sampling.Sampling,
    ) -> np.ndarray:
        """Reads an id a row and draws the next: int32[B].

        Args:
          rows: go on by one token, in place.
          ids_B: int32[B].
          allowed_BV: bool[B, V] or [1, V]: which ids may be drawn.
          keys_B: a random key for each row.
          number: of this step; each draws by keys of its own, folded from these.
          how: the draw.
        """
        drawn_B, rows.cache = _step(
            self._model,
            how.kind,
            how.numbers,
            self._params,
            rows.cache,
            rows.lengths_B,
            ids_B,
            allowed_BV,
            keys_B,
            np.int32(number),
        )
        rows.lengths_B = rows.lengths_B + 1
        return np.asarray(drawn_B)

    def logits_at(self, tokens_BT: np.ndarray, places_B: np.ndarray) -> np.ndarray:
        """float32[B, V] at a place of each row, int32[B], of ids with "begin" before them."""
        return np.asarray(_logits_at(self._model, self._params, tokens_BT, places_B))

    def digest(self) -> bytes:
        """sha256 of the parameters."""
        digest = hashlib.sha256()
        for path, leaf in jax.tree_util.tree_leaves_with_path(self._params):
            digest.update(jax.tree_util.keystr(path).encode() + np.asarray(leaf).tobytes())
        return digest.digest()

    def nats(self, ids: np.ndarray, stride: int | None = None) -> float:
        """-log p of ids int[n], summed, in contexts as of `contexts.stream_nats`."""
        settings = contexts.Contexts(self.context, stride)
        parts = contexts.stream_nats(self._model, self._params, ids, settings)
        return float(sum(part.sum() for part in parts))


def power_of_two(number: int) -> int:
    """The least that is not less than `number`, which is at least 1."""
    return 1 << (number - 1).bit_length()


@functools.partial(jax.jit, static_argnames=("model", "slots"))
def _prefill(
    model: decoder.Decoder,
    slots: int,
    params: dict,
    tokens_BT: jax.Array,
    lengths_B: jax.Array,
    places_BK: jax.Array,
) -> tuple[decode_step.Cache, jax.Array]:
    x_BTD, variables = model.apply(
        {"params": params},
        tokens_BT,
        tokens_BT,
        prefill=True,
        prefill_lengths=lengths_B,
        max_decode_length=slots,
        mutable=["cache"],
        method="hidden",
    )
    x_BKD = jnp.take_along_axis(x_BTD, places_BK[..., None], axis=1)
    logits_BKV = decoder.logits_of(x_BKD, model.head_kernel(params), model.config)
    return decode_step.kept(traverse_util.flatten_dict(variables["cache"])), logits_BKV


@functools.partial(jax.jit, static_argnames=("model", "kind"), donate_argnames="cache")
def _step(
    model: decoder.Decoder,
    kind: sampling.Kind,
    numbers: jax.Array,
    params: dict,
    cache: decode_step.Cache,
    lengths_B: jax.Array,
    ids_B: jax.Array,
    allowed_BV: jax.Array,
    keys_B: jax.Array,
    number: jax.Array,
) -> tuple[jax.Array, decode_step.Cache]:
    cache, logits_BV = decode_step.read_token(model, params, cache, lengths_B, ids_B)
    allowed_BV = jnp.broadcast_to(allowed_BV, logits_BV.shape)
    logits_BV = jnp.where(allowed_BV, logits_BV, -jnp.inf)
    keys_B = jax.vmap(jax.random.fold_in, (0, None))(keys_B, number)
    return sampling.draw(keys_B, logits_BV, kind, numbers), cache


@functools.partial(jax.jit, static_argnames="model")
def _logits_at(
    model: decoder.Decoder, params: dict, tokens_BT: jax.Array, places_B: jax.Array
) -> jax.Array:
    x_BTD = model.apply({"params": params}, tokens_BT, tokens_BT, method="hidden")
    x_BD = jnp.take_along_axis(x_BTD, places_B[:, None, None], axis=1)[:, 0]
    return decoder.logits_of(x_BD, model.head_kernel(params), model.config)
