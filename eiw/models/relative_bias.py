"""T5's relative position bias (Raffel et al. 2020, section 2.1), for looking back only.

A learned number per head and bucket is added to the attention scores. Buckets are exact for short
distances and grow geometrically up to a greatest distance, beyond which all share the last one, so
a model runs on longer texts than it was trained on.

The bias depends on the distance alone, so layers hand around one vector over distances; only the
attention functions spread it over queries and keys.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.linen import partitioning

from eiw.models import config as decoder_config


def distance_buckets(length: int, num_buckets: int, max_distance: int) -> np.ndarray:
    """int32[length]: the bucket of each distance 0, 1, ... `length` - 1 tokens back.

    The first half of the buckets hold one distance each; the others divide the logarithm of the
    distance evenly up to `max_distance`.
    """
    distances_N = np.arange(length)
    exact = num_buckets // 2
    # Distances below `exact` are clamped here only to keep the logarithm finite.
    octaves_N = np.log(np.maximum(distances_N, exact) / exact) / np.log(max_distance / exact)
    coarse_N = exact + (octaves_N * (num_buckets - exact)).astype(np.int32)
    buckets_N = np.where(distances_N < exact, distances_N, np.minimum(coarse_N, num_buckets - 1))
    return buckets_N.astype(np.int32)


class RelativeBias(nn.Module):
    """The learned table of one layer."""

    config: decoder_config.DecoderConfig

    @nn.compact
    def __call__(self, length: int) -> jax.Array:
        """bias_HN: what to add to the score of a key N tokens back, N < `length`.

        At least float32, as the scores are.
        """
        cfg = self.config
        table_HR = jnp.asarray(
            partitioning.param_with_axes(
                "rel_embedding",
                nn.initializers.variance_scaling(1.0, "fan_avg", "uniform"),
                (cfg.num_heads, cfg.relative_buckets),
                cfg.wide_dtype,
                axes=("heads", "relpos_buckets"),
            )
        )
        buckets_N = distance_buckets(length, cfg.relative_buckets, cfg.relative_max_distance)
        return table_HR[:, buckets_N]
