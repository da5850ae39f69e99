import dataclasses

import numpy as np
import pytest

from eiw import errors
from eiw.compressors import equal_info, window_format, window_trie

SHAPES = ["dyadic", "peaked", "even", "uniform"]


def texts_of(found):
    spelled = found.text_bytes.tobytes()
    offsets = found.text_offsets
    return [tuple(spelled[offsets[i] : offsets[i + 1]]) for i in range(len(found.cells))]


@pytest.mark.parametrize("own_cell", ["smallest", "roundest"])
@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_reference(random_byte_model, seed, own_cell):
    generator = np.random.default_rng(seed)
    window_bits = int(generator.integers(4, 10))
    precision = int(generator.integers(2, min(window_bits, 7) + 1))
    alphabet = int(generator.integers(2, min(5, 1 << precision) + 1))
    model = random_byte_model(seed, alphabet, precision, SHAPES[seed % 4])
    reference = equal_info.EqualInfoWindows(model, window_bits, own_cell=own_cell, max_depth=10)
    found = window_trie.enumerate_windows(model, reference.format)
    texts = texts_of(found)
    for cell in range(1 << window_bits):
        assert texts[found.owners[cell]] == tuple(reference.decode_cells([cell]))
    for text, cell in zip(texts, found.cells.tolist(), strict=True):
        assert reference.encode_symbols(text) == [cell]
    assert (np.diff(found.cells) > 0).all()
    assert len(set(texts)) == len(texts)


def test_slices_do_not_show(ngrams, monkeypatch):
    settings = window_format.WindowFormat(14)
    whole = window_trie.enumerate_windows(ngrams, settings)
    monkeypatch.setattr(window_trie, "_SLICE", 397)
    sliced = window_trie.enumerate_windows(ngrams, settings)
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(sliced, field.name))


def test_eos_owns_its_cells(ngrams):
    found = window_trie.enumerate_windows(ngrams, window_format.WindowFormat(14))
    reference = equal_info.EqualInfoWindows(ngrams)
    lost = np.flatnonzero(found.owners < 0)
    assert len(lost) > 0
    for cell in np.random.default_rng(0).choice(lost, 20):
        assert reference.decode_cells([int(cell)])[-1] == 256


def test_too_wide(ngrams):
    with pytest.raises(errors.InputError, match="20 at most"):
        window_trie.enumerate_windows(ngrams, window_format.WindowFormat(14, 24))
