"""Which of the ways on is taken: greedy, or drawn with a temperature, from the top k or top p.

Pure functions of logits_BN over any last axis; -inf is a way that cannot be taken.
"""

import dataclasses

import jax
import jax.numpy as jnp

from eiw import errors


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


def draw(keys_B: jax.Array, logits_BN: jax.Array, how: Sampling) -> jax.Array:
    """int32[B]: what each row takes, by a random key of its own."""
    if how.temperature == 0.0:
        return jnp.argmax(logits_BN, axis=-1).astype(jnp.int32)
    logits_BN = logits_BN / jnp.asarray(how.temperature, logits_BN.dtype)
    if 0 < how.top_k < logits_BN.shape[-1]:
        logits_BN = keep_top_k(logits_BN, how.top_k)
    if how.top_p < 1.0:
        logits_BN = keep_top_p(logits_BN, how.top_p)
    return jax.vmap(jax.random.categorical)(keys_B, logits_BN).astype(jnp.int32)


def keep_top_k(logits_BN: jax.Array, k: int) -> jax.Array:
    """-inf for all but the k highest; what ties with the lowest of these is kept too."""
    lowest_B1 = jax.lax.top_k(logits_BN, k)[0][..., -1:]
    return jnp.where(logits_BN >= lowest_B1, logits_BN, -jnp.inf)


def keep_top_p(logits_BN: jax.Array, p: float) -> jax.Array:
    """-inf for all but the fewest highest whose softmax is at least p together; ties are kept."""
    sorted_BN = jnp.sort(logits_BN, axis=-1, descending=True)
    mass_BN = jax.nn.softmax(sorted_BN, axis=-1)
    before_BN = jnp.cumsum(mass_BN, axis=-1) - mass_BN
    # Kept as long as those before it have not reached p: the first always is.
    last_B1 = jnp.sum(before_BN < p, axis=-1, keepdims=True) - 1
    lowest_B1 = jnp.take_along_axis(sorted_BN, jnp.maximum(last_B1, 0), axis=-1)
    return jnp.where(logits_BN >= lowest_B1, logits_BN, -jnp.inf)
