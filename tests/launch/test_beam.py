"""Caching by Beam, where it is installed: the tasks' own examples, as `eiw compress` has them."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest
import seqio

import eiw.tasks  # noqa: F401, registers text_*
from eiw.data import locations, task_cache

BEAM_SCRIPT = pathlib.Path(__file__).parent.parent.parent / "launch" / "beam.sh"
TASK = "text_bytes"


@pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None,
    reason="apache_beam is not installed; it is an extra of its own: pip install 'eiw[beam]'",
)
def test_beam_caches_the_tasks_own_examples(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{n} words. " * 900}) for n in range(12))
    )
    command = "seqio.scripts.cache_tasks_main --module_import=eiw.tasks --min_shards=2"
    subprocess.run(
        [
            *(sys.executable, "-m", *command.split(), f"--tasks={TASK}"),
            *(
                f"--output_cache_dir={tmp_path / 'beam'}",
                "--pipeline_options=--runner=DirectRunner",
            ),
        ],
        check=True,
        env={**os.environ, "EIW_TEXT": str(tmp_path / "a.jsonl")},
    )
    locations.set_locations(text=str(tmp_path / "a.jsonl"))
    try:
        task_cache.cache_task(TASK, tmp_path / "eiw", num_shards=2, workers=1)
        task = seqio.get_mixture_or_task(TASK)
        for split in ("train", "validation", "test"):
            expected = task.get_dataset({"targets": 20_000}, split, shuffle=False)
            for cache in ("beam", "eiw"):
                monkeypatch.setattr(task, "_cache_dir", str(tmp_path / cache / TASK))
                cached = task.get_dataset({"targets": 20_000}, split, use_cached=True)
                assert _sorted(cached) == _sorted(expected)
    finally:
        locations.set_locations()
    # The files are those that SeqIO itself writes; the record is ours alone.
    names = [
        {path.name for path in (tmp_path / cache / TASK).iterdir()} for cache in ("beam", "eiw")
    ]
    assert {name for name in names[1] - names[0] if "tfrecord" not in name} == {"eiw_cache.json"}
    for name in ("stats.train.json", "stats.test.json"):
        beam, ours = (json.loads((tmp_path / c / TASK / name).read_text()) for c in ("beam", "eiw"))
        assert beam == ours


def test_the_launcher_has_help():
    done = subprocess.run(["bash", BEAM_SCRIPT, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--pipeline_options" in done.stdout


def _sorted(dataset):
    return sorted(example["targets"].tolist() for example in dataset.as_numpy_iterator())
