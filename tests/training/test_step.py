"""The train step: every parameter moves, and neither mesh nor scanning changes what it computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_run

from eiw import errors
from eiw.models import layer_stacking
from eiw.training import optimizer, sharding, state, step

SIZES = {"embed_dim": 128, "mlp_dim": 128}  # wide enough for Adafactor to factor
ONE = "data=1"
CHUNK = 8 * 384  # two positions of four rows
ADAFACTOR = optimizer.Adafactor()
MESHES = [
    *(pytest.param(mesh, marks=pytest.mark.slow) for mesh in ("data=2", "data=1 fsdp=2")),
    "data=1 tensor=2",
]


def mesh_of(text):
    return sharding.make_mesh({k: int(v) for k, v in (part.split("=") for part in text.split())})


def sgd(axes):
    """Compiles in half of Adafactor's time, for where the optimizer plays no part."""
    return optax.sgd(0.1)


def initial_params(**changes):
    """Random parameters as numpy arrays; the network's own initialisers take long to compile."""
    blueprint = state.blueprint(tiny_run.tiny_model(**changes), sgd, mesh_of(ONE))
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: 0.1 * rng.normal(size=leaf.shape).astype(leaf.dtype), blueprint.shapes.params
    )


def compiled(mesh, params, factory=ADAFACTOR, microbatches=1, **changes):
    """(train step, maker of its first state, a source of batches on the mesh)."""
    blueprint = state.blueprint(tiny_run.tiny_model(**changes), factory, mesh)
    source = tiny_run.RandomSource()

    def first_state():
        first = state.TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizer=blueprint.transform.init(params),
            key=jax.random.key_data(jax.random.key(2)),
        )
        return jax.device_put(first, blueprint.shardings)

    def next_batch():
        return sharding.put_batch(mesh, source.next_batch())

    with jax.set_mesh(mesh):
        train_step = step.make_train_step(
            blueprint, loss_chunk_logits=CHUNK, microbatches=microbatches
        )
        lowered = train_step.lower(first_state(), next_batch())
        # Most of these tests' time is compiling, which optimising would double.
        train_step = lowered.compile({"xla_backend_optimization_level": 0})
    source.index = 0
    return train_step, first_state, next_batch


@functools.cache
def run(mesh_text, steps, factory=ADAFACTOR, unroll=False, microbatches=1, **changes):
    """(last state, loss of each step) on random batches."""
    changes = SIZES | changes
    params = initial_params(**changes)
    if unroll:
        params = layer_stacking.unstack_layers(params)
        changes["scan_layers"] = False
    train_step, first_state, next_batch = compiled(
        mesh_of(mesh_text), params, factory, microbatches, **changes
    )
    current, losses = first_state(), []
    for _ in range(steps):
        current, metrics = train_step(current, next_batch())
        losses.append(float(metrics["nats"]) / float(metrics["weight"]))
    return current, losses


def test_every_parameter_moves():
    after, _ = run(ONE, 1)

    def check(path, old, new):
        assert np.any(old != new), jax.tree_util.keystr(path)
        assert np.all(np.isfinite(new)), jax.tree_util.keystr(path)

    jax.tree_util.tree_map_with_path(check, initial_params(**SIZES), after.params)
    assert int(after.step) == 1


@pytest.mark.parametrize("mesh_text", MESHES)
def test_meshes_agree_in_float32(mesh_text):
    _, one = run(ONE, 1, sgd)
    _, many = run(mesh_text, 1, sgd)
    np.testing.assert_allclose(many, one, rtol=1e-6)


@pytest.mark.parametrize("mesh_text", MESHES)
def test_meshes_agree_in_float64(mesh_text):
    with jax.enable_x64(True):
        _, one = run(ONE, 10, dtype="float64")
        final, many = run(mesh_text, 5, dtype="float64")
    np.testing.assert_allclose(many, one[:5], rtol=1e-10)
    assert len(set(one)) == 10
    assert final.params["embedding"].dtype == np.float64


def test_parameters_and_optimizer_are_divided():
    with jax.enable_x64(True):
        final, _ = run("data=1 tensor=2", 5, dtype="float64")  # as above: compiled once
    kernel = final.params["layers"]["mlp"]["wi_0"]["kernel"]
    moments = final.optimizer.moments["layers"]["mlp"]["wi_0"]["kernel"]
    for array in (final.params["head"], kernel):
        assert array.addressable_shards[0].data.shape[-1] == array.shape[-1] // 2
    # One of the two moments has kept the axis that the mesh cuts.
    parts = [array.addressable_shards[0].data.size / array.size for array in moments.values()]
    assert sorted(parts) == [0.5, 1.0]


def test_scanned_layers_train_as_unrolled_ones():
    with jax.enable_x64(True):
        scanned, losses = run(ONE, 10, dtype="float64")
        unrolled, unrolled_losses = run(ONE, 10, dtype="float64", unroll=True)
    np.testing.assert_allclose(losses, unrolled_losses, rtol=1e-11)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
        layer_stacking.unstack_layers(jax.device_get(scanned.params)),
        jax.device_get(unrolled.params),
    )


@pytest.mark.parametrize("mesh_text", [ONE, "data=2"])
def test_microbatches_train_as_whole_batches(mesh_text):
    with jax.enable_x64(True):
        _, whole = run(ONE, 10, dtype="float64")
        _, parts = run(mesh_text, 10, microbatches=2, dtype="float64")
    np.testing.assert_allclose(parts, whole, rtol=1e-10)


def test_microbatches_must_divide_the_rows_of_a_device():
    with pytest.raises(errors.InputError, match="4 microbatches do not divide the 2 rows"):
        compiled(mesh_of("data=2"), initial_params(), sgd, microbatches=4)


def test_dropout_follows_the_key_and_the_step():
    train_step, first_state, next_batch = compiled(mesh_of(ONE), initial_params(), dropout_rate=0.5)
    batch = next_batch()

    def nats(**changes):
        return float(train_step(first_state().replace(**changes), batch)[1]["nats"])

    assert nats() == nats()
    assert nats() != nats(step=jnp.ones((), jnp.int32))
    assert nats() != nats(key=jax.random.key_data(jax.random.key(3)))


def test_the_first_state_is_the_same_on_every_mesh():
    def params(mesh_text):
        model = tiny_run.tiny_model()
        blueprint = state.blueprint(model, sgd, mesh_of(mesh_text))
        return jax.device_get(blueprint.init(seed=1).params)

    jax.tree.map(np.testing.assert_array_equal, params(ONE), params("data=1 fsdp=2"))


def test_bad_meshes_are_refused(monkeypatch):
    for shape in ({"fsdp": "2"}, {"fsdp": 1.0}, [2]):
        with pytest.raises(errors.InputError, match=r"give sizes of axes, as \{'fsdp': 8\}"):
            sharding.make_mesh(shape)
    with pytest.raises(errors.InputError, match="needs 64 devices, and there are 2"):
        sharding.make_mesh({"data": 64})
    with pytest.raises(errors.InputError, match="no axis 'model'"):
        sharding.make_mesh({"model": 2})
    with pytest.raises(errors.InputError, match="at least 1"):
        sharding.make_mesh({"tensor": 0})
    mesh = mesh_of("data=1 tensor=2")
    with pytest.raises(errors.InputError, match="cannot be cut into 2 along 'heads'"):
        state.blueprint(tiny_run.tiny_model(num_heads=3), optimizer.Adafactor(), mesh)
    with pytest.raises(errors.InputError, match="3 rows a batch"):
        sharding.put_batch(mesh_of("data=2"), {"x": np.zeros((3, 2), np.int32)})
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(errors.InputError, match="2 devices out: give one of 2"):
        sharding.make_mesh({"data": 1})


def test_bfloat16_is_only_of_activations():
    last, losses = run(ONE, 2, microbatches=2, dtype="bfloat16")
    kept = jax.tree.leaves((last.params, last.optimizer))
    assert {leaf.dtype for leaf in kept if jnp.issubdtype(leaf.dtype, jnp.floating)} == {
        np.dtype("float32")
    }
    _, exact_losses = run(ONE, 2)
    # Activations have 8 bits, and so the loss keeps about as many.
    np.testing.assert_allclose(losses, exact_losses, rtol=2**-8)
    assert not np.array_equal(losses, exact_losses)
