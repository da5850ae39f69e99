"""Decoding one token at a time: that a step copies no cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw.inference import decoding, sampling
from eiw.models import config, decoder

SLOTS = 2048


@pytest.mark.parametrize("batch", [1, 3])
def test_a_step_copies_no_cache(batch):
    """A copy is as large as a cache, and all else that a step holds is far smaller."""
    size = config.DecoderConfig(
        vocab_size=40, embed_dim=16, num_heads=2, num_layers=2, mlp_dim=24, head_dim=16
    )
    model = decoder.Decoder(size)
    tokens_BT = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens_BT, tokens_BT)["params"]
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    network = decoding.Network(model, params, SLOTS)
    rows, _ = network.prefill([np.arange(4, 9)] * batch, 1)
    keys_B = jax.random.split(jax.random.key(0), batch)
    how = sampling.Sampling()
    ids_B, allowed_1V = np.full(batch, 5, np.int32), np.ones((1, 128), bool)
    network.step(rows, ids_B, allowed_1V, keys_B, 1, how)
    compiled = decoding._step.lower(
        network._model, how.kind, how.numbers, network._params, rows.cache, rows.lengths_B, ids_B,
        allowed_1V, keys_B, np.int32(2),
    ).compile()  # fmt: skip
    leaf = jax.tree.leaves(rows.cache)[0]
    assert leaf.nbytes == batch * 2 * 16 * SLOTS * 4
    assert compiled.memory_analysis().temp_size_in_bytes < leaf.nbytes
    # Nor does another temperature make another program.
    programs = decoding._step._cache_size()
    network.step(rows, ids_B, allowed_1V, keys_B, 2, sampling.Sampling(temperature=0.5))
    assert decoding._step._cache_size() == programs
