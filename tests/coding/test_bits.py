import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.coding import bits

FIELDS = st.lists(
    st.integers(0, 200).flatmap(
        lambda width: st.tuples(st.integers(0, (1 << width) - 1), st.just(width))
    )
)


@given(FIELDS, st.integers(1, 24))
def test_what_was_written_is_read(fields, token_bits):
    writer = bits.BitWriter()
    for value, width in fields:
        writer.write(value, width)
    tokens = writer.tokens(token_bits)
    reader = bits.BitReader(tokens, token_bits)
    assert [reader.read(width) for _, width in fields] == [value for value, _ in fields]
    assert reader.remaining < token_bits
    assert reader.read(reader.remaining) == 0


def test_first_bit_is_most_significant():
    writer = bits.BitWriter()
    writer.write(0b1011, 4)
    writer.write(0b0001_011, 7)
    assert writer.tokens(8).tolist() == [0xB1, 0x60]
    assert writer.tokens(16).tolist() == [0xB160]
    assert writer.tokens(16).dtype == np.int32


def test_nothing_is_no_tokens():
    assert bits.BitWriter().tokens(16).shape == (0,)
    assert bits.BitReader(np.zeros(0, np.int32), 16).remaining == 0


def test_reading_past_the_end():
    reader = bits.BitReader(np.array([7], np.int32), 8)
    with pytest.raises(errors.InputError, match="9 more bits are needed and 8 are left"):
        reader.read(9)


@pytest.mark.parametrize("token", [-1, 256])
def test_token_out_of_range(token):
    with pytest.raises(errors.InputError, match=r"0\.\.255"):
        bits.tokens_to_bits(np.array([0, token]), 8)


@pytest.mark.parametrize(("value", "width"), [(-1, 8), (256, 8), (1, 0)])
def test_value_wider_than_its_field(value, width):
    with pytest.raises(ValueError, match="unsigned integer"):
        bits.BitWriter().write(value, width)
