"""Recipes: what they are called, and what they build."""

import jax
import jax.numpy as jnp
import pytest

from eiw import byte_lm, compressors, recipes
from eiw.compressors import parse, tunstall_fit
from eiw.models import config, decoder

FITTED = recipes.Tunstall(
    vocab_size=300,
    how=parse.Parse("fewest", "start"),
    fit=tunstall_fit.Fit(start_rounds=1, candidates=2),
)


@pytest.fixture(scope="module")
def m1_folder(tmp_path_factory):
    shape = config.DecoderConfig(vocab_size=259, embed_dim=64, num_heads=1, num_layers=1, mlp_dim=8)
    tokens = jnp.zeros((1, 1), jnp.int32)
    params = decoder.Decoder(shape).init(jax.random.key(0), tokens, tokens)["params"]
    folder = tmp_path_factory.mktemp("m1") / "m1"
    byte_lm.export(params, shape, folder)
    return folder


def test_tunstall_names():
    plain = recipes.Tunstall()
    assert (plain.name, plain.label) == ("tunstall_v65k", "Tunstall[v=65k]")
    assert FITTED.name == "tunstall_v300_starts1_of2_fewest_start"
    assert FITTED.label == "Tunstall[v=300, starts1_of2, fewest_start]"


def test_tunstall_is_built_from_m1(m1_folder, tmp_path):
    documents = [b"the text that a dictionary is fitted to, ", b"and more of it"]
    built = FITTED.build(documents, m1_folder)
    built.save(tmp_path / FITTED.name)
    loaded = compressors.load(tmp_path / FITTED.name, expect_fingerprint=built.fingerprint)
    assert loaded.m1_fingerprint == byte_lm.ByteLM.load(m1_folder).fingerprint
    assert "_".join(filter(None, [loaded.name, loaded.variant])) == FITTED.name
    assert loaded.decode_batch(loaded.encode_batch(documents)) == documents
