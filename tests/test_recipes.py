"""Recipes: what they are called, and what they build."""

import numpy as np
import pytest

from eiw import byte_lm, compressors, recipes
from eiw.coding import byte_model
from eiw.compressors import parse, tunstall_fit

FITTED = recipes.Tunstall(
    vocab_size=300,
    how=parse.Parse("fewest", "start"),
    fit=tunstall_fit.Fit(start_rounds=1, candidates=2),
)
DOCUMENTS = [b"the text that a dictionary is fitted to, ", b"and more of the text"]


def test_tunstall_names():
    plain = recipes.Tunstall()
    assert (plain.name, plain.label) == ("tunstall_v65k", "Tunstall[v=65k]")
    assert FITTED.name == "tunstall_v300_starts1_of2_fewest_start"
    assert FITTED.label == "Tunstall[v=300, starts1_of2, fewest_start]"


def test_tunstall_is_built_from_the_exported_model(monkeypatch, tmp_path):
    # An M1 of n-grams stands in for a network: the recipe only passes it on.
    m1 = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
    (tmp_path / "m1").mkdir()
    m1.save(tmp_path / "m1")
    monkeypatch.setattr(byte_lm.ByteLM, "load", byte_model.load_byte_model)
    built = FITTED.build(DOCUMENTS, tmp_path / "m1")
    built.save(tmp_path / FITTED.name)
    loaded = compressors.load(tmp_path / FITTED.name, expect_fingerprint=built.fingerprint)
    assert loaded.m1_fingerprint == m1.fingerprint
    assert "_".join([loaded.name, loaded.variant]) == FITTED.name
    assert loaded.decode_batch(loaded.encode_batch(DOCUMENTS)) == DOCUMENTS


@pytest.mark.parametrize(
    ("settings", "name", "kind"),
    [
        ({}, "equal_info_b16_v65k", "window_dictionary"),
        ({"token_bits": 8}, "equal_info_b16_v256", "window_dictionary"),
        ({"window_end": "delay"}, "equal_info_b16_v65k_delay", "window_dictionary"),
        ({"window_bits": 24}, "equal_info_b24_v65k", "lazy_windows"),
        ({"token_bits": 8, "reset_every": 2}, "equal_info_b16_v256_reset2", "lazy_windows"),
        ({"window_bits": 128, "reset_every": 0}, "equal_info_b128_v65k_reset0", "lazy_windows"),
        (
            {"window_bits": 64, "token_bits": 8, "window_end": "greedy"},
            "equal_info_b64_v256_greedy",
            "lazy_windows",
        ),
    ],
)
def test_windows_are_compiled_where_they_can_be(settings, name, kind, monkeypatch, tmp_path):
    m1 = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
    (tmp_path / "m1").mkdir()
    m1.save(tmp_path / "m1")
    monkeypatch.setattr(
        byte_lm.ByteLM, "load", lambda folder, context: byte_model.load_byte_model(folder)
    )
    recipe = recipes.EqualInfoAC(**settings)
    built = recipe.build(DOCUMENTS, tmp_path / "m1")
    assert (recipe.name, built.kind) == (name, kind)
    if not getattr(built, "dense", False):
        assert built.name == name
    assert recipe.label.startswith(f"EqualInfoAC[b={recipe.window_bits}, v=")
    built.save(tmp_path / name)
    loaded = compressors.load(tmp_path / name, expect_fingerprint=built.fingerprint)
    codes = built.encode_batch(DOCUMENTS)
    for one, other in zip(loaded.encode_batch(DOCUMENTS), codes, strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.decode_batch(codes) == DOCUMENTS or not built.lossless
