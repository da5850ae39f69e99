"""Byte models to compress with: random ones of any size, and one that knows some text."""

import numpy as np
import pytest

from eiw.coding import byte_model, cdf

TEXT = (
    b"The quick brown fox jumps over the lazy dog. A window that is equal in information is not "
    b"equal in text, and the dictionary of all of them is compiled once. "
) * 40


class RandomByteModel:
    """A CDF for every prefix, drawn from a generator that the prefix seeds; any alphabet and P."""

    backend = ""

    def __init__(self, seed: int, alphabet_size: int, precision: int, shape: str) -> None:
        self.alphabet_size = alphabet_size
        self.precision = precision
        self.fingerprint = f"random {seed} {alphabet_size} {precision} {shape}"
        self._seed = seed
        self._shape = shape
        self._known = {}

    def start(self, rows):
        return self._answer([()] * rows)

    def advance(self, state, symbols):
        return self._answer([(*row, int(x)) for row, x in zip(state, symbols, strict=True)])

    def take(self, state, rows):
        return [state[row] for row in rows]

    def save(self, folder):
        raise NotImplementedError

    def _answer(self, prefixes):
        for prefix in prefixes:
            if prefix not in self._known:
                self._known[prefix] = self._draw(prefix)
        return prefixes, np.stack([self._known[prefix] for prefix in prefixes])

    def _draw(self, prefix):
        generator = np.random.default_rng([self._seed, len(prefix), *prefix])
        if self._shape == "dyadic":
            return _dyadic_cdf(generator, self.alphabet_size, self.precision)
        spread = {"peaked": 0.05, "even": 3.0, "uniform": 1e12}[self._shape]
        weights = generator.dirichlet(np.full(self.alphabet_size, spread))
        return cdf.cdf_from_weights(np.rint(weights * 2**30).astype(int), self.precision)


def _dyadic_cdf(generator, alphabet_size, precision):
    """Powers of two that sum to 2^P, by halving random parts: boundaries fall on cells."""
    parts = [1 << precision]
    while len(parts) < alphabet_size:
        index = generator.choice([i for i, part in enumerate(parts) if part > 1])
        parts[index : index + 1] = [parts[index] // 2] * 2
    return np.concatenate([[0], np.cumsum(generator.permutation(parts))]).astype(np.uint32)


@pytest.fixture(scope="session")
def random_byte_model():
    return RandomByteModel


@pytest.fixture(scope="session")
def text():
    return TEXT


@pytest.fixture(scope="session")
def ngrams():
    return byte_model.NgramByteModel.fit([TEXT], order=4)


@pytest.fixture(scope="session")
def peaked():
    """The highest probability that the precision allows for one byte: the longest chains."""
    return byte_model.StaticByteModel(np.where(np.arange(256) == ord("a"), 1 << 39, 0))


@pytest.fixture(scope="session")
def check_round_trips():
    """Says whether many generated texts come back; for the slow tests of every compressor."""

    def check(compressor, count, seed=0, batch=500):
        generator = np.random.default_rng(seed)
        for first in range(0, count, batch):
            texts = [_generated_text(generator) for _ in range(first, min(first + batch, count))]
            assert compressor.decode_batch(compressor.encode_batch(texts)) == texts

    return check


def _generated_text(generator):
    """Short texts of four sorts: any bytes, few different ones, pieces of prose, all the same."""
    length = int(generator.integers(0, 40))
    sort = generator.integers(4)
    if sort == 0:
        return generator.integers(0, 256, length).astype(np.uint8).tobytes()
    if sort == 1:
        return generator.choice([0, 32, 97, 255], length).astype(np.uint8).tobytes()
    if sort == 2:
        start = generator.integers(len(TEXT) - length)
        return TEXT[start : start + length]
    return bytes([generator.integers(256)]) * length
