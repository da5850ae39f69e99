"""Bytes a second that this machine reads, by the same library that decodes."""

import functools
import math
import statistics
import time
from collections.abc import Iterable

import jax
import jax.numpy as jnp

# Much more than any cache holds.
MEMORY_BYTES = 256 << 20
_COLUMNS = 1024


class Bandwidth:
    """Reads a float32 buffer from end to end, by a sum and by a product with a vector.

    Args:
      num_bytes: of the buffer. Where it is far more than the caches hold this measures memory; a
        smaller one, read again and again, the cache that holds it.
    """

    def __init__(self, num_bytes: int = MEMORY_BYTES) -> None:
        shape = (math.ceil(num_bytes / 4 / _COLUMNS), _COLUMNS)
        self._buffer = jnp.ones(shape, jnp.float32)
        self._seconds: dict[str, list[float]] = {"sum": [], "product": []}
        self._reads = {"sum": _sum, "product": functools.partial(_product, jnp.ones(_COLUMNS))}
        for read in self._reads.values():
            jax.block_until_ready(read(self._buffer))

    def measure(self, times: int) -> float:
        """Reads so many times more; bytes/s of the faster of the two this time, by its median."""
        for name, read in self._reads.items():
            for _ in range(times):
                started = time.perf_counter()
                jax.block_until_ready(read(self._buffer))
                self._seconds[name].append(time.perf_counter() - started)
        return self._rate([seconds[-times:] for seconds in self._seconds.values()])

    @property
    def bytes_per_s(self) -> float:
        """The same of all reads so far."""
        return self._rate(self._seconds.values())

    def _rate(self, seconds: Iterable[list[float]]) -> float:
        return self._buffer.nbytes / min(map(statistics.median, seconds))


@jax.jit
def _sum(x_RC: jax.Array) -> jax.Array:
    return jnp.sum(x_RC)


@jax.jit
def _product(x_C: jax.Array, x_RC: jax.Array) -> jax.Array:
    return x_RC @ x_C
