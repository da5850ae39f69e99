"""Meshes of 8 devices, in a process of its own: the number of devices is a flag.

python mesh_run.py SHAPES  ->  JSON: what each mesh computed, and into how many parts arrays are cut
"""

import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
import tiny_run

from eiw.training import optimizer, sharding, state, step

jax.config.update("jax_platforms", "cpu")

BATCH = 8
# The second moments of attention are factored, those of the narrow feed-forward are not.
SIZES = {"embed_dim": 128, "mlp_dim": 64, "num_heads": 8}
# Smaller arrays may lie on every device: norms, biases, counts.
LARGE = 1_000


class Source(tiny_run.RandomSource):
    """Two batches as one: eight rows."""

    def next_batch(self):
        first, second = super().next_batch(), super().next_batch()
        return {name: np.concatenate([first[name], second[name]]) for name in first}


def train(shape, steps, dtype, optimization):
    """(losses, the last state) of some steps on a mesh."""
    mesh = sharding.make_mesh(shape)
    model = tiny_run.tiny_model(dtype=dtype, **SIZES)
    blueprint = state.blueprint(model, optimizer.Adafactor(), mesh)
    rng = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: (0.1 * rng.normal(size=leaf.shape)).astype(leaf.dtype), blueprint.shapes.params
    )
    source, losses = Source(), []
    with jax.set_mesh(mesh):
        current = state.TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizer=blueprint.transform.init(params),
            key=jax.random.key_data(jax.random.key(2)),
        )
        current = jax.device_put(current, blueprint.shardings)
        train_step = step.make_train_step(blueprint)
        batch = sharding.put_batch(mesh, source.next_batch())
        compiled = train_step.lower(current, batch).compile(
            {"xla_backend_optimization_level": optimization}
        )
        for _ in range(steps):
            current, metrics = compiled(current, batch)
            losses.append(float(metrics["nats"]) / float(metrics["weight"]))
            batch = sharding.put_batch(mesh, source.next_batch())
    return losses, current


def parts(current):
    """Per large array and per factored moment: into how many different parts it is cut."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(current):
        name = jax.tree_util.keystr(path)
        if leaf.size >= LARGE or name.endswith(("['row']", "['column']")):
            different = {
                str(index) for index in leaf.sharding.devices_indices_map(leaf.shape).values()
            }
            found[name] = len(different)
    return found


def main(shapes):
    results = []
    for shape in json.loads(shapes):
        with jax.enable_x64(True):
            float64, current = train(shape, 10, "float64", 0)
        float32, _ = train(shape, 1, "float32", 0)
        results.append(
            {"shape": shape, "float64": float64, "float32": float32, "parts": parts(current)}
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
