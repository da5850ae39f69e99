"""The measurement itself: that it is of the same codes, and what it says."""

import json

import jax
import jax.numpy as jnp
import pytest

from eiw import byte_lm, errors
from eiw.evaluation import window_speed
from eiw.models import config, decoder


@pytest.fixture(scope="module")
def m1_folder(tmp_path_factory):
    shape = config.DecoderConfig(
        vocab_size=259, embed_dim=16, num_heads=1, num_layers=1, mlp_dim=16, head_dim=8
    )
    tokens_BT = jnp.ones((1, 2), jnp.int32)
    params = jax.jit(decoder.Decoder(shape).init)(jax.random.key(0), tokens_BT, tokens_BT)["params"]
    folder = tmp_path_factory.mktemp("m1") / "m1"
    byte_lm.export(params, shape, folder, context=16)
    return folder


def test_measures(m1_folder):
    documents = [b"some text to measure with", b"and more"]
    found = window_speed.measure_windows(m1_folder, documents, loop_bytes=12, repeats=1)
    assert json.loads(json.dumps(found)) == found
    assert found["text_bytes"] == 33
    assert all(rate > 0 for rate in found["kb_per_cpu_s"].values())
    assert found["times_loop"] > 0


def test_nothing_to_measure(m1_folder):
    with pytest.raises(errors.InputError, match="No text"):
        window_speed.measure_windows(m1_folder, [b"", b""])
