"""The programs of a run, compiled in threads while the data and the checkpoints are opened."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from eiw.training import sharding, state, step


class Programs:
    """A run's initialisation and its train step.

    XLA compiles without Python's lock: each program gets a thread, and the caller goes on. What is
    not started is compiled when it is asked for.
    """

    def __init__(
        self, blueprint: state.Blueprint, make_step: Callable[[state.Blueprint], Any]
    ) -> None:
        """Args:
        blueprint: network and optimizer on a mesh.
        make_step: `step.make_train_step` with a run's settings.
        """
        self.blueprint = blueprint
        self._make_step = make_step
        self._started: dict[str, concurrent.futures.Future] = {}
        self._shape: tuple[int, ...] | None = None

    def start(self, batch_shape: tuple[int, int], *, init: bool) -> None:
        """Begins to compile.

        Args:
          batch_shape: of the global batch, rows and ids.
          init: whether a new run begins.
        """
        self._shape = batch_shape
        # The step takes longest, so it is traced first. The other thread waits for that to compile
        # it; so initialization is traced after it, not beside it, which Python would make as slow.
        pool = concurrent.futures.ThreadPoolExecutor(2, "compile")
        lowered = pool.submit(self._lower_step)
        self._started = {"step": pool.submit(lambda: lowered.result().compile())}
        if init:
            self._started["init"] = pool.submit(self._compile_init)
        pool.shutdown(wait=False)

    def init(self, seed: int) -> state.TrainState:
        """The state before the first step, see `Blueprint.init`."""
        program = self._started["init"].result() if "init" in self._started else None
        return (program or self._compile_init())(jax.random.key(seed))

    def step(self, batch: step.Batch) -> Callable[..., Any]:
        """The compiled train step for batches like this one."""
        shape = batch["decoder_target_tokens"].shape
        if "step" in self._started and shape == self._shape:
            return self._started["step"].result()
        self._shape = shape
        return self._lower_step().compile()

    def _compile_init(self) -> Callable[..., state.TrainState]:
        # The context of a mesh is a thread's own.
        with jax.set_mesh(self.blueprint.mesh):
            return self.blueprint.compile_init()

    def _lower_step(self) -> jax.stages.Lowered:
        mesh = self.blueprint.mesh
        where = sharding.batch_sharding(mesh)
        ids = jax.ShapeDtypeStruct(self._shape, jnp.int32, sharding=where)
        weights = jax.ShapeDtypeStruct(self._shape, jnp.float32, sharding=where)
        batch = {
            "decoder_input_tokens": ids,
            "decoder_target_tokens": ids,
            "decoder_loss_weights": weights,
        }
        with jax.set_mesh(mesh):
            return self._make_step(self.blueprint).lower(self.blueprint.shapes, batch)
