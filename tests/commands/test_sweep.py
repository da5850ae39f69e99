"""`eiw sweep`: every combination once, finished ones skipped, collapsed ones made again."""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

import pytest

from eiw import main, rows
from eiw.compressors import raw_bytes
from eiw.data import token_files
from eiw.training import checkpoint

SIZE = """
from __gin__ import dynamic_registration
from eiw.models import config
from eiw.training import loop
config.DecoderConfig.size = "mini"
config.DecoderConfig.embed_dim = 16
config.DecoderConfig.num_heads = 1
config.DecoderConfig.head_dim = 16
config.DecoderConfig.num_layers = 1
config.DecoderConfig.mlp_dim = 16
"""


@pytest.fixture
def tokens(tmp_path):
    """Noise of every byte: nothing to learn, so that a run of few steps is uniform, or worse."""
    noise = random.Random(0)
    for split in ("train", "validation", "test"):
        texts = [noise.randbytes(200) for _ in range(4)]
        token_files.write_tokens(tmp_path / "tokens" / "bytes" / split, raw_bytes.RawBytes(), texts)
    (tmp_path / "sizes").mkdir()
    (tmp_path / "sizes" / "mini.gin").write_text(SIZE)
    return tmp_path / "tokens" / "*"


def sweep(capfd, tokens, *arguments):
    folder = tokens.parent.parent
    status = main.main(
        [
            *("sweep", "--tokens", str(tokens), "--output", str(folder / "sweep"), "--sizes=mini"),
            "--gin.loop.TrainConfig.steps=2",
            "--gin.pipeline.ModelRun.batch_size=2",
            "--gin.pipeline.ModelRun.length=16",
            *arguments,
        ]
    )
    captured = capfd.readouterr()
    return status, captured.out, captured.err


def test_a_dry_run_prints_every_combination(capfd, tokens, monkeypatch):
    monkeypatch.chdir(tokens.parent.parent)
    status, out, err = sweep(
        *(capfd, tokens, "--dry_run", "--learning_rates=0.5,2", "--seeds=0,1"),
        "--gin_search_paths=one,two",
    )
    assert status == 0, err
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert "Adafactor.learning_rate=2.0" in lines[2]
    assert "TrainConfig.seed=1" in lines[3]
    assert "--gin_search_paths=one,two" in lines[3]
    assert not (tokens.parent.parent / "sweep").exists()


@pytest.mark.slow
def test_collapsed_runs_are_made_again_and_counted(capfd, tokens, monkeypatch):
    monkeypatch.chdir(tokens.parent.parent)
    status, out, err = sweep(capfd, tokens)
    assert status == 0, err
    made = rows.read_rows("sweep/results.jsonl")
    assert [row.run for row in made] == [f"mini-bytes-lr1.0-seed{seed}" for seed in (0, 1000)]
    assert [(row.collapsed, row.seed, row.learning_rate) for row in made] == [
        (True, 0, 1.0),
        (True, 1000, 1.0),
    ]
    assert "mini-bytes-lr1.0-seed0 collapsed to uniform" in out
    assert out.splitlines()[-1].endswith("has 2 rows, 2 of them collapsed.")

    status, out, _ = sweep(capfd, tokens)
    assert (status, out.count("eiw.main train"), out.count("other settings")) == (0, 0, 0)
    assert rows.read_rows("sweep/results.jsonl") == made

    status, out, _ = sweep(capfd, tokens, "--gin.loop.TrainConfig.steps=3")
    assert (status, out.count("eiw.main train")) == (0, 0)
    kept = "mini-bytes-lr1.0-seed0 is kept, which had other settings: loop.TrainConfig.steps = 2, "
    assert kept + "not 3." in out
    assert rows.read_rows("sweep/results.jsonl") == made


@pytest.mark.slow
def test_a_run_that_fails_does_not_keep_the_others_from_being_made(capfd, tokens, monkeypatch):
    monkeypatch.chdir(tokens.parent.parent)
    status, out, err = sweep(capfd, tokens, "--learning_rates=1e30,1", "--retries=0")
    assert status == 1
    assert "nan" in err
    assert "1 of 2 runs failed, see above: mini-bytes-lr1e+30-seed0." in err.splitlines()[-1]
    (row,) = rows.read_rows("sweep/results.jsonl")
    assert row.learning_rate == 1.0
    assert "has 1 rows, 1 of them collapsed." in out


@pytest.mark.slow
def test_a_signal_to_the_sweep_lets_its_run_save(tokens):
    folder = tokens.parent.parent
    command = [
        *(sys.executable, "-m", "eiw.main", "sweep", "--tokens", str(tokens), "--output=sweep"),
        *("--sizes=mini", "--gin.loop.TrainConfig.steps=1_000_000"),
        *(
            "--gin.loop.TrainConfig.checkpoint_every=1_000_000",
            "--gin.loop.TrainConfig.log_every=1",
        ),
        *("--gin.pipeline.ModelRun.batch_size=2", "--gin.pipeline.ModelRun.length=16"),
    ]
    run = folder / "sweep" / "mini-bytes-lr1.0-seed0"
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        log = run / "metrics.jsonl"
        while process.poll() is None and not (log.exists() and log.read_text()):
            time.sleep(0.1)
        process.terminate()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.count("run it again to go on") == 2  # the training, and then the sweep
    (step,) = checkpoint.steps(run)
    assert json.loads(log.read_text().splitlines()[-1])["step"] == step


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tokens=no/such/*"], "No folder matches"),
        (["--learning_rates=fast"], "fast"),
        (["--learning_rates=1,-1"], "each must be above 0"),
        (["--learning_rates=nan"], "each must be above 0"),
        (["--learning_rates=1,1.0"], "--learning_rates must name at least one, and each once"),
        (["--seeds=0,-1"], "each must be 0 or more"),
        (["--seeds="], "--seeds must name at least one"),
        (["--sizes="], "--sizes must name at least one"),
        (["--sizes=mini,4m"], "sizes/4m.gin"),
        (["--gin.loop.TrainConfig.step=1"], "step"),
        (["--tokens=to*/*"], "2 folders are called bytes"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(capfd, tokens, monkeypatch, arguments, words):
    monkeypatch.chdir(tokens.parent.parent)
    shutil.copytree("tokens", "tokens2")
    status, _, err = sweep(capfd, tokens, *arguments)
    assert status == 1
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not pathlib.Path("sweep").exists()


def test_runs_of_two_optimizers_have_two_names(capfd, tokens, monkeypatch):
    monkeypatch.chdir(tokens.parent.parent)
    outs = [sweep(capfd, tokens, "--dry_run", *more)[1] for more in ([], ["--optimizer=AdamW"])]
    assert "sweep/mini-bytes-lr1.0-seed0 " in outs[0]
    assert "sweep/mini-bytes-AdamW-lr1.0-seed0 " in outs[1]
