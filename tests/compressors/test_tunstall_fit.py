import numpy as np
import pytest

from eiw import errors
from eiw.coding import byte_model
from eiw.compressors import parse, tunstall_fit, window_dictionary

HOW = parse.Parse("fewest", "prefer")


@pytest.fixture(scope="module")
def documents():
    """Random words, the first ones more often: repetitive, but not to be foreseen, as prose is."""
    generator = np.random.default_rng(0)
    letters = "etaoinshrdlu"
    words = ["".join(generator.choice(list(letters), generator.integers(1, 9))) for _ in range(400)]
    weights = 1 / np.arange(1, 401)
    drawn = generator.choice(words, (100, 100), p=weights / weights.sum())
    return [(" ".join(document) + ".").encode() for document in drawn]


@pytest.fixture(scope="module")
def ngrams(documents):
    return byte_model.NgramByteModel.fit(documents, order=4)


def num_codes(compressor, documents):
    return sum(map(len, compressor.encode_batch(documents)))


def test_as_many_texts_as_cells_compress_more_than_windows(ngrams, documents):
    windows = window_dictionary.compile_windows(ngrams, 14)
    filled = tunstall_fit.fit_tunstall(ngrams, 1 << 14)
    assert num_codes(filled, documents) < 0.95 * num_codes(windows, documents)


def test_each_step_compresses_more(ngrams, documents):
    fits = [tunstall_fit.Fit(), tunstall_fit.Fit(1), tunstall_fit.Fit(1, 4)]
    made = [
        tunstall_fit.fit_tunstall(ngrams, 400, how=HOW, fit=fit, documents=documents)
        for fit in fits
    ]
    sizes = [num_codes(one, documents) for one in made]
    assert sizes == sorted(sizes, reverse=True)
    assert [one.variant for one in made] == [
        "fewest_prefer",
        "starts1_fewest_prefer",
        "starts1_of4_fewest_prefer",
    ]
    for one in made:
        assert one.vocab_size == 400
        assert one.decode_batch(one.encode_batch(documents)) == documents


def test_unused_texts_go(ngrams, documents):
    how = parse.Parse()
    fitted = tunstall_fit.fit_tunstall(
        ngrams, 300, how=how, fit=tunstall_fit.Fit(candidates=8), documents=documents
    )
    uses = np.bincount(np.concatenate(fitted.encode_batch(documents)), minlength=300)
    plain = tunstall_fit.fit_tunstall(ngrams, 300, how=how)
    plain_uses = np.bincount(np.concatenate(plain.encode_batch(documents)), minlength=300)
    assert (uses[256:] > 0).sum() > (plain_uses[256:] > 0).sum()
    # Not closed under prefixes any more.
    texts = set(fitted.texts())
    assert any(text[:-1] not in texts for text in texts if len(text) > 1)


def test_the_same_text_gives_the_same_dictionary(ngrams, documents):
    fit = tunstall_fit.Fit(1, 2, sample_bytes=2000)
    made = [
        tunstall_fit.fit_tunstall(ngrams, 300, how=HOW, fit=fit, documents=documents).fingerprint
        for _ in range(2)
    ]
    assert made[0] == made[1]


def test_single_bytes_alone(ngrams):
    assert tunstall_fit.fit_tunstall(ngrams, 256).encode(b"a\x00").tolist() == [97, 0]


def test_settings_that_cannot_be(ngrams):
    for values in ({"start_rounds": -1}, {"candidates": 0}, {"sample_bytes": 0}):
        with pytest.raises(errors.InputError, match=next(iter(values))):
            tunstall_fit.Fit(**values)
    with pytest.raises(errors.InputError, match="at least 256"):
        tunstall_fit.fit_tunstall(ngrams, 255)
    with pytest.raises(errors.InputError, match="at most 524288"):
        tunstall_fit.fit_tunstall(ngrams, 1 << 20, fit=tunstall_fit.Fit(candidates=2))
    with pytest.raises(errors.InputError, match="needs text"):
        tunstall_fit.fit_tunstall(ngrams, 300, fit=tunstall_fit.Fit(start_rounds=1))
