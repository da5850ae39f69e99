"""Recipes: what they are called, what they build, and the gin files that name them."""

import numpy as np
import pytest

from eiw import byte_lm, compressors, errors, gin_config, recipes
from eiw.coding import byte_model
from eiw.commands import compile
from eiw.compressors import parse, sentence_piece, tunstall_fit

METHODS = sorted(path.stem for path in (gin_config.folder() / "methods").glob("*.gin"))
# Built here is one of those that differ in a size alone; windows of all sizes are further below.
ALIKE = {
    name
    for name in METHODS
    if ("_v65k" in name and "equal_info" not in name and "static" not in name)
    or name.startswith(("tunstall_v32k", "equal_info_b32", "equal_info_b64", "equal_info_b128"))
    or name.endswith("_v65k_reset2")
}
FITTED = recipes.Tunstall(
    vocab_size=300,
    how=parse.Parse("fewest", "start"),
    fit=tunstall_fit.Fit(start_rounds=1, candidates=2),
)
DOCUMENTS = [b"the text that a dictionary is fitted to, " * 40, b"and more of the text " * 40]
# Vocabularies that are small enough for this text and an impatient reader.
SMALL = {"SentencePiece": ["vocab_size = 260"], "Tunstall": ["vocab_size = 300"]}


class Documents(list):
    """As much of a `corpus.Split` as recipes look at."""

    def sample(self, num_bytes):
        return iter(self)


@pytest.fixture(scope="module")
def m1(tmp_path_factory):
    """An M1 of n-grams stands in for a network: recipes only pass it on."""
    folder = tmp_path_factory.mktemp("m1")
    byte_model.NgramByteModel.fit(DOCUMENTS, order=3).save(folder)
    return folder


@pytest.fixture(autouse=True)
def any_byte_model(monkeypatch):
    load = byte_model.load_byte_model
    monkeypatch.setattr(byte_lm.ByteLM, "load", lambda folder, **sizes: load(folder))


def recipe_of(name, *bindings):
    files = [f"methods/{name}.gin"]
    return gin_config.build(compile.Settings, files, bindings)[0].recipe


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_called_as_its_gin_file(name):
    recipe = recipe_of(name)
    assert recipe.name == name
    assert recipe.label[0].isupper()


@pytest.mark.parametrize("name", sorted(set(METHODS) - ALIKE))
def test_a_method_is_built_and_comes_back(name, m1, tmp_path):
    recipe = recipe_of(name)
    kind = type(recipe).__name__
    bindings = [f"recipes.{kind}.{binding}" for binding in SMALL.get(kind, [])]
    if name == "sentencepiece_foreign":
        model = sentence_piece.SentencePiece.train(DOCUMENTS, 260)._contents.arrays["model"]
        (tmp_path / "t5.model").write_bytes(model.tobytes())
        bindings = [f"recipes.{kind}.model_file = '{tmp_path / 't5.model'}'"]
    recipe = recipe_of(name, *bindings)
    text = Documents(DOCUMENTS) if recipe.reads_text else None
    built = recipe.build(text, m1 if recipe.reads_m1 else None)
    built.save(tmp_path / recipe.name)
    loaded = compressors.load(tmp_path / recipe.name, expect_fingerprint=built.fingerprint)
    assert recipe.name.startswith(loaded.name)
    assert recipe.name.endswith(loaded.variant)
    assert loaded.lossless != (kind == "ForeignSentencePiece" or name.endswith("_greedy"))
    texts = [b"the text", b"\x00\xff of " + DOCUMENTS[1][:50]]
    codes = loaded.encode_batch(texts)
    assert all(code.dtype == np.int32 for code in codes)
    if loaded.lossless:
        assert loaded.decode_batch(codes) == texts


def test_tunstall_names():
    plain = recipes.Tunstall()
    assert (plain.name, plain.label) == ("tunstall_v65k", "Tunstall[v=65k]")
    assert FITTED.name == "tunstall_v300_starts1_of2_fewest_start"
    assert FITTED.label == "Tunstall[v=300, starts1_of2, fewest_start]"
    assert not plain.reads_text
    assert FITTED.reads_text


def test_labels_are_the_papers():
    assert recipes.AC(token_bits=16).label == "AC[v=65k]"
    assert recipes.AC(token_bits=1).label == "AC[raw bits]"
    assert recipes.GZip(header=False).label == "GZip[v=256, no_header]"
    assert recipes.SentencePiece().label == "SentencePiece[8k]"
    assert recipes.EqualInfoAC().label == "EqualInfoAC[b=16, v=65k]"
    assert recipes.EqualInfoAC(window_end="delay").label == "EqualInfoAC[b=16, v=65k, delay]"


def test_tunstall_is_built_from_the_exported_model(m1, tmp_path):
    built = FITTED.build(Documents(DOCUMENTS), m1)
    built.save(tmp_path / FITTED.name)
    loaded = compressors.load(tmp_path / FITTED.name, expect_fingerprint=built.fingerprint)
    assert loaded.m1_fingerprint == byte_model.load_byte_model(m1).fingerprint
    assert "_".join([loaded.name, loaded.variant]) == FITTED.name
    assert loaded.decode_batch(loaded.encode_batch(DOCUMENTS)) == DOCUMENTS


def test_a_foreign_model_has_to_be_named():
    with pytest.raises(errors.InputError, match="model_file"):
        recipes.ForeignSentencePiece().build(None, None)


def test_a_dictionary_is_fitted_by_gin():
    cut, rounds = "parse.Parse.cut = 'fewest'", "tunstall_fit.Fit.start_rounds = 2"
    assert recipe_of("tunstall_v4k", cut, rounds).name == "tunstall_v4k_starts2_fewest"


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
def test_windows_are_compiled_where_they_can_be(settings, name, kind, m1, tmp_path):
    recipe = recipes.EqualInfoAC(**settings)
    built = recipe.build(None, m1)
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


def test_the_size_of_m1s_program_is_passed_on(m1, monkeypatch):
    asked = {}

    def load(folder, **sizes):
        asked.update(sizes)
        return byte_model.load_byte_model(folder)

    monkeypatch.setattr(byte_lm.ByteLM, "load", load)
    recipes.AC(rows=1, context=64).build(None, m1)
    assert asked == {"rows": 1, "context": 64}
