"""Recipes: what they are called, and what they build."""

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
