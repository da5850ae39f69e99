"""Adafactor against a plain numpy version, and stacked layers against single ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from eiw import errors
from eiw.training import optimizer

MATRIX = ("embed", "mlp")


def parameters(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gradients(shape, step):
    # Of very different sizes, as those of layers are.
    rng = np.random.default_rng(100 + step)
    return rng.normal(size=shape) * 10.0 ** rng.uniform(-4, 2, size=(shape[0], 1))


def run(transform, params, steps):
    """Parameters after `steps` updates with the gradients above."""
    state = transform.init(params)
    update = jax.jit(transform.update)
    for step in range(steps):
        grads = jax.tree.map(lambda p, s=step: gradients(p.shape, s).astype(np.float32), params)
        updates, state = update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def numpy_adafactor(param, steps, factored):
    """The published algorithm for one matrix, in float64."""
    param = param.astype(np.float64)
    row, column, full = 0.0, 0.0, 0.0
    for step in range(steps):
        gradient = gradients(param.shape, step).astype(np.float32).astype(np.float64)
        kept = 1 - (step + 1.0) ** -0.8
        squared = gradient**2 + 1e-30
        row = kept * row + (1 - kept) * squared.mean(axis=1)
        column = kept * column + (1 - kept) * squared.mean(axis=0)
        full = kept * full + (1 - kept) * squared
        moment = np.outer(row, column) / row.mean() if factored else full
        update = gradient / np.sqrt(moment)
        update /= max(1.0, np.sqrt(np.mean(update**2)))
        param -= 0.01 * max(1e-3, np.sqrt(np.mean(param**2))) * update
    return param


@pytest.mark.parametrize(("shape", "factored"), [((128, 160), True), ((127, 160), False)])
def test_adafactor_is_the_published_algorithm(shape, factored):
    param = parameters(shape)
    params, state = run(optimizer.Adafactor()({"w": MATRIX}), {"w": param}, steps=5)
    assert set(state.moments["w"]) == ({"row", "column"} if factored else {"full"})
    np.testing.assert_allclose(params["w"], numpy_adafactor(param, 5, factored), atol=1e-6)


def test_first_update_of_a_vector_is_the_sign_times_its_scale():
    param, gradient = {"b": jnp.array([3.0, 4.0])}, {"b": jnp.array([1e-7, -50.0])}
    transform = optimizer.Adafactor()({"b": ("embed",)})
    updates, _ = transform.update(gradient, transform.init(param), param)
    root_mean_square = np.sqrt((9 + 16) / 2)
    np.testing.assert_allclose(
        updates["b"], [-0.01 * root_mean_square, 0.01 * root_mean_square], rtol=1e-6
    )


@pytest.mark.parametrize("axes", [("embed", "mlp"), ("heads", "relpos_buckets"), ("embed",)])
@pytest.mark.parametrize("stack", ["layers", "expert"])
def test_stacked_layers_update_as_if_each_stood_alone(axes, stack):
    shape = {"mlp": (128, 256), "relpos_buckets": (4, 32), "embed": (128,)}[axes[-1]]
    layers = [parameters(shape, seed) * 10.0 ** (-seed) for seed in range(3)]
    steps = 10
    apart = {f"layer_{n}": layer for n, layer in enumerate(layers)}
    transform = optimizer.Adafactor()(dict.fromkeys(apart, axes))
    state = transform.init(apart)
    stacked_transform = optimizer.Adafactor()({"w": (stack, *axes)})
    stacked = {"w": np.stack(layers)}
    stacked_state = stacked_transform.init(stacked)
    update, stacked_update = jax.jit(transform.update), jax.jit(stacked_transform.update)
    for step in range(steps):
        grads = [gradients(shape, step * 3 + n).astype(np.float32) for n in range(3)]
        if len(shape) == 1:
            grads = [grad[: shape[0], 0] for grad in grads]
        updates, state = update(dict(zip(apart, grads, strict=True)), state, apart)
        apart = optax.apply_updates(apart, updates)
        updates, stacked_state = stacked_update({"w": np.stack(grads)}, stacked_state, stacked)
        stacked = optax.apply_updates(stacked, updates)
    for number in range(3):
        np.testing.assert_allclose(stacked["w"][number], apart[f"layer_{number}"], rtol=2e-6)
        assert np.all(stacked["w"][number] != layers[number])


def test_rsqrt_schedule_is_constant_then_falls():
    schedule = optimizer.rsqrt_schedule()
    rates = [float(schedule(jnp.asarray(step))) for step in (0, 9_999, 10_000, 40_000)]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.01, 0.005], rtol=1e-6)
    with pytest.raises(errors.InputError, match="warmup_steps"):
        optimizer.rsqrt_schedule(warmup_steps=0)


@pytest.mark.parametrize(
    ("factory", "name", "number", "words"),
    [
        (optimizer.Adafactor, "learning_rate", -1.0, "give a number above 0"),
        (optimizer.Adafactor, "learning_rate", float("nan"), "give a number above 0"),
        (optimizer.Adafactor, "warmup_steps", 0, "give a whole number above 0"),
        (optimizer.Adafactor, "min_dim_to_factor", 1.5, "give a whole number >= 0"),
        (optimizer.AdamW, "learning_rate", "fast", "give a number above 0"),
        (optimizer.AdamW, "decay_steps", -1, "give a whole number >= 0"),
        (optimizer.AdamW, "weight_decay", float("inf"), "give a number >= 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(factory, name, number, words):
    with pytest.raises(errors.InputError) as caught:
        factory(**{name: number})
    assert str(caught.value) == f"{factory.__name__}.{name} is {number!r}: {words}."


def test_settings_without_effect_are_none_that_make_no_sense():
    optimizer.AdamW(learning_rate=1, weight_decay=0, decay_steps=None)


def test_adamw_warms_up_and_decays_matrices_only():
    params = {"w": jnp.ones((2, 3)), "scale": jnp.ones((3, 2))}
    axes = {"w": MATRIX, "scale": ("layers", "embed")}
    transform = optimizer.AdamW(learning_rate=0.1, warmup_steps=2, weight_decay=0.5)(axes)
    state = transform.init(params)
    zero = jax.tree.map(jnp.zeros_like, params)
    seen = []
    for _ in range(3):
        with jax.numpy_dtype_promotion("standard"):  # optax mixes dtypes in its bias correction
            updates, state = transform.update(zero, state, params)
        np.testing.assert_array_equal(updates["scale"], np.zeros((3, 2)))
        seen.append(float(updates["w"][0, 0]))
    np.testing.assert_allclose(seen, [0.0, -0.5 * 0.05, -0.5 * 0.1], rtol=1e-6)


@pytest.mark.parametrize("factory", [optimizer.Adafactor(), optimizer.AdamW()])
def test_state_axes_follow_the_parameters(factory):
    axes = {
        "tall": {"kernel": ("layers", "mlp", "embed")},
        "small": {"kernel": ("heads", "relpos_buckets")},
    }
    sizes = {"layers": 3, "mlp": 256, "embed": 128, "heads": 4, "relpos_buckets": 32}
    params = jax.tree.map(
        lambda names: jnp.zeros([sizes[name] for name in names]),
        axes,
        is_leaf=lambda x: isinstance(x, tuple),
    )
    state = factory(axes).init(params)
    state_axes = optimizer.state_axes(state, params, axes)

    def check(path, leaf, names):
        assert tuple(sizes[name] for name in names) == leaf.shape, path

    jax.tree_util.tree_map_with_path(check, state, state_axes)


def test_axes_must_fit():
    with pytest.raises(ValueError, match="cannot have the axes"):
        optimizer.Adafactor()({"w": ("embed",)}).init({"w": jnp.zeros((2, 2))})
    with pytest.raises(ValueError, match="more than two own axes"):
        optimizer.Adafactor()({"w": ("embed", "heads", "kv")}).init({"w": jnp.zeros((2, 2, 2))})
