"""What training changes from step to step, and how it comes to be on a mesh."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from eiw.models import decoder
from eiw.training import optimizer, sharding


@flax.struct.dataclass
class TrainState:
    """All of a run that lives on devices.

    Attributes:
      step: int32, updates made.
      params: the network's parameters.
      optimizer: the optimizer's state.
      key: uint32[2], the raw random key that each step's dropout is derived from.
    """

    step: jax.Array
    params: Any
    optimizer: Any
    key: jax.Array


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """A network and its optimizer on a mesh, before any number exists.

    Attributes:
      model: the network.
      transform: its optimizer.
      mesh: where the arrays live.
      shapes: a `TrainState` of `jax.ShapeDtypeStruct`, with shardings: what to restore into.
    """

    model: decoder.Decoder
    transform: optax.GradientTransformation
    mesh: jax.sharding.Mesh
    shapes: TrainState

    @property
    def shardings(self) -> TrainState:
        """A `TrainState` of shardings."""
        return jax.tree.map(lambda shaped: shaped.sharding, self.shapes)

    def init(self, seed: int) -> TrainState:
        """The state before the first step, the same on every mesh."""
        return self.compile_init()(jax.random.key(seed))

    def compile_init(self) -> Callable[[jax.Array], TrainState]:
        """Compiles what makes the first state of a random key.

        It is one function with sharded outputs, so that no device ever holds more than its own
        part. It runs once: on CPU, optimizing it would take longer than it saves.
        """
        init = jax.jit(
            lambda key: _init(self.model, self.transform, key), out_shardings=self.shardings
        )
        options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else {}
        return init.lower(jax.random.key(0)).compile(options)


def blueprint(
    model: decoder.Decoder, factory: optimizer.OptimizerFactory, mesh: jax.sharding.Mesh
) -> Blueprint:
    """Works out shapes, axes and shardings; computes nothing.

    Raises:
      InputError: the mesh does not divide a parameter.
    """
    key = jax.random.key(0)
    variables = jax.eval_shape(lambda: _init_variables(model, key))
    params, axes = variables["params"], sharding.parameter_axes(variables)
    transform = factory(axes)
    shapes = TrainState(
        step=jax.ShapeDtypeStruct((), jnp.int32),
        params=params,
        optimizer=jax.eval_shape(transform.init, params),
        key=jax.eval_shape(lambda: jax.random.key_data(key)),
    )
    state_axes = TrainState(
        step=(),
        params=axes,
        optimizer=optimizer.state_axes(shapes.optimizer, shapes.params, axes),
        key=(),
    )
    shardings = sharding.shardings(mesh, shapes, state_axes)
    shapes = jax.tree.map(
        lambda shaped, where: jax.ShapeDtypeStruct(shaped.shape, shaped.dtype, sharding=where),
        shapes,
        shardings,
    )
    return Blueprint(model, transform, mesh, shapes)


def _init_variables(model: decoder.Decoder, key: jax.Array) -> Any:
    # Parameters do not depend on the batch; the smallest one is enough.
    tokens_BT = jnp.zeros((1, 1), jnp.int32)
    return model.init(key, tokens_BT, tokens_BT)


def _init(
    model: decoder.Decoder, transform: optax.GradientTransformation, key: jax.Array
) -> TrainState:
    init_key, step_key = jax.random.split(key)
    params = _init_variables(model, init_key)["params"]
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        optimizer=transform.init(params),
        key=jax.random.key_data(step_key),
    )
