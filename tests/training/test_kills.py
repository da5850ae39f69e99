"""Killed at random moments, mostly amid a checkpoint, a run ends as if it had not been."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tiny_run

from eiw.compressors import raw_bytes
from eiw.data import token_files
from eiw.training import checkpoint, optimizer, sharding, state

HERE = pathlib.Path(__file__).parent
STEPS = 12


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens") / "bytes"
    documents = [np.random.default_rng(0).bytes(2_000)]
    token_files.write_tokens(folder, raw_bytes.RawBytes(), documents)
    return folder


def start(run_dir, tokens):
    """A process that trains, and saves after every step."""
    return subprocess.Popen(
        [sys.executable, HERE / "host_run.py", run_dir, tokens, "{}", str(STEPS), "", "1", "0"],
        env=os.environ | {"PYTHONPATH": str(HERE), "CHECKPOINT_EVERY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run_dir, tokens):
    process = start(run_dir, tokens)
    _, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages


def arrays_of(run_dir):
    """Every array of the last checkpoint, the optimizer's too."""
    with jax.enable_x64(True):
        model = tiny_run.tiny_model(dtype="float64")
        mesh = sharding.make_mesh({"data": 1})
        blueprint = state.blueprint(model, optimizer.Adafactor(), mesh)
        found, host = checkpoint.restore(run_dir, blueprint)
        assert int(found.step) == STEPS
        return jax.tree.map(np.asarray, found), host["data"]


def losses_of(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss_nats"]) for line in lines if "loss_nats" in line]


@pytest.fixture(scope="module")
def uninterrupted(tokens, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    finish(run_dir, tokens)
    return run_dir


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 12])
def test_kills_leave_no_trace(uninterrupted, tokens, tmp_path, kills):
    chance = random.Random(kills)
    for _ in range(kills):
        process = start(tmp_path, tokens)
        before = set(checkpoint.steps(tmp_path))
        # Once it has come as far as a new checkpoint, at any moment of the next ones.
        while process.poll() is None and set(checkpoint.steps(tmp_path)) <= before:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
    finish(tmp_path, tokens)
    expected, data = arrays_of(uninterrupted)
    found, found_data = arrays_of(tmp_path)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert found_data == data
    assert losses_of(tmp_path) == losses_of(uninterrupted)
