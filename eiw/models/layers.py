"""The parts of a decoder layer, and the layer.

Every parameter carries logical axis names of T5X's standard set (`axes`), is at least float32, and
is cast to the activations' dtype where it is used. Parameters pass through `jnp.asarray`, because
T5X hands some of them over as numpy arrays, which would not trace.

Initialisers are T5's: with unscaled attention, and an optimizer that scales its steps by the size
of the parameters, they are part of the model.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen import partitioning

from eiw.models import attention, config, kv_cache, relative_bias

_EPSILON = 1e-6


@jax.custom_vjp
def _product(x: jax.Array, kernel_IO: jax.Array) -> jax.Array:
    """x @ kernel_IO; x is [..., I]. Only the backward pass differs from autodiff's, on CPU."""
    return x @ kernel_IO


def _product_forward(x: jax.Array, kernel_IO: jax.Array) -> tuple[jax.Array, tuple]:
    return x @ kernel_IO, (x, kernel_IO)


def _product_backward(saved: tuple, d_y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients of x and of the kernel."""
    x, kernel_IO = saved
    x_NI, d_y_NO = (z.reshape(-1, z.shape[-1]) for z in (x, d_y))
    if x_NI.shape[1] <= d_y_NO.shape[1]:
        d_kernel_IO = _transposed(x_NI) @ d_y_NO
    else:
        d_kernel_IO = (_transposed(d_y_NO) @ x_NI).T
    return d_y @ kernel_IO.T, d_kernel_IO


_product.defvjp(_product_forward, _product_backward)


def _transposed(x_NI: jax.Array) -> jax.Array:
    """x_NI.T, in memory where that is faster.

    What autodiff gives for a kernel, a product over the first axes of both operands, takes a third
    longer on CPU than to transpose the smaller one first; XLA undoes that unless barred.
    """
    on_cpu = jax.default_backend() == "cpu"
    return jax.lax.optimization_barrier(x_NI.T) if on_cpu else x_NI.T


class Linear(nn.Module):
    """A matrix product without bias over the last axis.

    Attributes:
      config: the decoder's shape; its dtype is that of input and output.
      features: width of the output.
      axes: logical names of the kernel's two axes.
      initializer: of the kernel; fan-in scaled by default.
    """

    config: config.DecoderConfig
    features: int
    axes: tuple[str, str]
    initializer: nn.initializers.Initializer = nn.initializers.variance_scaling(
        1.0, "fan_in", "truncated_normal"
    )

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., D] -> [..., features]."""
        kernel = partitioning.param_with_axes(
            "kernel",
            self.initializer,
            (x.shape[-1], self.features),
            self.config.wide_dtype,
            axes=self.axes,
        )
        return _product(x, jnp.asarray(kernel, self.config.dtype))


class RMSNorm(nn.Module):
    """Divides each vector by its root mean square and scales it; neither mean nor bias."""

    config: config.DecoderConfig

    @nn.compact
    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        """The normalised x_BTD; the mean square is at least float32."""
        cfg = self.config
        scale_D = partitioning.param_with_axes(
            "scale", nn.initializers.ones, (cfg.embed_dim,), cfg.wide_dtype, axes=("embed",)
        )
        # Rows and positions in one axis: XLA's sums over two axes of three, which the backward pass
        # has for a batch of one row, take ten times as long on CPU.
        x_ND = x_BTD.reshape(-1, cfg.embed_dim).astype(cfg.wide_dtype)
        mean_square_N1 = jnp.mean(jnp.square(x_ND), axis=-1, keepdims=True)
        x_ND = (x_ND * jax.lax.rsqrt(mean_square_N1 + _EPSILON)).astype(cfg.dtype)
        return (x_ND * jnp.asarray(scale_D, cfg.dtype)[None]).reshape(x_BTD.shape)


class GatedMLP(nn.Module):
    """ReLU(x A) * (x B), then back: the feed-forward that closes the paper's parameter counts."""

    config: config.DecoderConfig
    deterministic: bool

    @nn.compact
    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        """What the layer adds to the residual stream: x_BTD."""
        cfg = self.config
        gate_BTM = Linear(cfg, cfg.mlp_dim, ("embed", "mlp"), name="wi_0")(x_BTD)
        up_BTM = Linear(cfg, cfg.mlp_dim, ("embed", "mlp"), name="wi_1")(x_BTD)
        x_BTM = nn.relu(gate_BTM) * up_BTM
        x_BTM = partitioning.with_sharding_constraint(x_BTM, ("batch", "length", "mlp"))
        x_BTM = _dropout(cfg, self.deterministic)(x_BTM)
        return Linear(cfg, cfg.embed_dim, ("mlp", "embed"), name="wo")(x_BTM)


class SelfAttention(nn.Module):
    """Heads of causal self-attention with their own relative position bias.

    Attributes:
      config: the decoder's shape.
      cache_mode: "none"; "decode": one token a row, read from and added to the cache; "prefill":
        whole sequences, whose keys and values become the cache.
      cache_slots: slots of a cache that this call allocates.
    """

    config: config.DecoderConfig
    cache_mode: str
    cache_slots: int

    @nn.compact
    def __call__(
        self,
        x_BTD: jax.Array,
        segment_ids_BT: jax.Array | None,
        bidirectional_BT: jax.Array | None,
        prefill_lengths_B: jax.Array | None,
    ) -> jax.Array:
        """What the layer adds to the residual stream: x_BTD.

        Raises:
          ValueError: decoding more than one token at a time, or a prefill longer than the cache.
        """
        cfg = self.config
        batch, length, _ = x_BTD.shape
        # T5's attention is not divided by the root of the head's width; its queries start smaller.
        normal = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        small = nn.initializers.variance_scaling(1.0 / cfg.head_dim, "fan_in", "normal")
        query_BTHK, key_BTHK, value_BTHK = (
            self._heads(name, initializer, x_BTD)
            for name, initializer in (("query", small), ("key", normal), ("value", normal))
        )
        bias = relative_bias.RelativeBias(cfg, name="relative_bias")

        cache = None
        if self.cache_mode != "none":
            cache = kv_cache.KVCache(
                self, batch, self.cache_slots, cfg.num_heads, cfg.head_dim, cfg.dtype
            )
        if self.cache_mode == "decode" and cache.allocated:
            if length != 1:
                raise ValueError(f"Decoding takes one token a row at a time, not {length}.")
            cached = cache.append(key_BTHK[:, 0], value_BTHK[:, 0])
            bias_HN = bias(cached[0].shape[-1])
            key_BHKS, value_BHSK, distance_BS, filled_BS = cached
            read_BTHK = attention.cached_attention(
                query_BTHK[:, 0], key_BHKS, value_BHSK, bias_HN, distance_BS, filled_BS
            )[:, None]
        else:
            if self.cache_mode == "prefill":
                cache.fill(key_BTHK, value_BTHK, prefill_lengths_B)
            read_BTHK = attention.causal_attention(
                query_BTHK, key_BTHK, value_BTHK, bias(length), segment_ids_BT, bidirectional_BT
            )
        read_BTJ = read_BTHK.reshape(batch, length, cfg.num_heads * cfg.head_dim)
        return Linear(cfg, cfg.embed_dim, ("joined_kv", "embed"), normal, name="out")(read_BTJ)

    def _heads(
        self, name: str, initializer: nn.initializers.Initializer, x_BTD: jax.Array
    ) -> jax.Array:
        cfg = self.config
        width = cfg.num_heads * cfg.head_dim
        x_BTJ = Linear(cfg, width, ("embed", "joined_kv"), initializer, name=name)(x_BTD)
        x_BTHK = x_BTJ.reshape(*x_BTD.shape[:2], cfg.num_heads, cfg.head_dim)
        return partitioning.with_sharding_constraint(x_BTHK, ("batch", "length", "heads", "kv"))


class DecoderLayer(nn.Module):
    """Self-attention, then the feed-forward, each behind a norm and added to its input.

    This is the period that layers are scanned over: one layer in plain models.
    """

    config: config.DecoderConfig
    deterministic: bool
    cache_mode: str
    cache_slots: int

    @nn.compact
    def __call__(
        self,
        x_BTD: jax.Array,
        segment_ids_BT: jax.Array | None,
        bidirectional_BT: jax.Array | None,
        prefill_lengths_B: jax.Array | None,
    ) -> tuple[jax.Array, None]:
        """x_BTD after the layer, and None: the pair that `scan` takes."""
        cfg = self.config
        x_BTD = partitioning.with_sharding_constraint(x_BTD, ("batch", "length", "embed"))
        y_BTD = RMSNorm(cfg, name="attention_norm")(x_BTD)
        y_BTD = SelfAttention(cfg, self.cache_mode, self.cache_slots, name="attention")(
            y_BTD, segment_ids_BT, bidirectional_BT, prefill_lengths_B
        )
        x_BTD = x_BTD + _dropout(cfg, self.deterministic)(y_BTD)
        y_BTD = RMSNorm(cfg, name="mlp_norm")(x_BTD)
        y_BTD = GatedMLP(cfg, self.deterministic, name="mlp")(y_BTD)
        return x_BTD + _dropout(cfg, self.deterministic)(y_BTD), None


def _dropout(cfg: config.DecoderConfig, deterministic: bool) -> nn.Dropout:
    """T5's dropout: the same units at every token of a row."""
    return nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,), deterministic=deterministic)
