import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import raw_bytes

BYTES = raw_bytes.RawBytes()


@given(st.binary())
def test_codes_are_bytes(data):
    codes = BYTES.encode(data)
    assert codes.dtype == np.int32
    assert codes.tolist() == list(data)
    assert BYTES.decode(codes) == data


@pytest.mark.parametrize("codes", [[256], [-1], [1.0]])
def test_no_codes(codes):
    with pytest.raises(errors.InputError, match="Codes must be"):
        BYTES.decode(np.array(codes))


def test_one_byte_per_token():
    assert BYTES.bytes_per_token(b"anything") == 1
    with pytest.raises(errors.InputError, match="at least one byte"):
        BYTES.bytes_per_token(b"")


def test_saved_and_loaded(tmp_path):
    BYTES.save(tmp_path / "bytes")
    loaded = compressors.load(tmp_path / "bytes", expect_fingerprint=BYTES.fingerprint)
    assert isinstance(loaded, raw_bytes.RawBytes)
