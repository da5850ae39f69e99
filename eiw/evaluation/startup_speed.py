"""Seconds from the start of a trainer to its first training step, in fresh processes."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from eiw import cpus, errors, progress
from eiw.compressors import raw_bytes
from eiw.data import corpus, token_files

# The paper's M1, 259 ids.
_EIW = (
    *("eiw.main", "train", "--gin_file=runs/train.gin", "--gin_file=sizes/3m.gin"),
    *("--gin.pipeline.ModelRun.batch_size=8", "--gin.pipeline.ModelRun.length=512"),
    *("--gin.loop.TrainConfig.steps=1", "--gin.loop.TrainConfig.log_every=1"),
)
_T5X = (
    *("eiw.t5x", "train", "--gin_file=t5x/train.gin", "--gin_file=t5x/online.gin"),
    *("--gin_file=sizes/3m.gin", '--gin.MIXTURE_OR_TASK_NAME="text_bytes"'),
    *("--gin.BATCH_SIZE=8", "--gin.TRAIN_STEPS=1", "--alsologtostderr"),
)
# In T5X's log: the numbers of its first step.
_T5X_STEP = "collection=train accuracy="
_DOCUMENTS, _DOCUMENT_BYTES = 600, 2_000


def measure_startup(
    rounds: int = 3, *, seqio: bool = True, t5x: bool = False
) -> dict[str, float | int]:
    """Starts trainings of the 3m model, batch 8 x 512, float32, `rounds` times in turns.

    The clock runs from before the process exists to when the numbers of its first step are in the
    log. Nothing is kept from one start to the next: JAX's compilation cache is off.

    Args:
      rounds: starts of each kind, of which the median counts.
      seqio: whether to start `eiw train` from a SeqIO task too, which needs TensorFlow.
      t5x: whether to start T5X's trainer too, on the same network, task and batch.

    Returns:
      token_files_s, token_files_cpu_s: wall and CPU seconds, all threads and processes together,
        from token files. seqio_s, seqio_cpu_s: from the task `text_bytes`. t5x_s, t5x_cpu_s: T5X
        from that task. cpus: what they see.

    Raises:
      InputError: a process failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        documents = _documents()
        for split in corpus.SPLITS:
            token_files.write_tokens(folder / "tokens" / split, raw_bytes.RawBytes(), documents)
        lines = [json.dumps({"text": text.decode()}) for text in documents]
        (folder / "text.jsonl").write_text("\n".join(lines))
        kinds = {"token_files": (*_EIW, f"--tokens={folder / 'tokens'}")}
        if seqio:
            kinds["seqio"] = (*_EIW, "--task=text_bytes")
        if t5x:
            kinds["t5x"] = _T5X
        seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
        for number in progress.track(range(rounds), "Starting training"):
            for kind, arguments in kinds.items():
                seconds[kind].append(_start(folder, f"{kind}_{number}", arguments))
    results: dict[str, float | int] = {"cpus": cpus.visible()}
    for kind, measured in seconds.items():
        wall, cpu = zip(*measured, strict=True)
        results[f"{kind}_s"] = statistics.median(wall)
        results[f"{kind}_cpu_s"] = statistics.median(cpu)
    return results


def _documents() -> list[bytes]:
    letters = np.random.default_rng(0).integers(97, 123, (_DOCUMENTS, _DOCUMENT_BYTES), np.uint8)
    return [row.tobytes() for row in letters]


def _start(folder: pathlib.Path, name: str, arguments: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process, up to the first step in its log."""
    run, log = folder / name, folder / f"{name}.log"
    is_t5x = arguments[0] == _T5X[0]
    output = f'--gin.MODEL_DIR="{run}"' if is_t5x else f"--output={run}"
    environment = os.environ | {
        "EIW_TEXT": str(folder / "text.jsonl"),
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }

    def has_stepped() -> bool:
        if is_t5x:
            return _T5X_STEP in log.read_text(errors="replace")
        metrics = run / "metrics.jsonl"
        return metrics.exists() and metrics.stat().st_size > 0

    started = time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, output], env=environment, stdout=file, stderr=file
        )
    try:
        while not has_stepped():
            if process.poll() is not None:
                said = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
                raise errors.InputError(f"{' '.join(arguments[:2])} failed; it said: {said[-1]}")
            time.sleep(0.005)
        wall = time.perf_counter() - started
        return wall, sum(map(_cpu_seconds, [process.pid, *_children(process.pid)]))
    finally:
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    """Processes that a process has started: SeqIO is read in one of its own."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, as Linux counts it."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
