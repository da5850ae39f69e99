"""The paper's sizes, from the gin files to the last digit, and what a config refuses."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from eiw import errors, gin_config
from eiw.models import config, decoder

SIZES = gin_config.folder() / "sizes"
# Paper, Table 4, with a gated feed-forward; it rounds the last one to 2 billion.
KERNELS = {
    "3m": 3_145_728,
    "25m": 25_165_824,
    "113m": 113_246_208,
    "403m": 402_653_184,
    "2b": 1_610_612_736,
}
SMALL = {"vocab_size": 9, "embed_dim": 8, "num_heads": 2, "num_layers": 1, "mlp_dim": 8}


def config_of(size: str) -> config.DecoderConfig:
    vocab_size = "config.DecoderConfig.vocab_size = 65_539"
    return gin_config.build(config.DecoderConfig, [f"sizes/{size}.gin"], [vocab_size])[0]


@pytest.mark.parametrize("size", KERNELS)
def test_kernels_count_to_the_papers_sizes(size):
    shape = config_of(size)
    tokens_BT = jax.ShapeDtypeStruct((1, 8), jnp.int32)
    init = decoder.Decoder(shape).init
    # Shapes alone: the largest would take 8 GB.
    params = jax.eval_shape(init, jax.random.key(0), tokens_BT, tokens_BT)["params"]
    flat = traverse_util.flatten_dict(params)
    sizes = {path: int(np.prod(leaf.shape)) for path, leaf in flat.items()}
    kernels = {path: count for path, count in sizes.items() if path[-1] == "kernel"}
    assert sum(kernels.values()) == shape.kernel_params() == KERNELS[size]
    # What is not counted: embedding and head, a norm before each half layer and at the end, biases.
    rest = sum(sizes.values()) - sum(kernels.values())
    embeddings = 2 * 65_664 * shape.embed_dim
    norms = (2 * shape.num_layers + 1) * shape.embed_dim
    biases = shape.num_layers * shape.num_heads * shape.relative_buckets
    assert rest == embeddings + norms + biases


def test_every_size_has_its_file():
    assert {path.stem for path in SIZES.glob("*.gin")} == KERNELS.keys() | {"tiny"}
    assert config_of("tiny").kernel_params() < KERNELS["3m"]


def test_json_and_back():
    shape = config.DecoderConfig(**SMALL, dtype="bfloat16", remat="dots")
    again = config.DecoderConfig.from_dict(json.loads(json.dumps(shape.to_dict())))
    assert again == shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_layers": 0}, "num_layers is 0"),
        ({"mlp_dim": 2.5}, "mlp_dim is 2.5"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"remat": "some"}, "remat is 'some'"),
        ({"dropout_rate": 1.0}, "dropout_rate is 1.0"),
        ({"relative_buckets": 1}, "relative_buckets"),
        ({"relative_max_distance": 16}, "relative_max_distance is 16"),
        ({"depth": 3}, "Unknown fields of DecoderConfig: depth"),
    ],
)
def test_what_makes_no_decoder_is_refused(change, message):
    with pytest.raises(errors.InputError, match=message):
        config.DecoderConfig.from_dict(SMALL | change)


def test_a_missing_field_is_named():
    with pytest.raises(errors.InputError, match="mlp_dim"):
        config.DecoderConfig.from_dict({k: v for k, v in SMALL.items() if k != "mlp_dim"})
