"""The decoder-only Transformer that both M1 and M2 are (paper, 3.2 and 3.5).

One linen module for two trainers: ours, and T5X's `DecoderOnlyModel`, whose argument names,
cache leaves and axis names it keeps.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen import partitioning

from eiw.models import config, layers

# Finite: T5X multiplies logits by zeros of a one-hot, which would make NaN of an infinity.
_PADDED_LOGIT = -1e9

# On CPU a loop costs copies of each layer's parameters and gradients, so that a few layers are
# better written out; compiling many takes longer than that is worth.
_MAX_UNROLLED_ON_CPU = 8

_REMAT_POLICIES = {
    "dots": jax.checkpoint_policies.checkpoint_dots_with_no_batch_dims,
    "full": None,
}


class Decoder(nn.Module):
    """Token ids -> logits of the next ids.

    `__call__` and `hidden` take the same arguments:

      decoder_input_tokens: int[B, T] ids, already shifted right (0 first).
      decoder_target_tokens: int[B, T], as T5X hands them over; not looked at. T5X masks padded
        targets, but padding stands behind the text, where no token of the text can read it.
      decoder_segment_ids: int[B, T] or None: packed examples do not read each other.
      decoder_positions: int[B, T] or None; not looked at, since biases are relative.
      decoder_causal_attention: int[B, T] or None: 1 marks a prefix that is read in both directions.
      enable_dropout: drop units; needs the "dropout" random stream if the rate is not 0.
      decode: T = 1: read the cache and append to it. If there is no cache yet this call only
        allocates it, for `max_decode_length` tokens (default: T) a row. Not while initializing.
      prefill: the tokens, at most as many as the cache has slots, replace what the cache holds.
      prefill_lengths: int[B]: how many of each row's tokens count as read; None: all T.
    """

    config: config.DecoderConfig

    @property
    def scan_layers(self) -> bool:
        """Whether leaves have a layer axis before all others; T5X's decoding looks here."""
        return self.config.scan_layers

    def setup(self) -> None:
        cfg = self.config
        vocab_size, embed_dim = cfg.padded_vocab_size, cfg.embed_dim
        self.embedding_VD = partitioning.param_with_axes(
            "embedding",
            nn.initializers.normal(1.0),
            (vocab_size, embed_dim),
            cfg.wide_dtype,
            axes=("vocab", "embed"),
        )
        self.head_DV = partitioning.param_with_axes(
            "head",
            nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal"),
            (embed_dim, vocab_size),
            cfg.wide_dtype,
            axes=("embed", "vocab"),
        )

    def __call__(
        self,
        decoder_input_tokens: jax.Array,
        decoder_target_tokens: jax.Array,
        decoder_segment_ids: jax.Array | None = None,
        decoder_positions: jax.Array | None = None,
        decoder_causal_attention: jax.Array | None = None,
        *,
        enable_dropout: bool = False,
        decode: bool = False,
        max_decode_length: int | None = None,
        prefill: bool = False,
        prefill_lengths: jax.Array | None = None,
    ) -> jax.Array:
        """logits_BTV, float32 (float64 for float64 activations), V padded and masked.

        Raises:
          ValueError: a call that the cache does not allow, see `hidden`.
        """
        x_BTD = self.hidden(
            decoder_input_tokens,
            decoder_target_tokens,
            decoder_segment_ids,
            decoder_positions,
            decoder_causal_attention,
            enable_dropout=enable_dropout,
            decode=decode,
            max_decode_length=max_decode_length,
            prefill=prefill,
            prefill_lengths=prefill_lengths,
        )
        return logits_of(x_BTD, self.head_DV, self.config)

    @nn.compact
    def hidden(
        self,
        decoder_input_tokens: jax.Array,
        decoder_target_tokens: jax.Array,
        decoder_segment_ids: jax.Array | None = None,
        decoder_positions: jax.Array | None = None,
        decoder_causal_attention: jax.Array | None = None,
        *,
        enable_dropout: bool = False,
        decode: bool = False,
        max_decode_length: int | None = None,
        prefill: bool = False,
        prefill_lengths: jax.Array | None = None,
    ) -> jax.Array:
        """x_BTD before the head, in `config.dtype`: for losses that never hold all logits.

        Raises:
          ValueError: decoding while initializing, or more than one token at a time; decoding and
            prefilling at once; a prefill longer than the cache.
        """
        cfg = self.config
        cache_mode = self._cache_mode(decode, prefill)
        tokens_BT = decoder_input_tokens.astype(jnp.int32)
        # T5X may give the table as a numpy array. An id beyond it reads NaN, which does not hide.
        # Its columns are brought together for that: else XLA brings the batch to every device.
        table_VD = partitioning.with_sharding_constraint(
            jnp.asarray(self.embedding_VD, cfg.dtype), ("vocab", None)
        )
        x_BTD = jnp.take(table_VD, tokens_BT, axis=0)
        x_BTD = partitioning.with_sharding_constraint(x_BTD, ("batch", "length", None))
        dropout = nn.Dropout(
            cfg.dropout_rate, broadcast_dims=(-2,), deterministic=not enable_dropout
        )
        x_BTD = dropout(x_BTD)

        make_layer = layers.DecoderLayer
        if cfg.remat != "none":
            # Inside a scan nothing can be merged with the forward pass, so nothing need prevent it.
            make_layer = nn.remat(
                make_layer, policy=_REMAT_POLICIES[cfg.remat], prevent_cse=not cfg.scan_layers
            )
        shape = (cfg, not enable_dropout, cache_mode, max_decode_length or tokens_BT.shape[1])
        rest = (decoder_segment_ids, decoder_causal_attention, prefill_lengths)
        if cfg.scan_layers:
            scan = partitioning.scan_with_axes(
                make_layer,
                variable_axes={"params": 0, "cache": 0},
                split_rngs={"params": True, "dropout": True},
                in_axes=(nn.broadcast,) * len(rest),
                length=cfg.num_layers,
                unroll=1 if self.is_initializing() else _unroll(cfg),
                axis_name="layers",
            )
            x_BTD, _ = scan(*shape, name="layers")(x_BTD, *rest)
        else:
            for number in range(cfg.num_layers):
                x_BTD, _ = make_layer(*shape, name=f"layers_{number}")(x_BTD, *rest)
        return dropout(layers.RMSNorm(cfg, name="final_norm")(x_BTD))

    @staticmethod
    def head_kernel(params: dict) -> jax.Array:
        """head_DV of a tree of parameters: what `logits_of` takes beside `hidden`'s result."""
        return params["head"]

    def _cache_mode(self, decode: bool, prefill: bool) -> str:
        if decode and prefill:
            raise ValueError("A call either decodes or prefills: prefill first, then decode.")
        if decode and self.is_initializing():
            raise ValueError("Initialize without decode; the first decoding call makes the cache.")
        if decode:
            return "decode"
        return "prefill" if prefill else "none"


def _unroll(cfg: config.DecoderConfig) -> int:
    """Layers that the compiled loop over scanned ones has in its body.

    One where memory is to be saved: of unrolled layers XLA keeps everything at the same time.
    """
    few = cfg.num_layers <= _MAX_UNROLLED_ON_CPU and cfg.remat == "none"
    return cfg.num_layers if few and jax.default_backend() == "cpu" else 1


def logits_of(x_BTD: jax.Array, head_DV: jax.Array, cfg: config.DecoderConfig) -> jax.Array:
    """Logits of `Decoder.hidden`'s states (any leading axes), float32 or wider.

    Columns from `cfg.vocab_size` on are padding: their logits are so low that they never win and
    weigh nothing in a softmax.
    """
    head_DV = jnp.asarray(head_DV, cfg.dtype)
    logits_BTV = jnp.einsum(
        "...D,DV->...V", x_BTD, head_DV, preferred_element_type=jnp.dtype(cfg.wide_dtype)
    )
    exists_V = jnp.arange(cfg.padded_vocab_size) < cfg.vocab_size
    exists_BTV = jnp.broadcast_to(exists_V, logits_BTV.shape)
    return jnp.where(exists_BTV, logits_BTV, jnp.asarray(_PADDED_LOGIT, logits_BTV.dtype))
