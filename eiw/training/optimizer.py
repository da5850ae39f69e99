"""The optimizers: Adafactor as the paper's T5X runs it, and AdamW.

A factory holds the settings, for gin to bind and for a run's config to record, and is called with
the parameters' logical axes (a tree like the parameters', of axis names). The axes matter: scanned
layers are stacked in one array, and Adafactor's norms are those of ONE layer.
"""

import dataclasses
import math
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from eiw import errors


class OptimizerFactory(Protocol):
    """Settings that make an optimizer.

    Attributes:
      learning_rate: what a sweep changes and a row records.
    """

    learning_rate: float

    def __call__(self, axes: Any) -> optax.GradientTransformation:
        """The optimizer of parameters with these logical axes."""
        ...


# Axes along which independent parameters are stacked.
_BATCH_AXES = frozenset({"layers", "expert", "stack"})
# Adafactor's default: matrices with a smaller side keep the full second moment.
_MIN_DIM_TO_FACTOR = 128


class _AdafactorState(NamedTuple):
    """Adafactor's memory.

    Attributes:
      count: int32, updates made.
      moments: a tree like the parameters', each leaf replaced by {"full": the second moment} or
        by {"row", "column"}: its means over the column and over the row dimension.
    """

    count: jax.Array
    moments: Any


# Settings of which 0 makes no sense either.
_ABOVE_ZERO = ("learning_rate", "warmup_steps")


class _Settings:
    """What all optimizers' settings have in common: they are numbers, and none is negative."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            number = getattr(self, field.name)
            if number is None and field.default is None:
                continue
            is_real, is_positive = isinstance(field.default, float), field.name in _ABOVE_ZERO
            is_number = isinstance(number, int | float if is_real else int)
            if not is_number or not 0 <= number < math.inf or (is_positive and number == 0):
                kind = "number" if is_real else "whole number"
                bound = "above 0" if is_positive else ">= 0"
                raise errors.InputError(
                    f"{type(self).__name__}.{field.name} is {number!r}: give a {kind} {bound}."
                )


def rsqrt_schedule(base: float = 1.0, warmup_steps: int = 10_000) -> optax.Schedule:
    """`base / sqrt(max(step, warmup_steps))`: constant first, no ramp (the paper, section 3.2)."""
    if warmup_steps < 1:
        raise errors.InputError(f"warmup_steps is {warmup_steps}: give 1 or more.")

    def schedule(step: jax.Array) -> jax.Array:
        return base * jax.lax.rsqrt(jnp.maximum(step, warmup_steps).astype(jnp.float32))

    return schedule


@dataclasses.dataclass(frozen=True)
class AdamW(_Settings):
    """AdamW with clipped gradients and a linear warm-up.

    Attributes:
      learning_rate: the peak, reached after `warmup_steps`.
      warmup_steps: updates from 0 to the peak.
      decay_steps: updates until a cosine reaches a tenth of the peak; None keeps the peak.
      b1: decay of the first moment.
      b2: decay of the second moment.
      weight_decay: decoupled decay, for matrices only (not for norm scales and biases).
      clip_norm: largest global norm of a gradient.

    Raises:
      InputError: a number that makes no sense.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 1_000
    decay_steps: int | None = None
    b1: float = 0.9
    b2: float = 0.95
    weight_decay: float = 0.1
    clip_norm: float = 1.0

    def __call__(self, axes: Any) -> optax.GradientTransformation:
        """The optimizer of parameters with these logical axes."""
        if self.decay_steps is None:
            schedule = optax.linear_schedule(0.0, self.learning_rate, self.warmup_steps)
        else:
            schedule = optax.warmup_cosine_decay_schedule(
                0.0,
                self.learning_rate,
                self.warmup_steps,
                self.decay_steps,
                end_value=self.learning_rate / 10,
            )

        def is_matrix(params: Any) -> Any:
            return jax.tree.map(lambda param, names: len(_own_dims(names)) > 1, params, axes)

        return optax.chain(
            optax.clip_by_global_norm(self.clip_norm),
            optax.adamw(
                schedule, b1=self.b1, b2=self.b2, weight_decay=self.weight_decay, mask=is_matrix
            ),
        )


@dataclasses.dataclass(frozen=True)
class Adafactor(_Settings):
    """Adafactor (Shazeer and Stern 2018) with T5X's defaults, without momentum.

    The learning rate is relative to each parameter's root mean square. Second moments of matrices
    are kept as means of rows and of columns. Stacked axes are batch dimensions: every layer of a
    scanned array is updated as if it stood alone, where T5X factors scanned matrices of any size.

    Attributes:
      learning_rate: `base` of `rsqrt_schedule`.
      warmup_steps: see `rsqrt_schedule`.
      decay_exponent: update t (from 1) keeps 1 - t^-exponent of the second moment.
      clip_threshold: largest root mean square of an update, in units of the learning rate.
      min_dim_to_factor: matrices with a smaller side keep the full second moment.
      moment_epsilon: added to squared gradients.
      scale_epsilon: least root mean square that a parameter counts with.

    Raises:
      InputError: a number that makes no sense.
    """

    learning_rate: float = 1.0
    warmup_steps: int = 10_000
    decay_exponent: float = 0.8
    clip_threshold: float = 1.0
    min_dim_to_factor: int = _MIN_DIM_TO_FACTOR
    moment_epsilon: float = 1e-30
    scale_epsilon: float = 1e-3

    def __call__(self, axes: Any) -> optax.GradientTransformation:
        """The optimizer of parameters with these logical axes."""
        schedule = rsqrt_schedule(self.learning_rate, self.warmup_steps)

        def init(params: Any) -> _AdafactorState:
            moments = jax.tree.map(self._zero_moment, params, axes)
            return _AdafactorState(jnp.zeros((), jnp.int32), moments)

        def update(
            gradients: Any, state: _AdafactorState, params: Any
        ) -> tuple[Any, _AdafactorState]:
            kept = 1 - (state.count.astype(jnp.float32) + 1) ** -self.decay_exponent
            rate = schedule(state.count)
            leaves, tree = jax.tree.flatten(params)
            results = [
                self._update(rate, kept, *leaf)
                for leaf in zip(
                    leaves,
                    tree.flatten_up_to(axes),
                    tree.flatten_up_to(gradients),
                    tree.flatten_up_to(state.moments),
                    strict=True,
                )
            ]
            steps = tree.unflatten([step for step, _ in results])
            moments = tree.unflatten([moment for _, moment in results])
            return steps, _AdafactorState(optax.safe_increment(state.count), moments)

        return optax.GradientTransformation(init, update)

    def _zero_moment(self, param: jax.Array, names: tuple) -> dict[str, jax.Array]:
        dims = moment_dims(param.shape, names, self.min_dim_to_factor)
        shapes = {
            key: [size for d, size in enumerate(param.shape) if d != dim]
            for key, dim in dims.items()
        }
        return {key: jnp.zeros(shape, param.dtype) for key, shape in shapes.items()}

    def _update(
        self,
        rate: jax.Array,
        kept: jax.Array,
        param: jax.Array,
        names: tuple,
        gradient: jax.Array,
        moment: dict[str, jax.Array],
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What to add to a parameter, and its new moments."""
        dims = moment_dims(param.shape, names, self.min_dim_to_factor)
        gradient = gradient.astype(param.dtype)
        squared = jnp.square(gradient) + self.moment_epsilon
        decay = kept.astype(param.dtype)
        moment = {
            key: decay * moment[key]
            + (1 - decay) * (squared if dim is None else jnp.mean(squared, axis=dim))
            for key, dim in dims.items()
        }
        step = gradient * _inverse_root(moment, dims)
        own_dims = _own_dims(names)
        step /= jnp.maximum(1, _root_mean_square(step, own_dims) / self.clip_threshold)
        scale = jnp.maximum(_root_mean_square(param, own_dims), self.scale_epsilon)
        return -rate.astype(param.dtype) * scale * step, moment


def state_axes(state: Any, shapes: Any, axes: Any) -> Any:
    """Logical axes of an optimizer's state, from those of the parameters.

    A state's leaf belongs to the parameter whose path its own ends in (`mu/.../mlp/wi/kernel`)
    and has its axes; Adafactor's factored leaves lack one of them.

    Args:
      state: an optimizer's state, arrays or their shapes.
      shapes: the parameters or their shapes (nested dicts).
      axes: a tree like the parameters', of axis names.

    Returns:
      A tree like `state`, of tuples of axis names: empty for what belongs to no parameter.
    """
    flat_axes = dict(_flatten(axes))
    flat_shapes = dict(_flatten(shapes))

    def leaf_axes(path: tuple, leaf: jax.Array) -> tuple:
        keys = tuple(key.key for key in path if isinstance(key, jax.tree_util.DictKey))
        if keys in flat_axes:
            return flat_axes[keys]
        owner, moment = keys[:-1], keys[-1:]
        if owner not in flat_axes:
            return ()
        if moment == ("full",):
            return flat_axes[owner]
        # Rows and columns are only there if this parameter is factored, so no threshold is needed.
        names = flat_axes[owner]
        dim = moment_dims(flat_shapes[owner].shape, names, 0)[moment[0]]
        return names[:dim] + names[dim + 1 :]

    return jax.tree_util.tree_map_with_path(leaf_axes, state)


def _flatten(tree: Any) -> list[tuple[tuple, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: isinstance(x, tuple))
    return [(tuple(key.key for key in path), leaf) for path, leaf in leaves]


def _own_dims(names: tuple) -> tuple[int, ...]:
    """The dimensions of one layer's parameter, without those that stack layers or experts."""
    return tuple(dim for dim, name in enumerate(names) if name not in _BATCH_AXES)


def moment_dims(
    shape: tuple[int, ...], names: tuple, min_dim_to_factor: int = _MIN_DIM_TO_FACTOR
) -> dict[str, int | None]:
    """The kept second moments, and the dimension that each is a mean over (None: it is full)."""
    if len(shape) != len(names):
        raise ValueError(f"A parameter of shape {shape} cannot have the axes {names}.")
    dims = sorted(_own_dims(names), key=lambda dim: shape[dim])
    if len(dims) > 2:
        raise ValueError(f"Adafactor factors matrices; {names} has more than two own axes.")
    if len(dims) < 2 or shape[dims[0]] < min_dim_to_factor:
        return {"full": None}
    return {"row": dims[1], "column": dims[0]}


def _inverse_root(moment: dict[str, jax.Array], dims: dict[str, int | None]) -> jax.Array:
    """1 / sqrt of the second moment, broadcast against the parameter."""
    if "full" in moment:
        return moment["full"] ** -0.5
    # Both means have the same mean; it divides once, so that their product has the right size.
    column_dim, row_dim = dims["column"], dims["row"]
    row = jnp.expand_dims(moment["row"], row_dim)
    column = jnp.expand_dims(moment["column"], column_dim)
    mean = jnp.mean(row, axis=column_dim, keepdims=True)
    return (row / mean) ** -0.5 * column**-0.5


def _root_mean_square(x: jax.Array, dims: tuple[int, ...]) -> jax.Array:
    return jnp.sqrt(jnp.mean(jnp.square(x), axis=dims, keepdims=True))
