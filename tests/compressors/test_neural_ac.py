import numpy as np

from eiw.coding import byte_model
from eiw.compressors import neural_ac


def test_static_ac_reaches_the_entropy(text):
    symbols = np.frombuffer(text, np.uint8)
    counts = np.bincount(symbols, minlength=257)
    coder = neural_ac.NeuralAC(byte_model.StaticByteModel(counts), 8)
    shares = counts[counts > 0] / len(symbols)
    entropy_bytes = -(shares * np.log2(shares)).sum() * len(symbols) / 8
    # One count in 2^14 for each symbol that never occurs costs about 2%.
    assert entropy_bytes < len(coder.encode(text)) < 1.03 * entropy_bytes + 4


def test_flat_model_costs_eight_bits_a_byte():
    coder = neural_ac.NeuralAC(byte_model.StaticByteModel(np.ones(256, int)), 8, 20)
    # 5 bits of length, 8 a byte, and zeros to the end of the token.
    assert len(coder.encode(b"0123456789")) == 11


def test_raw_bits_are_the_bits_of_the_tokens(ngrams, text):
    bits = neural_ac.NeuralAC(ngrams, 1).encode(text[:99])
    octets = neural_ac.NeuralAC(ngrams, 8).encode(text[:99])
    assert set(bits) == {0, 1}
    assert np.packbits(bits.astype(np.uint8)).tolist() == octets.tolist()
