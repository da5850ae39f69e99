import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw.coding import byte_model
from eiw.compressors import probable_texts


def probability(model, text, first_bytes=None):
    state, cdfs = model.start(1)
    product = 1.0
    for place, byte in enumerate(text):
        share = (int(cdfs[0, byte + 1]) - int(cdfs[0, byte])) / 2**model.precision
        if place == 0 and first_bytes is not None:
            share = first_bytes[byte] / first_bytes.sum()
        product *= share
        state, cdfs = model.advance(state, np.array([byte]))
    return product


def exhaustive(model, count, max_length):
    """Level by level, down to a probability that surely is too low."""
    known, level, probabilities = [], [b""], np.ones(1)
    state, cdfs = model.start(1)
    for _ in range(max_length):
        shares = np.diff(cdfs.astype(float), axis=1)[:, :256] / 2**model.precision
        rows, symbols = np.nonzero(probabilities[:, None] * shares > 1e-4)
        probabilities = (probabilities[:, None] * shares)[rows, symbols]
        level = [level[row] + bytes([symbol]) for row, symbol in zip(rows, symbols, strict=True)]
        known += zip(-probabilities, level, strict=True)
        state, cdfs = model.advance(model.take(state, rows), symbols)
    assert sorted(known)[count - 1][0] < -1e-4
    return [text for _, text in sorted(known)[:count]]


@pytest.mark.parametrize("seed", range(3))
def test_the_most_probable(random_byte_model, seed):
    model = random_byte_model(seed, 257, 14, "peaked")
    found = probable_texts.most_probable_texts(model, 300, max_length=3)
    assert found.texts == exhaustive(model, 300, 3)


def check_order(model, found, count, first_bytes=None):
    assert len(found.texts) == len(set(found.texts)) == len(found.probabilities) == count
    assert (np.diff(found.probabilities) <= 0).all()
    places = {text: place for place, text in enumerate(found.texts)}
    for text, place in places.items():
        assert len(text) == 1 or places[text[:-1]] < place
    for index in np.random.default_rng(0).integers(0, count, 20):
        expected = probability(model, found.texts[index], first_bytes)
        assert found.probabilities[index] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=6)
@given(count=st.integers(1, 2000))
def test_as_many_as_asked_for(ngrams, count):
    check_order(ngrams, probable_texts.most_probable_texts(ngrams, count), count)


def test_more_are_the_same_and_more(ngrams):
    many = probable_texts.most_probable_texts(ngrams, 6_000)
    few = probable_texts.most_probable_texts(ngrams, 2_000)
    assert many.texts[:2_000] == few.texts


def test_other_first_bytes(ngrams):
    weights = np.ones(256)
    weights[ord("w")] = 10_000
    found = probable_texts.most_probable_texts(ngrams, 1000, first_bytes=weights)
    check_order(ngrams, found, 1000, weights)
    assert sum(text.startswith(b"w") for text in found.texts) > 700


def test_nothing_is_probable_or_one_text_is(peaked):
    """The estimate is of no use where all texts are alike, or one chain has everything."""
    even = byte_model.StaticByteModel(np.ones(256))
    found = probable_texts.most_probable_texts(even, 300)
    assert found.texts[255:259] == [b"\xff", b"\x00\x00", b"\x00\x01", b"\x00\x02"]
    chain = probable_texts.most_probable_texts(peaked, 1000, max_length=64).texts
    assert {b"a" * length for length in range(1, 65)} < set(chain)
    assert max(map(len, chain)) == 64


def test_few_calls(ngrams):
    calls = []

    class Counting(type(ngrams)):
        def __init__(self):
            pass

        def __getattr__(self, name):
            return getattr(ngrams, name)

        def start(self, rows):
            calls.append(rows)
            return ngrams.start(rows)

        def advance(self, state, symbols):
            calls.append(len(symbols))
            return ngrams.advance(state, symbols)

    # The walks that estimate the threshold, and the texts that may have children.
    probable_texts.most_probable_texts(Counting(), 6_000)
    assert sum(calls) < 1.3 * 6_000 + 1024 * 12
    assert max(calls) <= 1024


def test_there_are_not_so_many(ngrams):
    with pytest.raises(ValueError, match="no 70000 texts"):
        probable_texts.most_probable_texts(ngrams, 70_000, max_length=2)
    with pytest.raises(ValueError, match="every byte"):
        probable_texts.most_probable_texts(byte_model.StaticByteModel(np.ones(4)), 3)
