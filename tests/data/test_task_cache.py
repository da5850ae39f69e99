"""Offline caches against the tasks they were made from, and across restarts and worker counts."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import seqio
import tensorflow as tf

import eiw.tasks  # noqa: F401, registers text_*
from eiw import errors, vocab
from eiw.coding import byte_model
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.data import locations, task_cache

TASK = "text_ac_v256"
LONG = {"targets": 20_000}


@pytest.fixture
def text(tmp_path):
    """Some 70 documents, most of them training text, and a compressor."""
    generator = np.random.default_rng(0)
    lines = [
        json.dumps({"text": bytes(generator.integers(32, 127, 3_000)).decode()}) for _ in range(70)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    NeuralAC(byte_model.StaticByteModel(np.ones(257, int))).save(tmp_path / "coders" / "ac_v256")
    RawBytes().save(tmp_path / "other" / "ac_v256")
    locations.set_locations(str(tmp_path / "coders"), str(tmp_path / "a.jsonl"))
    yield tmp_path / "a.jsonl"
    locations.set_locations()


@pytest.fixture
def threads(monkeypatch):
    """Workers without the seconds that a new process takes to import TensorFlow."""

    def make(workers, context, initializer, arguments):
        return concurrent.futures.ThreadPoolExecutor(
            workers, initializer=initializer, initargs=arguments
        )

    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", make)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def examples(cached, split="train", lengths=None):
    task = seqio.get_mixture_or_task(TASK)
    dataset = task.get_dataset(lengths, split, use_cached=cached, shuffle=False)
    return sorted(example["targets"].tolist() for example in dataset.as_numpy_iterator())


@pytest.fixture
def read_from(monkeypatch):
    """Makes SeqIO look for caches in one folder alone."""

    def point(folder):
        monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", [str(folder)])
        monkeypatch.setattr(seqio.TaskRegistry.get(TASK), "_cache_dir", None)
        monkeypatch.setattr(seqio.TaskRegistry.get(TASK), "_stats", {})

    return point


@pytest.mark.slow
def test_cached_examples_are_those_of_the_task(text, threads, read_from, tmp_path):
    stats = task_cache.cache_task(TASK, tmp_path / "cache", num_shards=5, workers=2)
    read_from(tmp_path / "cache")
    for split in ("train", "validation", "test"):
        for lengths in (None, LONG, {"targets": 100}):
            assert examples(True, split, lengths) == examples(False, split, lengths)
        assert seqio.get_mixture_or_task(TASK).get_cached_stats(split) == stats[split]
    ids = [np.array(example) for example in examples(False, lengths=LONG)]
    assert stats["train"] == {
        "examples": len(ids),
        "targets_tokens": sum(map(len, ids)),
        "targets_max_tokens": max(map(len, ids)),
    }
    info = json.loads((tmp_path / "cache" / TASK / "info.train.json").read_text())
    assert info == {
        "features": {"targets": {"dtype": "int32", "shape": [None]}},
        "num_shards": 5,
        "seqio_version": seqio.__version__,
    }
    assert len(list((tmp_path / "cache" / TASK).glob("train.tfrecord-*-of-00005"))) == 5
    # Shards are even, and none is of more files than there are examples.
    assert len(list((tmp_path / "cache" / TASK).glob("test.tfrecord-*"))) <= 5


@pytest.mark.slow
def test_the_number_of_workers_does_not_show(text, tmp_path):
    for workers in (1, 2):
        task_cache.cache_task(TASK, tmp_path / str(workers), num_shards=3, workers=workers)
    assert contents(tmp_path / "1" / TASK) == contents(tmp_path / "2" / TASK)


def test_a_restart_makes_only_what_is_missing(text, threads, monkeypatch, tmp_path):
    task_cache.cache_task(TASK, tmp_path / "whole", num_shards=4, workers=1)
    folder = tmp_path / "cut" / TASK
    written = []
    original = task_cache._write_shard

    def fail_at_the_third(path, *rest):
        written.append(path.name)
        if len(written) == 3:
            raise KeyboardInterrupt
        return original(path, *rest)

    monkeypatch.setattr(task_cache, "_write_shard", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        task_cache.cache_task(TASK, tmp_path / "cut", num_shards=4, workers=2)
    assert not (folder / "COMPLETED").exists()
    # What a kill in the middle of a shard leaves, and a finished shard that was damaged since.
    (folder / "train.tfrecord-00002-of-00004.tmp-1").write_bytes(b"half")
    (folder / written[0]).write_bytes(b"")
    task_cache.cache_task(TASK, tmp_path / "cut", num_shards=4, workers=1)
    assert written[1] not in written[3:] and written[3] == written[0]
    assert contents(folder) == contents(tmp_path / "whole" / TASK)
    # A finished cache is left alone.
    count = len(written)
    task_cache.cache_task(TASK, tmp_path / "cut", num_shards=4)
    assert len(written) == count


WORKER_SCRIPT = """
import sys, time
import numpy as np
import seqio
import eiw.tasks
from eiw.data import task_cache

vocabulary = seqio.get_mixture_or_task("text_ac_v256").output_features["targets"].vocabulary
with task_cache._Pool(1, vocabulary) as pool:
    next(pool.encode([[np.arange(9)]] * 9))
    print(*pool._executor._processes, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(text):
    with subprocess.Popen(
        [sys.executable, "-c", WORKER_SCRIPT],
        env=os.environ | {"EIW_COMPRESSORS": str(text.parent / "coders")},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        worker = parent.stdout.readline().strip()
        assert runs(worker)
        parent.kill()
    last = time.monotonic() + 60
    while runs(worker) and time.monotonic() < last:
        time.sleep(0.1)
    assert not runs(worker)


def runs(process):
    try:
        # The third field: Z is a process that has ended, where nobody asks how.
        return pathlib.Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_other_text_or_another_compressor_is_refused(text, threads, monkeypatch, tmp_path):
    folder = tmp_path / "cache"
    task_cache.cache_task(TASK, folder, num_shards=2, workers=1)
    with pytest.raises(errors.InputError, match="another max_shards"):
        task_cache.cache_task(TASK, folder, num_shards=3)
    locations.set_locations(str(tmp_path / "other"), str(text))
    with pytest.raises(errors.InputError, match="another compressor"):
        task_cache.cache_task(TASK, folder, num_shards=2)
    task_cache.cache_task(TASK, folder, num_shards=2, workers=1, overwrite=True)

    (folder / TASK / "COMPLETED").unlink()
    text.write_text(text.read_text().replace("a", "b"))
    with pytest.raises(errors.InputError, match="changed since"):
        task_cache.cache_task(TASK, folder, num_shards=2)
    (folder / TASK / "eiw_cache.json").write_text("{")
    with pytest.raises(errors.ArtefactError, match="damaged"):
        task_cache.cache_task(TASK, folder, num_shards=2)
    (folder / TASK / "eiw_cache.json").unlink()
    with pytest.raises(errors.InputError, match="did not write"):
        task_cache.cache_task(TASK, folder, num_shards=2)


def test_eos_between_documents_is_no_token(text, threads, tmp_path):
    # As SeqIO counts: EOS ids of compressors that do not code EOS themselves are left out.
    locations.set_locations(str(tmp_path / "other"), str(text))
    stats = task_cache.cache_task(TASK, tmp_path / "cache", num_shards=2, workers=1)
    ids = [np.array(example) for example in examples(False, lengths=LONG)]
    eos = sum(int((example == vocab.EOS_ID).sum()) for example in ids)
    assert eos > 0 and stats["train"]["targets_tokens"] == sum(map(len, ids)) - eos


def test_bad_input_is_one_line(text, tmp_path):
    seqio.TaskRegistry.add(
        "no_compression",
        source=seqio.FunctionDataSource(
            lambda split, shuffle_files: tf.data.Dataset.from_tensors({"targets": [1]}),
            splits=("train",),
        ),
        preprocessors=[seqio.CacheDatasetPlaceholder()],
        output_features={"targets": seqio.Feature(seqio.PassThroughVocabulary(9))},
    )
    for name, folder, message in (
        ("text_ac_v257", tmp_path, "Did you mean text_ac_v256?"),
        ("no_compression", tmp_path, "Beam"),
        (TASK, "gs://bucket/cache", "no local folder"),
    ):
        with pytest.raises(errors.InputError, match=message):
            task_cache.cache_task(name, folder)
    with pytest.raises(errors.InputError, match="at least 1"):
        task_cache.cache_task(TASK, tmp_path, num_shards=0)
