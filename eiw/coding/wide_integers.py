"""Unsigned integers of any width for compiled code: limbs of 32 bits, lowest first, in uint64[L].

A limb times a count of up to 31 bits, and a carry, fit into 64 bits. Results are written to `out`,
which may be an argument; what does not fit into L limbs is lost, so take enough of them.

Compiled callers keep these functions' machine code in their own cache: see `jit.jit`.
"""

import numpy as np

from eiw.coding import jit

LIMB_BITS = 32
_BITS = np.uint64(LIMB_BITS)
_MASK = np.uint64((1 << LIMB_BITS) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@jit.jit
def scale(a, count, shift, out):
    """out = a * count >> shift, for 0 < shift < 32."""
    low_shift, high_shift = np.uint64(shift), np.uint64(LIMB_BITS - shift)
    carry = below = _ZERO
    for place in range(len(a)):
        product = a[place] * np.uint64(count) + carry
        limb, carry = product & _MASK, product >> _BITS
        if place:
            out[place - 1] = below >> low_shift | (limb << high_shift) & _MASK
        below = limb
    # Nothing of what is left of the carry lies above the last limb, by the promise on L.
    out[len(a) - 1] = below >> low_shift | (carry << high_shift) & _MASK


@jit.jit
def shift_right(a, shift, out):
    """out = a >> shift, for 0 < shift < 32."""
    low_shift, high_shift = np.uint64(shift), np.uint64(LIMB_BITS - shift)
    for place in range(len(a) - 1):
        out[place] = a[place] >> low_shift | (a[place + 1] << high_shift) & _MASK
    out[len(a) - 1] = a[len(a) - 1] >> low_shift


@jit.jit
def add(a, b, out):
    """out = a + b."""
    carry = _ZERO
    for place in range(len(a)):
        total = a[place] + b[place] + carry
        out[place], carry = total & _MASK, total >> _BITS


@jit.jit
def subtract(a, b, out):
    """out = a - b, for a >= b."""
    borrow = _ZERO
    for place in range(len(a)):
        taken = b[place] + borrow
        borrow = _ONE if a[place] < taken else _ZERO
        out[place] = (a[place] + (borrow << _BITS)) - taken


@jit.jit
def add_bit(a, bit, out):
    """out = a + 2^bit."""
    carry = _ONE << np.uint64(bit % LIMB_BITS)
    for place in range(len(a)):
        total = a[place] + (carry if place >= bit // LIMB_BITS else _ZERO)
        out[place] = total & _MASK
        if place >= bit // LIMB_BITS:
            carry = total >> _BITS


@jit.jit
def round_up(a, zeros, out):
    """out = the lowest multiple of 2^zeros that is not below a."""
    has_rest = False
    for place in range(len(a)):
        kept = min(max(zeros - place * LIMB_BITS, 0), LIMB_BITS)
        rest = a[place] & ((_ONE << np.uint64(kept)) - _ONE)
        has_rest = has_rest or rest != _ZERO
        out[place] = a[place] - rest
    if has_rest:
        add_bit(out, zeros, out)


@jit.jit
def less(a, b):
    """Whether a < b."""
    for place in range(len(a) - 1, -1, -1):
        if a[place] != b[place]:
            return a[place] < b[place]
    return False


@jit.jit
def equal(a, b):
    """Whether a == b."""
    for place in range(len(a)):  # noqa: SIM110, numba compiles no generators
        if a[place] != b[place]:
            return False
    return True


@jit.jit
def trailing_zeros(a):
    """How many; as many as there are bits for 0."""
    for place in range(len(a)):
        if a[place] != _ZERO:
            bit = 0
            while a[place] >> np.uint64(bit) & _ONE == _ZERO:
                bit += 1
            return place * LIMB_BITS + bit
    return len(a) * LIMB_BITS
