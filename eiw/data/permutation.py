"""A random order of any number of examples that takes no memory.

A shuffled index of the paper's 51,200,000 examples would be 400 MB on every host. A Feistel network
is a bijection of the numbers of 2k bits whatever its round function is, and costs a few operations
for each index asked for.
"""

import numpy as np

# Three rounds make a pseudo-random permutation of a strong round function; one more for a weak one.
_ROUNDS = 4
# Odd multipliers and shifts of the splitmix64 mixer.
_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)


def permute(indices: np.ndarray, size: int, key: tuple[int, ...]) -> np.ndarray:
    """Where each of `indices` lands in the permutation of range(size) that `key` names.

    Args:
      indices: int64[n], each in 0..size-1.
      size: at least 1, at most 2**62.
      key: non-negative integers, say (seed, epoch); other keys, other permutations.

    Returns:
      int64[n], each in 0..size-1. Over all indices every value comes exactly once.
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    round_keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)
    result = _feistel(indices.astype(np.uint64), half_bits, round_keys)
    # The network permutes a power of four, at most 4 x size. Following a number that fell outside
    # until it comes back inside (its cycle began inside) keeps this a bijection of range(size).
    while (outside := result >= size).any():
        result[outside] = _feistel(result[outside], half_bits, round_keys)
    return result.astype(np.int64)


def _feistel(values: np.ndarray, half_bits: int, round_keys: np.ndarray) -> np.ndarray:
    shift, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = values >> shift, values & mask
    for round_key in round_keys:
        left, right = right, left ^ (_mix(right + round_key) & mask)
    return (left << shift) | right


def _mix(values: np.ndarray) -> np.ndarray:
    values = values + _INCREMENT
    values = (values ^ (values >> np.uint64(30))) * _MULTIPLY_1
    values = (values ^ (values >> np.uint64(27))) * _MULTIPLY_2
    return values ^ (values >> np.uint64(31))
