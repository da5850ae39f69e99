"""Probabilities of bytes: of a known truth, of any M2, and what a coder makes of them."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import toy_codes as toy

from eiw import errors, vocab
from eiw.compressors.neural_ac import NeuralAC
from eiw.inference import canonical, exact_bytes, ways

SEEDS = st.integers(0, 2**32 - 1)


class Table:
    """`toy.TableModel` as `NextCodes`."""

    fingerprint = "table"
    backend = ""

    def __init__(self, model):
        self._model = model

    def log_p(self, prefixes):
        return np.stack([self._model.log_p(prefix) for prefix in prefixes])


class Markov:
    """An M2 that knows no rule: after each code a few codes are likely, canonical or not."""

    fingerprint = "markov"
    backend = ""

    def __init__(self, num_codes, seed, ends=1e-3):
        generator = np.random.default_rng(seed)
        self.p = np.full((num_codes + 1, num_codes + 1), 1e-6)
        often = [*toy.LETTERS, *range(256, num_codes)]
        self.p[:, often] += generator.dirichlet(np.full(len(often), 0.5), num_codes + 1)
        self.p[:, -1] = ends
        self.p /= self.p.sum(axis=1, keepdims=True)

    def log_p(self, prefixes):
        return np.log(np.stack([self.p[prefix[-1] if prefix else -1] for prefix in prefixes]))


def model_of(compressor, next_codes):
    return exact_bytes.ExactBytes(canonical.CanonicalParses(compressor.texts()), next_codes)


def walk(model, text):
    """The state after a text, byte by byte."""
    state, _ = model.start(1)
    for byte in text:
        state, _ = model.advance(state, np.array([byte]))
    return state


@hypothesis.settings(max_examples=8)
@hypothesis.given(SEEDS)
def test_the_truth_of_a_toy_is_found(seed):
    compressor = toy.dictionary(seed)
    truth = toy.TableModel(compressor, seed)
    model = model_of(compressor, Table(truth))
    for text in toy.all_texts(4):
        going = np.array([each.startswith(text) for each in truth.texts])
        expected = np.zeros(vocab.ALPHABET_SIZE)
        for each, probability in zip(truth.texts, truth.probabilities, strict=True):
            if each.startswith(text):
                symbol = each[len(text)] if len(each) > len(text) else vocab.EOS_SYMBOL
                expected[symbol] += probability
        expected /= truth.probabilities[going].sum()
        found = model.probabilities(walk(model, text))[0]
        np.testing.assert_allclose(found, expected, atol=1e-9)


@hypothesis.settings(max_examples=10)
@hypothesis.given(SEEDS)
def test_what_a_byte_gets_is_what_all_that_follows_it_gets(seed):
    """log p(x b) from the trie at x is the sum over the symbols after x b: normalised exactly."""
    compressor = toy.dictionary(seed)
    markov = Markov(compressor.vocab_size, seed)
    model = model_of(compressor, markov)

    def base(row):
        """log of the probability of the codes before a row's first live boundary."""
        total, walks = 0.0, ()
        for place, code in enumerate(row.codes):
            log_p = markov.log_p([row.codes[:place]])[0]
            log_p = np.where(model._parses.allowed(walks), log_p, -np.inf)
            total += log_p[code] - ways.log_sum(log_p)
            walks = model._parses.walks_after(walks, code)
        return total

    text = bytes(np.random.default_rng(seed).choice(list(toy.LETTERS), 25).tolist())
    (row,) = walk(model, b"")
    before = 0.0
    for place, byte in enumerate(text):
        weights = model.log_weights(row) + base(row)
        assert ways.log_sum(weights) == pytest.approx(before, abs=1e-9)
        np.testing.assert_allclose(model.probabilities([row]).sum(), 1, atol=1e-6)
        before = weights[byte]
        (row,) = walk(model, text[: place + 1])


@pytest.mark.parametrize("seed", range(4))
def test_a_coder_driven_by_it_is_lossless_and_as_short_as_m2_says(seed):
    compressor = toy.dictionary(seed)
    markov = Markov(compressor.vocab_size, seed)
    generator = np.random.default_rng(seed)
    codes = [ord("a")]
    for _ in range(600):
        p = markov.p[codes[-1], :-1]
        codes.append(generator.choice(len(p), p=p / p.sum()))
    text = compressor.decode(np.array(codes))
    codes = compressor.encode(text)
    path = [-1, *codes.tolist(), compressor.vocab_size]
    bits = -sum(np.log2(markov.p[one, other]) for one, other in itertools.pairwise(path))
    coder = NeuralAC(model_of(compressor, markov), token_bits=1)
    (coded,) = coder.encode_batch([text])
    assert coder.decode_batch([coded]) == [text]
    assert 0 < len(coded) <= 1.01 * bits


def test_rows_are_functions_of_their_own_prefixes():
    compressor = toy.dictionary(3)
    model = model_of(compressor, Markov(compressor.vocab_size, 3))
    texts = [b"abba", b"bbab", b"aaaa"]
    state, _ = model.start(3)
    for column in zip(*texts, strict=True):
        state, cdfs = model.advance(state, np.array(column))
    for row, text in enumerate(texts):
        alone = model.advance(walk(model, text[:-1]), np.array([text[-1]]))[1]
        np.testing.assert_array_equal(alone[0], cdfs[row])
    assert cdfs.dtype == np.uint32
    assert (cdfs[:, -1] == 1 << model.precision).all()
    taken = model.take(state, np.array([2, 2, 0]))
    assert [row.tail for row in taken] == [state[2].tail, state[2].tail, state[0].tail]
    # After EOS a row begins anew.
    ended = model.advance(state, np.array([vocab.EOS_SYMBOL] * 3))[1]
    np.testing.assert_array_equal(ended, model.start(3)[1])


def test_it_is_not_saved(tmp_path):
    compressor = toy.dictionary(3)
    with pytest.raises(errors.InputError, match="not saved"):
        model_of(compressor, Markov(compressor.vocab_size, 3)).save(tmp_path)
