"""Which of the ways on is taken: greedy, or drawn with a temperature, from the top k or top p.

Pure functions of logits_BN over any last axis; -inf is a way that cannot be taken.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from eiw import errors

# Ways are drawn in two steps, first a block of them: random numbers, and reductions that also tell
# where, cost a CPU more than a small network's own work if each of 65,536 ways takes part.
_BLOCK = 128
# What float32 carries beside logits: a temperature below is as good as greedy, one above as uniform
# draws, and no mass of a way is smaller.
_LEAST, _MOST = 1e-30, 1e30


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to draw: first the temperature, then the top k, then of these the top p.

    Attributes:
      temperature: 1 draws as the model says, less prefers the probable; 0 takes the most probable.
      top_k: draw from so many of the most probable; 0: from all.
      top_p: draw from the fewest of the most probable that hold this much of the mass; 1: from all.

    Raises:
      InputError: a number out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise errors.InputError(f"temperature={self.temperature} must be 0 or more.")
        if self.top_k < 0:
            raise errors.InputError(f"top_k={self.top_k} must be 1 or more, or 0 for all.")
        if not 0.0 < self.top_p <= 1.0:
            raise errors.InputError(f"top_p={self.top_p} must be above 0 and at most 1.")

    @property
    def kind(self) -> "Kind":
        """What a program that draws depends on."""
        return Kind(self.temperature == 0.0, self.top_k > 0, self.top_p < 1.0)

    @property
    def numbers(self) -> np.ndarray:
        """What it does not depend on, float32[3]: temperature, top k, top p."""
        numbers = [self.temperature, min(self.top_k, _MOST), self.top_p]
        return np.clip(numbers, _LEAST, _MOST).astype(np.float32)


class Kind(NamedTuple):
    """Which parts of a `Sampling` take part: its numbers may change without compiling anew."""

    is_greedy: bool
    has_top_k: bool
    has_top_p: bool


def draw(keys_B: jax.Array, logits_BN: jax.Array, kind: Kind, numbers: jax.Array) -> jax.Array:
    """int32[B]: what each row takes, by a random key of its own.

    Args:
      keys_B: the keys.
      logits_BN: of the ways.
      kind: of a `Sampling`; decides the program.
      numbers: of the same.
    """
    temperature, top_k, top_p = numbers
    if kind.is_greedy:
        blocks_BMW = _blocks(logits_BN)
        block_B = jnp.argmax(jnp.max(blocks_BMW, axis=-1), axis=-1)
        return _join(block_B, jnp.argmax(_take(blocks_BMW, block_B), axis=-1))
    logits_BN = logits_BN / temperature.astype(logits_BN.dtype)
    if kind.has_top_k:
        logits_BN = keep_top_k(logits_BN, top_k)
    if kind.has_top_p:
        logits_BN = keep_top_p(logits_BN, top_p)
    blocks_BMW = _blocks(logits_BN)
    keys_B2 = jax.vmap(jax.random.split)(keys_B)
    draw_each = jax.vmap(jax.random.categorical)
    block_B = draw_each(keys_B2[:, 0], jax.nn.logsumexp(blocks_BMW, axis=-1))
    return _join(block_B, draw_each(keys_B2[:, 1], _take(blocks_BMW, block_B)))


def keep_top_k(logits_BN: jax.Array, k: float | jax.Array) -> jax.Array:
    """-inf for all but the k highest; what ties with the lowest of these is kept too."""
    ones_BN = jnp.ones(logits_BN.shape, jnp.float32)
    return _keep_highest(logits_BN, ones_BN, jnp.float32(k))


def keep_top_p(logits_BN: jax.Array, p: float | jax.Array) -> jax.Array:
    """-inf for all but the fewest highest whose softmax is at least p together; ties are kept."""
    return _keep_highest(logits_BN, jax.nn.softmax(logits_BN, axis=-1), jnp.float32(p))


def _keep_highest(logits_BN: jax.Array, mass_BN: jax.Array, enough: jax.Array) -> jax.Array:
    """-inf below the highest value that leaves enough mass at or above itself.

    Sorting a vocabulary costs a CPU several steps of a small network; the value is found by halving
    its 32 bits instead. As integers, floats of the same sign are in the order of their bits.
    """
    bits_BN = jax.lax.bitcast_convert_type(logits_BN.astype(jnp.float32) + 0.0, jnp.int32)
    order_BN = jnp.where(bits_BN < 0, bits_BN ^ jnp.int32(0x7FFFFFFF), bits_BN)

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        # At or above `low_B1` there is enough, at or above `high_B1` there is not.
        low_B1, high_B1 = bounds
        middle_B1 = (low_B1 & high_B1) + ((low_B1 ^ high_B1) >> 1)  # their mean, rounded down
        above_BN = order_BN >= middle_B1
        sum_B1 = jnp.sum(jnp.where(above_BN, mass_BN, 0.0), axis=-1, keepdims=True)
        is_enough_B1 = sum_B1 >= enough
        low_B1 = jnp.where(is_enough_B1, middle_B1, low_B1)
        return low_B1, jnp.where(is_enough_B1, high_B1, middle_B1)

    # Where rounding leaves no mass that is enough, all is kept.
    limits = jnp.iinfo(jnp.int32)
    shape = (*logits_BN.shape[:-1], 1)
    bounds = (jnp.full(shape, limits.min, jnp.int32), jnp.full(shape, limits.max, jnp.int32))
    lowest_B1, _ = jax.lax.fori_loop(0, 32, halve, bounds)
    return jnp.where(order_BN >= lowest_B1, logits_BN, -jnp.inf)


def _blocks(logits_BN: jax.Array) -> jax.Array:
    """[B, M, W]: blocks one after another, the last one filled up with -inf."""
    rest = -logits_BN.shape[-1] % _BLOCK
    filled = jnp.pad(logits_BN, ((0, 0), (0, rest)), constant_values=-jnp.inf)
    return filled.reshape(len(logits_BN), -1, _BLOCK)


def _take(blocks_BMW: jax.Array, block_B: jax.Array) -> jax.Array:
    """[B, W]: a block of each row."""
    return jnp.take_along_axis(blocks_BMW, block_B[:, None, None], axis=1)[:, 0]


def _join(block_B: jax.Array, inside_B: jax.Array) -> jax.Array:
    return (block_B * _BLOCK + inside_B).astype(jnp.int32)
