"""Integer CDFs: the only form in which a probability enters a coder.

Floats differ in their last bit between devices, batch shapes and compilers, and a coder that sees
two different CDFs decodes rubbish. So probabilities are rounded to integers once, and everything
after that is integer arithmetic with one right answer.

A CDF of A symbols at precision P is uint32[A + 1]: `cdf[0] = 0`, `cdf[A] = 2^P`, and symbol x
holds the counts `cdf[x] .. cdf[x + 1] - 1`, at least one of them (Lester et al. 2024, 3.3).
"""

import numpy as np

# The paper's precision, that of TensorFlow Compression's range coder.
PRECISION = 14

# Probabilities are rounded to multiples of 2^-17, once. The products of `cdf_from_weights` then
# stay below 2^32, so that a device without 64-bit integers follows the same rule.
WEIGHT_BITS = 17

# Weights of more bits in all are shifted below that, and of less where the product with 2^P would
# overflow.
_MAX_TOTAL_BITS = 40
_MAX_PRODUCT_BITS = 63


def cdf_from_probabilities(probabilities: np.ndarray, precision: int = PRECISION) -> np.ndarray:
    """Integer CDFs of float[..., A] probabilities (any float dtype), uint32[..., A + 1].

    The rows need not sum to one: `cdf_from_weights` scales what the rounding leaves.

    Raises:
      ValueError: a probability is NaN, infinite, negative or above 2^16, or a row rounds to zero.
    """
    probabilities = np.asarray(probabilities).astype(np.float64)
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise ValueError("probabilities must be finite and not negative")
    if (probabilities > 1 << 16).any():
        raise ValueError("probabilities above 2^16: pass counts to cdf_from_weights instead")
    return cdf_from_weights(np.rint(probabilities * (1 << WEIGHT_BITS)).astype(np.int64), precision)


def cdf_from_weights(weights: np.ndarray, precision: int = PRECISION) -> np.ndarray:
    """Integer CDFs of int[..., A] weights or counts, uint32[..., A + 1].

    With S the running sum of the weights and T their total:

        cdf[x] = x + floor(S[x] * (2^P - A) / T)

    One count goes to every symbol, the rest in proportion. Rounding the sums, not the parts, makes
    the total exact without a correction that some symbol would have to bear.

    Raises:
      ValueError: a weight is negative, a row sums to zero, or 2^P is less than A.
    """
    weights = np.asarray(weights).astype(np.int64)
    alphabet = weights.shape[-1]
    if alphabet > 1 << precision:
        raise ValueError(f"{alphabet} symbols do not fit into 2^{precision} counts")
    if (weights < 0).any():
        raise ValueError("weights must not be negative")
    # A row's shift depends on that row alone, so that its CDF does too. The largest weight bounds
    # the sum, which itself could overflow.
    _, exponent = np.frexp(weights.max(axis=-1, keepdims=True).astype(np.float64) * alphabet)
    total_bits = min(_MAX_TOTAL_BITS, _MAX_PRODUCT_BITS - precision)
    sums = np.cumsum(weights >> np.maximum(exponent - total_bits, 0), axis=-1)
    totals = sums[..., -1:]
    if (totals == 0).any():
        raise ValueError("weights must not be all zero")
    cdf = np.zeros((*weights.shape[:-1], alphabet + 1), np.uint32)
    cdf[..., 1:] = np.arange(1, alphabet + 1) + sums * ((1 << precision) - alphabet) // totals
    return cdf
