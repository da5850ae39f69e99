"""Meshes of 8 devices compute what one device does, and cut what is large."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent


AXES = ("data", "fsdp", "tensor")
ONE = {"data": 1}
ALL = [
    dict(zip(AXES, sizes, strict=True))
    for sizes in itertools.product((1, 2, 4, 8), repeat=3)
    if np.prod(sizes) == 8
]


@pytest.fixture(scope="module")
def results():
    shapes = [ONE, *ALL]
    done = subprocess.run(
        [sys.executable, HERE / "mesh_run.py", json.dumps(shapes)],
        env=os.environ | {"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_every_mesh_gives_the_losses_of_one_device(results):
    one, *meshes = results
    assert len(set(one["float64"])) == 10
    for mesh in meshes:
        name = str(mesh["shape"])
        np.testing.assert_allclose(mesh["float64"], one["float64"], rtol=1e-10, err_msg=name)
        np.testing.assert_allclose(mesh["float32"], one["float32"], rtol=1e-6, err_msg=name)


@pytest.mark.slow
def test_large_arrays_are_cut_as_the_mesh_says(results):
    for mesh in results:
        shape = mesh["shape"]
        fsdp, tensor = shape.get("fsdp", 1), shape.get("tensor", 1)
        parts = mesh["parts"]
        factored = {name for name in parts if name.endswith(("['row']", "['column']"))}
        for name in parts.keys() - factored:
            assert parts[name] == fsdp * tensor, (shape, name)
        # Each of the two has kept one of its parameter's axes, and the mesh axis that cuts it.
        for row in (name for name in factored if name.endswith("['row']")):
            pair = [parts[row], parts[row.replace("['row']", "['column']")]]
            assert sorted(pair) == sorted([fsdp, tensor]), (shape, row)
        assert factored and any(name.endswith("['full']") for name in parts), "nothing was large"
