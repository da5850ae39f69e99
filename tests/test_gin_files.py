"""Every gin file parses, is read to the last binding, and makes a network."""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from eiw import gin_config
from eiw.commands import compile, smoke, train
from eiw.models import decoder

GIN = gin_config.folder()
SIZES = sorted(path.name for path in (GIN / "sizes").glob("*.gin"))
METHODS = sorted(path.name for path in (GIN / "methods").glob("*.gin"))


def assert_makes_a_network(config):
    tokens = jax.ShapeDtypeStruct((1, 8), jnp.int32)
    model = decoder.Decoder(config)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens, tokens)["params"]
    assert shapes["embedding"].shape == (config.padded_vocab_size, config.embed_dim)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("run", ["train.gin", "m1.gin"])
def test_runs_of_every_size(run, size):
    settings, text = gin_config.build(train.Settings, [f"runs/{run}", f"sizes/{size}"])
    assert_makes_a_network(settings.run.model)
    assert settings.run.model.size == pathlib.Path(size).stem
    assert "TrainConfig.steps" in text


def test_the_main_job():
    settings, _ = gin_config.build(smoke.Settings, ["runs/smoke.gin"])
    assert_makes_a_network(settings.m1.model)
    assert_makes_a_network(settings.m2.model)


@pytest.mark.parametrize("method", METHODS)
def test_methods(method):
    given = []
    if method == "sentencepiece_foreign.gin":
        given = ["recipes.ForeignSentencePiece.model_file = 'some.model'"]
    settings, _ = gin_config.build(compile.Settings, [f"methods/{method}"], given)
    # The file is named as the SeqIO task and the folder are.
    assert settings.recipe.name == pathlib.Path(method).stem
