"""Several processes, one training run: who writes, who waits, and how they agree.

Every process runs the same code. What must be the same on all of them and comes from outside (a
clock, a signal, a folder's contents) goes through this module. A process alone pays nothing.
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from eiw import errors


def join(coordinator: str | None, num_hosts: int | None, host: int | None) -> None:
    """Connects this process to the others of its run; before JAX does anything else.

    Args:
      coordinator: `HOST:PORT` of process 0; None where JAX finds out by itself: TPU pods, SLURM,
        Open MPI.
      num_hosts: processes.
      host: the number of this one, from 0.

    Raises:
      InputError: the others cannot be reached, or the environment does not say who they are.
    """
    try:
        jax.distributed.initialize(coordinator, num_hosts, host)
    except (ValueError, RuntimeError) as error:
        raise errors.InputError(
            f"The hosts do not come together: {error} Give --coordinator=HOST:PORT, --num_hosts "
            "and --host."
        ) from error


def is_first() -> bool:
    """Whether this process writes what all of them share."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Until every process has come to the point `name`."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def from_first(content: Any) -> Any:
    """JSON of process 0, on every process; the others' argument is not looked at."""
    if jax.process_count() == 1:
        return content
    text = np.frombuffer(json.dumps(content).encode() if is_first() else b"", np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    text = np.resize(text, size) if is_first() else np.zeros(size, np.uint8)
    return json.loads(np.asarray(multihost_utils.broadcast_one_to_all(text)).tobytes())


def gather(tree: Any) -> Any:
    """A tree of arrays, wherever their parts lie, as whole numpy arrays on every process."""
    return multihost_utils.process_allgather(tree, tiled=True)


class Agreement:
    """The greatest of all processes' numbers, known some steps later without waiting for devices.

    Each step every process gives a number; the greatest is an array of the device, the same on
    all processes, which is read when the step's metrics are.
    """

    def __init__(self, mesh: jax.sharding.Mesh) -> None:
        self._mesh = mesh
        self._sharding = jax.NamedSharding(mesh, jax.P(mesh.axis_names))
        everywhere = jax.NamedSharding(mesh, jax.P())
        self._greatest = jax.jit(jnp.max, out_shardings=everywhere)

    def ask(self, number: int) -> jax.Array | int:
        """The greatest number: int32[] of the device, or `number` itself of a process alone."""
        if jax.process_count() == 1:
            return number
        numbers = jax.make_array_from_callback(
            (self._mesh.size,), self._sharding, lambda _: np.array([number], np.int32)
        )
        return self._greatest(numbers)
