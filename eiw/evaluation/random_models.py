"""Decoders of random numbers, for measurements that no training changes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eiw import vocab
from eiw.models import config, decoder

_ENDS = ("embedding", "head")


def with_codes(size: config.DecoderConfig, codes: int) -> config.DecoderConfig:
    """The config for a compressor of so many codes."""
    num_ids = codes + vocab.NUM_SPECIAL_IDS
    return dataclasses.replace(size, vocab_size=num_ids, scan_layers=False)


def weight_bytes(size: config.DecoderConfig, batch: int = 1) -> int:
    """Bytes of parameters that a step of so many rows reads: of the embedding's table, rows."""
    shapes = _shapes(size)
    table = shapes.pop("embedding")
    total = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    return total + batch * table.shape[1] * table.dtype.itemsize


def random_layers(size: config.DecoderConfig) -> dict[str, Any]:
    """Parameters of all but embedding and head: methods share them, which spares memory."""
    shapes = _shapes(with_codes(size, 1))
    return _random({name: shapes[name] for name in sorted(shapes.keys() - {*_ENDS})})


def random_ends(size: config.DecoderConfig) -> dict[str, Any]:
    """Parameters of embedding and head."""
    shapes = _shapes(size)
    return _random({name: shapes[name] for name in _ENDS})


def _shapes(size: config.DecoderConfig) -> dict[str, Any]:
    tokens_BT = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    return jax.eval_shape(decoder.Decoder(size).init, jax.random.key(0), tokens_BT, tokens_BT)[
        "params"
    ]


def _random(shapes: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        # Small, so that no id is so probable that EOS would end every text.
        return jnp.asarray(0.02 * rng.standard_normal(leaf.shape, np.float32), leaf.dtype)

    return jax.tree.map(draw, shapes)
