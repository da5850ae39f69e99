"""Limbs against Python's own integers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eiw.coding import wide_integers

LIMBS = 5
numbers = st.integers(0, (1 << 142) - 1) | st.integers(0, 141).map(lambda bit: 1 << bit)


def limbs(value):
    octets = value.to_bytes(4 * LIMBS, "little")
    return np.frombuffer(octets, "<u4").astype(np.uint64)


def value_of(array):
    return sum(int(limb) << (32 * place) for place, limb in enumerate(array))


@given(a=numbers, b=numbers, count=st.integers(0, 1 << 15), shift=st.integers(1, 15))
def test_arithmetic(a, b, count, shift):
    out = limbs(0)
    wide_integers.scale(limbs(a), count, shift, out)
    assert value_of(out) == a * count >> shift
    wide_integers.shift_right(limbs(a), shift, out)
    assert value_of(out) == a >> shift
    wide_integers.add(limbs(a), limbs(b), out)
    assert value_of(out) == a + b
    wide_integers.subtract(limbs(max(a, b)), limbs(min(a, b)), out)
    assert value_of(out) == abs(a - b)
    assert wide_integers.less(limbs(a), limbs(b)) == (a < b)
    assert wide_integers.equal(limbs(a), limbs(b)) == (a == b)
    assert wide_integers.equal(limbs(a), limbs(a))


@given(a=numbers, bit=st.integers(0, 150))
def test_bits(a, bit):
    out = limbs(0)
    wide_integers.add_bit(limbs(a), bit, out)
    assert value_of(out) == a + (1 << bit)
    wide_integers.round_up(limbs(a), bit, out)
    assert value_of(out) == -(-a >> bit) << bit
    # In place.
    wide_integers.round_up(out, bit, out)
    assert value_of(out) == -(-a >> bit) << bit
    zeros = wide_integers.trailing_zeros(limbs(a))
    assert zeros == ((a & -a).bit_length() - 1 if a else 32 * LIMBS)
