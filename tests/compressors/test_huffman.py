import numpy as np
import pytest

from eiw.coding import byte_model
from eiw.compressors import huffman, neural_ac


def test_static_codes_are_the_code_of_the_counts():
    counts = np.zeros(257, int)
    counts[[ord("a"), ord("b"), ord("c"), 256]] = [8, 4, 2, 2]
    coder = huffman.Huffman(byte_model.StaticByteModel(counts), 1)
    # Every other symbol keeps one count, all of them together 253: rarer than c or EOS.
    assert coder.encode(b"aab")[:4].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("model", ["ngrams", "static"])
def test_between_one_bit_a_byte_and_one_more_than_ac(model, ngrams, text):
    model = ngrams if model == "ngrams" else byte_model.StaticByteModel.fit([text])
    data = text[:500]
    bits = len(huffman.Huffman(model, 1).encode(data))
    assert max(len(data), len(neural_ac.NeuralAC(model, 1).encode(data)) - 2) < bits
    assert bits < len(neural_ac.NeuralAC(model, 1).encode(data)) + len(data)
