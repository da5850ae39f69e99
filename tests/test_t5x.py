"""The T5X launcher: what it says without T5X, and a whole run where T5X can be imported."""

import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import eiw.tasks  # noqa: F401, registers text_*
from eiw import errors, gin_config, main, t5x
from eiw.data import locations, task_text
from eiw.evaluation import bits_per_byte
from eiw.training import checkpoint as run_checkpoint

WHY_NOT = "T5X is not on PYTHONPATH, or lacks what it needs: see eiw/t5x.py"
HAS_T5X = importlib.util.find_spec("t5x") and importlib.util.find_spec("fiddle")
SETTINGS = [
    "--gin_file=sizes/tiny.gin",
    '--gin.MIXTURE_OR_TASK_NAME="text_bytes"',
    '--gin.TASK_FEATURE_LENGTHS={"targets": 32}',
    "--gin.config.DecoderConfig.num_layers=2",
]


def run(mode, *arguments, text):
    subprocess.run(
        [sys.executable, "-m", "eiw.t5x", mode, *SETTINGS, *arguments],
        check=True,
        env={**os.environ, "EIW_TEXT": str(text), "JAX_PLATFORMS": "cpu"},
    )


@pytest.mark.slow
@pytest.mark.skipif(not HAS_T5X, reason=WHY_NOT)
def test_trains_resumes_evaluates_infers_and_converts(tmp_path):
    text = tmp_path / "a.jsonl"
    text.write_text("\n".join(json.dumps({"text": f"{n} words. " * 900}) for n in range(12)))
    train = [
        *("--gin_file=t5x/train.gin", "--gin_file=t5x/online.gin"),
        *(f'--gin.MODEL_DIR="{tmp_path / "run"}"', "--gin.BATCH_SIZE=2"),
        *("--gin.utils.SaveCheckpointConfig.period=2", "--gin.train.eval_period=2"),
        "--gin.train.eval_steps=1",
    ]
    for steps in (2, 4):
        run("train", *train, f"--gin.TRAIN_STEPS={steps}", text=text)
    checkpoint = tmp_path / "run" / "checkpoint_4"
    assert checkpoint.is_dir() and (tmp_path / "run" / "checkpoint_2").is_dir()
    given = [f'--gin.CHECKPOINT_PATH="{checkpoint}"', "--gin.utils.DatasetConfig.batch_size=2"]
    run(
        *("eval", "--gin_file=t5x/eval.gin", *given),
        f'--gin.EVAL_OUTPUT_DIR="{tmp_path / "eval"}"',
        text=text,
    )
    run(
        *("infer", "--gin_file=t5x/infer.gin", *given),
        f'--gin.INFER_OUTPUT_DIR="{tmp_path / "infer"}"',
        text=text,
    )
    (metrics,) = (tmp_path / "eval" / "inference_eval").glob("*-metrics.jsonl")
    (scores,) = (tmp_path / "infer").glob("*-score.jsonl-00000-of-00001")
    nats = -sum(json.loads(line)["score"] for line in scores.read_text().splitlines())
    examples = len(scores.read_text().splitlines())
    # Two ways through T5X to the same number; four steps on text that repeats beat uniform.
    per_token = json.loads(metrics.read_text().splitlines()[-1])["nats_per_token"]
    assert per_token == pytest.approx(nats / (32 * examples), rel=1e-5)
    assert 0 < per_token < math.log(259)

    # Converted there and back, the network costs the same, and T5X goes on with it.
    ours, back = tmp_path / "ours", tmp_path / "back"
    shape = ["--gin_file=sizes/tiny.gin", "--gin.config.DecoderConfig.num_layers=2"]
    shape.append("--gin.config.DecoderConfig.vocab_size=259")
    convert = ["convert", "from_t5x", f"--run={ours}", f"--t5x={checkpoint}", *shape]
    assert main.main(convert) == 0
    assert own_nats(ours, text) == pytest.approx(nats, rel=1e-5)
    assert main.main(["convert", "to_t5x", f"--run={ours}", f"--t5x={back}"]) == 0
    train[2] = f'--gin.MODEL_DIR="{back}"'
    run("train", *train, "--gin.TRAIN_STEPS=6", text=text)
    assert (back / "checkpoint_6").is_dir()
    run(
        *("infer", "--gin_file=t5x/infer.gin", f'--gin.CHECKPOINT_PATH="{back / "checkpoint_4"}"'),
        *("--gin.utils.DatasetConfig.batch_size=2", f'--gin.INFER_OUTPUT_DIR="{back / "infer"}"'),
        text=text,
    )
    (scores,) = (back / "infer").glob("*-score.jsonl-00000-of-00001")
    again = -sum(json.loads(line)["score"] for line in scores.read_text().splitlines())
    assert again == pytest.approx(nats, rel=1e-5)


def own_nats(run_dir, text):
    """What the examples that T5X scored cost under our checkpoint, by our own trainer's loss."""
    model, params, _ = run_checkpoint.load_model(run_dir)
    locations.set_locations(text=str(text))
    try:
        dataset = task_text.find("text_bytes").get_dataset(
            {"targets": 32}, "validation", shuffle=False
        )
        targets = [np.pad(ids, (0, 32 - len(ids))) for ids in _targets(dataset)]
    finally:
        locations.set_locations()
    return float(bits_per_byte.score_examples(model, params, np.stack(targets), 4).sum())


def _targets(dataset):
    return [example["targets"] for example in dataset.as_numpy_iterator()]


@pytest.mark.skipif(HAS_T5X is not None, reason="T5X is here")
def test_without_t5x_it_says_what_to_do():
    with pytest.raises(errors.InputError, match="no T5X on PYTHONPATH"):
        t5x.make_importable()


def test_modes_and_help(capsys):
    assert t5x.main(["--help"]) == 0
    assert "PYTHONPATH" in capsys.readouterr().out
    assert t5x.main([]) == 2
    assert t5x.main(["tarin"]) == 2
    assert "choose train, eval, infer" in capsys.readouterr().err


def test_gin_files_of_every_mode_are_found():
    folder = pathlib.Path(gin_config.folder()) / "t5x"
    assert {path.stem for path in folder.iterdir()} >= {"decoder", "train", "eval", "infer"}
