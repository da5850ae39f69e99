"""README's way step by step: compile an M1, compress text with it, train an M2 on the tokens."""

import json
import random
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from eiw import byte_lm, main, rows
from eiw.compressors import raw_bytes
from eiw.data import token_files
from eiw.models import config, decoder

SMALL = config.DecoderConfig(
    vocab_size=259, embed_dim=16, num_heads=1, num_layers=1, mlp_dim=16, head_dim=16
)
TRAIN = """
from __gin__ import dynamic_registration
from eiw.training import loop
include "runs/train.gin"
include "sizes/tiny.gin"
loop.TrainConfig.steps = 2
"""


@pytest.fixture
def m1(tmp_path):
    tokens = jnp.zeros((1, 1), jnp.int32)
    params = decoder.Decoder(SMALL).init(jax.random.key(0), tokens, tokens)["params"]
    byte_lm.export(params, SMALL, tmp_path / "m1")
    return tmp_path / "m1"


def eiw(capsys, *argv):
    status = main.main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return captured.out


def test_compile_compress_train(capsys, m1, tmp_path):
    chance = random.Random(0)
    lines = [" ".join(chance.choices(["window", "code", "of", "the"], k=40)) for _ in range(100)]
    (tmp_path / "text.jsonl").write_text("".join(json.dumps({"text": x}) + "\n" for x in lines))
    (tmp_path / "train.gin").write_text(TRAIN)

    # An M1 that knows nothing fills wider windows with tens of thousands of texts.
    narrow = ["--gin.recipes.EqualInfoAC.window_bits=14", "--gin.recipes.EqualInfoAC.token_bits=14"]
    eiw(capsys, "compile", "--m1", m1, "--output", tmp_path / "windows", *narrow)
    eiw(
        *(capsys, "compress", "--compressor", tmp_path / "windows"),
        *("--text", tmp_path / "text.jsonl", "--output", tmp_path / "tokens"),
    )
    train = [
        *("train", "--tokens", tmp_path / "tokens", "--output", tmp_path / "m2"),
        f"--gin_file={tmp_path / 'train.gin'}",
        "--gin.pipeline.ModelRun.batch_size=2",
        "--gin.pipeline.ModelRun.length=16",
    ]
    assert ": 2 steps, " in eiw(capsys, *train)
    assert "TrainConfig.steps = 2" in (tmp_path / "m2" / "config.gin").read_text()


# As on a bare GPU machine: whatever asks for TensorFlow fails.
WITHOUT_TENSORFLOW = """
import sys
for name in ("tensorflow", "seqio", "tensorflow_datasets", "tensorflow_text", "clu"):
    sys.modules[name] = None
from eiw import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_trains_where_tensorflow_cannot_be_imported(tmp_path):
    for split in ("train", "validation", "test"):
        token_files.write_tokens(tmp_path / "tokens" / split, raw_bytes.RawBytes(), [b"abcd" * 50])
    (tmp_path / "train.gin").write_text(TRAIN)
    train = [
        *("train", "--tokens", tmp_path / "tokens", "--output", tmp_path / "m2"),
        f"--gin_file={tmp_path / 'train.gin'}",
        "--gin.pipeline.ModelRun.batch_size=2",
        "--gin.pipeline.ModelRun.length=16",
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *train], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ": 2 steps, " in done.stdout
    assert rows.read_rows(tmp_path / "m2" / "results.jsonl")[0].run == "m2"


def test_a_missing_size_is_named(capsys, tmp_path):
    status = main.main(["train", "--tokens", str(tmp_path), "--output", str(tmp_path / "m2")])
    assert status == 1
    assert "the files do not say DecoderConfig's embed_dim, num_heads" in capsys.readouterr().err


def test_a_folder_without_tokens_is_named(capsys, tmp_path):
    train = ["train", "--tokens", str(tmp_path), "--output", str(tmp_path / "m2")]
    status = main.main([*train, "--gin_file=runs/train.gin", "--gin_file=sizes/tiny.gin"])
    assert status == 1
    assert "holds no tokens" in capsys.readouterr().err
    assert not (tmp_path / "m2").exists()


def test_compress_leaves_other_folders_alone(capsys, tmp_path):
    raw_bytes.RawBytes().save(tmp_path / "bytes")
    (tmp_path / "text.txt").write_text("text\n" * 100_000)
    mine = tmp_path / "out" / "train" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    command = ["compress", "--compressor", tmp_path / "bytes", "--output", tmp_path / "out"]
    for text, words in (
        (tmp_path / "text.txt", "train holds files of something else"),
        (tmp_path / "none.txt", "No file matches"),
    ):
        assert main.main([str(each) for each in (*command, "--text", text)]) == 1
        assert words in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["train"]
