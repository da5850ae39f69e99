"""Two processes on one machine train as one does, and take over each other's checkpoints."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from eiw import errors
from eiw.compressors import raw_bytes
from eiw.data import token_files
from eiw.training import hosts

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens") / "bytes"
    rng = np.random.default_rng(0)
    documents = [rng.integers(97, 105, 200).astype(np.uint8).tobytes() for _ in range(8)]
    token_files.write_tokens(folder, raw_bytes.RawBytes(), documents)
    return folder


def start(run_dir, tokens, num_hosts, steps, mesh, devices):
    """Starts a process for each host; returns them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(HERE)}
    run = [sys.executable, HERE / "host_run.py", run_dir, tokens, json.dumps(mesh), str(steps)]
    return [
        subprocess.Popen(
            [*run, coordinator, str(num_hosts), str(host)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for host in range(num_hosts)
    ]


def train(*arguments):
    """Runs all hosts to their end."""
    processes = start(*arguments)
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs


def logged(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    kept = ("step", "loss_nats", "gradient_norm", "bits_per_byte", "tokens")
    return [{name: line[name] for name in kept if name in line} for line in lines]


def assert_same(found, expected):
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-10)


@pytest.fixture(scope="module")
def alone(tokens, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("alone")
    train(run_dir, tokens, 1, 8, {}, 1)
    return logged(run_dir)


@pytest.mark.slow
@pytest.mark.parametrize("mesh", [{"data": 1, "fsdp": 2, "tensor": 2}, {"data": 4}], ids=str)
def test_two_hosts_train_evaluate_and_resume_as_one(alone, tokens, tmp_path, mesh):
    two, one = tmp_path / "two", tmp_path / "one"
    train(two, tokens, 2, 4, mesh, 2)
    assert_same(logged(two), [line for line in alone if line["step"] <= 4])
    shutil.copytree(two, one)
    train(two, tokens, 2, 8, mesh, 2)
    assert_same(logged(two), alone)
    # Or with another number of hosts, and of devices.
    train(one, tokens, 1, 8, {}, 1)
    assert_same(logged(one), alone)


@pytest.mark.slow
def test_hosts_that_would_read_the_same_rows_are_refused(tokens, tmp_path):
    processes = start(tmp_path, tokens, 2, 1, {"data": 1, "tensor": 2}, 1)
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert all(process.returncode for process in processes)
    assert "gives 2 hosts the same rows" in outputs[0]


def test_an_unknown_company_is_named():
    with pytest.raises(errors.InputError, match="--coordinator"):
        hosts.join(None, None, None)
