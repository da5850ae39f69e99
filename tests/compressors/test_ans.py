import pytest

from eiw import errors
from eiw.coding import byte_model
from eiw.compressors import ans, neural_ac


@pytest.mark.parametrize("token_bits", [8, 16])
def test_two_bytes_longer_than_ac(ngrams, text, token_bits):
    static = byte_model.StaticByteModel.fit([text])
    for model in (ngrams, static):
        bits = [len(cls(model, 1).encode(text[:999])) for cls in (neural_ac.NeuralAC, ans.ANS)]
        assert 0 <= bits[1] - bits[0] <= 16 + 16


def test_too_fine_a_model(text):
    coder = ans.ANS(byte_model.StaticByteModel.fit([text], precision=17))
    with pytest.raises(errors.InputError, match="too fine"):
        coder.encode(text)
