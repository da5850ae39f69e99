"""A compressor whose codes a reader of a test can work out."""

import hashlib

import numpy as np
import pytest

from eiw.compressors import base


class PairCompressor(base.Compressor):
    """Code b is the byte b, code 256 + b is that byte twice: token and byte counts so differ."""

    name = kind = "pairs"
    fingerprint = ""
    decode_batch = save = None  # nobody asks for them

    def __init__(self, vocab_size: int = 512):
        self.vocab_size = vocab_size
        self.fingerprint = hashlib.sha256(str(vocab_size).encode()).hexdigest()
        self.batch_sizes: list[int] = []

    def encode(self, data: bytes) -> np.ndarray:
        codes, i = [], 0
        while i < len(data):
            twice = data[i : i + 1] == data[i + 1 : i + 2]
            codes.append(data[i] + 256 * twice)
            i += 1 + twice
        return np.array(codes, np.int32)

    def encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        self.batch_sizes.append(len(documents))
        return [self.encode(document) for document in documents]


@pytest.fixture
def pairs():
    return PairCompressor()


@pytest.fixture
def pairs_of():
    """Makes one that claims another vocabulary size."""
    return PairCompressor
