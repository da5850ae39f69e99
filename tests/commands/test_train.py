"""`eiw train`: one decoder on token files, and an M1 out of it."""

import json
import os
import subprocess
import sys

import pytest
import tiny_flags

from eiw import byte_lm, main
from eiw.coding import byte_model
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.data import corpus, token_files

TINY = ["--gin_file=runs/m1.gin", *tiny_flags.TINY]
DOCUMENTS = [b"the text that a model is trained on, " * 5, b"and some more of it"]


@pytest.fixture(scope="module")
def dictionary():
    return fit_tunstall(byte_model.NgramByteModel.fit(DOCUMENTS, order=3), 300)


def write(folder, compressor):
    for split in corpus.SPLITS:
        token_files.write_tokens(folder / split, compressor, DOCUMENTS)
    return folder


def eiw_train(capsys, tokens, output, *arguments):
    status = main.main(["train", f"--tokens={tokens}", f"--output={output}", *TINY, *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_an_m1_of_crops_that_begin_where_windows_do(capsys, tmp_path, dictionary):
    dictionary.save(tmp_path / "tunstall")
    tokens = write(tmp_path / "tokens", RawBytes())
    status, out, err = eiw_train(
        capsys,
        tokens,
        tmp_path / "run",
        f"--export_m1={tmp_path / 'm1'}",
        '--gin.crops.Crops.begin="windows"',
        f"--gin.crops.Crops.dictionary='{tmp_path / 'tunstall'}'",
    )
    assert status == 0, err
    assert "2 steps" in out
    m1 = byte_lm.ByteLM.load(tmp_path / "m1")
    assert m1.start(1)[1].shape == (1, 258)
    assert "windows" in (tmp_path / "run" / "config.gin").read_text()
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert all(json.loads(row) for row in rows)


def test_a_model_of_codes_is_no_m1(capsys, tmp_path, dictionary):
    tokens = write(tmp_path / "tokens", dictionary)
    status, _, err = eiw_train(capsys, tokens, tmp_path / "run", f"--export_m1={tmp_path / 'm1'}")
    assert status == 1
    assert "--export_m1 is for models of bytes" in err
    assert not (tmp_path / "m1").exists()


@pytest.mark.parametrize("place", ["run", "other"])
def test_an_m1_takes_no_runs_place(capsys, tmp_path, place):
    tokens = write(tmp_path / "tokens", RawBytes())
    kept = tmp_path / "other" / "config.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    status, _, err = eiw_train(capsys, tokens, tmp_path / "run", f"--export_m1={tmp_path / place}")
    assert status == 1
    assert ("are one folder" if place == "run" else "other holds files of something else") in err
    assert kept.read_text() == "{}"
    assert not (tmp_path / "run").exists()


def test_the_saved_configuration_is_of_what_was_run(capsys, tmp_path):
    tokens, run = write(tmp_path / "tokens", RawBytes()), tmp_path / "run"
    config = run / "config.gin"
    assert eiw_train(capsys, tokens, run)[0] == 0
    first = config.read_text()
    assert "Adafactor()" in first and not (run / "profile").exists()
    more = "--gin.loop.TrainConfig.steps=9"
    adam = ("loop.TrainConfig.optimizer=@optimizer.AdamW()", "optimizer.AdamW.learning_rate=0.01")
    status, _, err = eiw_train(capsys, tokens, run, more, *(f"--gin.{part}" for part in adam))
    assert status == 1 and "optimizer" in err, err
    assert config.read_text() == first
    assert eiw_train(capsys, tokens, run, more, "--profile_steps=1")[0] == 0
    assert "loop.TrainConfig.profile_steps = 1\n" in config.read_text()
    assert list((run / "profile").rglob("*.xplane.pb"))


def test_its_flags_import_no_jax():
    """A task's process is started before JAX is imported; and --help is quick."""
    script = "import sys, eiw.commands.train; print({'jax', 'tensorflow'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert output.stdout == "set()\n", output.stderr


@pytest.mark.slow
def test_token_files_train_where_tensorflow_cannot_be_imported(tmp_path):
    tokens = write(tmp_path / "tokens", RawBytes())
    for name in ("tensorflow", "seqio"):
        (tmp_path / "path" / name).mkdir(parents=True)
        missing = f"raise ModuleNotFoundError('No module named {name}', name='{name}')"
        (tmp_path / "path" / name / "__init__.py").write_text(missing)

    def train(*arguments):
        return subprocess.run(
            [
                *(sys.executable, "-m", "eiw.main", "train", f"--output={tmp_path / 'run'}"),
                *("--gin_file=runs/train.gin", *tiny_flags.TINY, *arguments),
            ],
            env=os.environ | {"PYTHONPATH": str(tmp_path / "path")},
            capture_output=True,
            text=True,
            check=False,
        )

    done = train(f"--tokens={tokens}")
    assert done.returncode == 0, done.stderr
    assert "2 steps" in done.stdout
    refused = train("--task=text_bytes")
    assert refused.returncode == 1
    assert refused.stderr.endswith("seqio is not installed: pip install 'eiw[seqio]'.\n")
