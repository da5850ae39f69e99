"""`eiw train --task` on two hosts: each makes its rows of a batch, and the run is that of one."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from eiw import rows

ARGUMENTS = [
    *("train", "--task=text_bytes", "--gin_file=runs/train.gin", "--gin_file=sizes/tiny.gin"),
    "--gin.loop.TrainConfig.log_every=1",
    "--gin.loop.TrainConfig.evaluate_every=2",
    "--gin.pipeline.ModelRun.batch_size=4",
    "--gin.pipeline.ModelRun.length=16",
    "--gin.config.DecoderConfig.num_layers=1",
    "--gin.config.DecoderConfig.embed_dim=16",
    "--gin.config.DecoderConfig.mlp_dim=16",
    # In which the order of a sum does not show.
    '--gin.config.DecoderConfig.dtype="float64"',
]


def train(folder, text, steps, num_hosts):
    """Runs the command on each host, as its user would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "eiw.main", *ARGUMENTS, f"--output={folder}"]
    command += [f"--gin.loop.TrainConfig.steps={steps}"]
    hosts = [[]]
    if num_hosts > 1:
        company = [f"--coordinator={address}", f"--num_hosts={num_hosts}"]
        hosts = [[*company, f"--host={host}"] for host in range(num_hosts)]
    environment = os.environ | {"EIW_TEXT": str(text), "JAX_ENABLE_X64": "1"}
    environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=1"
    processes = [
        subprocess.Popen(
            [*command, *host],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for host in hosts
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * num_hosts, outputs


def logged(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = ("step", "loss_nats", "gradient_norm", "tokens", "validation_bits_per_byte")
    return [[line[name] for name in kept if name in line] for line in lines]


@pytest.mark.slow
def test_two_hosts_train_score_and_resume_on_a_task_as_one(tmp_path):
    text = tmp_path / "text.jsonl"
    random = np.random.default_rng(0)
    documents = [bytes(random.integers(97, 123, 300)).decode() for _ in range(800)]
    text.write_text("\n".join(json.dumps({"text": document}) for document in documents))
    one, two = tmp_path / "one", tmp_path / "two"
    train(one, text, 6, 1)
    train(two, text, 4, 2)
    train(two, text, 6, 2)
    assert len(logged(one)) == len(logged(two)) >= 6
    for expected, found in zip(logged(one), logged(two), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    scores = [rows.read_rows(run / "results.jsonl")[-1].bits_per_byte for run in (one, two)]
    np.testing.assert_allclose(*scores, rtol=1e-10)
