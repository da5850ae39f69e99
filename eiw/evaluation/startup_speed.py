"""Seconds from the start of `eiw train` to its first training step, in fresh processes."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from eiw import errors, progress
from eiw.compressors import raw_bytes
from eiw.data import corpus, token_files
from eiw.training import checkpoint

# The paper's M1, 259 ids.
_ARGUMENTS = (
    *("--gin_file=runs/train.gin", "--gin_file=sizes/3m.gin"),
    *("--gin.pipeline.ModelRun.batch_size=8", "--gin.pipeline.ModelRun.length=512"),
    *("--gin.loop.TrainConfig.steps=1", "--gin.loop.TrainConfig.log_every=1"),
)
_DOCUMENTS, _DOCUMENT_BYTES = 600, 2_000


def measure_startup(rounds: int = 3, *, seqio: bool = True) -> dict[str, float | int]:
    """Starts `eiw train` of the 3m model, batch 8 x 512, float32, `rounds` times in turns.

    The clock runs from before the process exists to when the numbers of its first step are in the
    log. Nothing is kept from one start to the next: JAX's compilation cache is off.

    Args:
      rounds: starts of each kind, of which the median counts.
      seqio: whether to start from a SeqIO task too, which needs TensorFlow.

    Returns:
      token_files_s, token_files_cpu_s: wall and CPU seconds, all threads and processes together,
        from token files. seqio_s, seqio_cpu_s: from the task `text_bytes`. cpus: what they see.

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
        kinds = {"token_files": f"--tokens={folder / 'tokens'}"}
        if seqio:
            kinds["seqio"] = "--task=text_bytes"
        seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
        for number in progress.track(range(rounds), "Starting training"):
            for kind, data in kinds.items():
                seconds[kind].append(_start(folder, f"{kind}_{number}", data))
    results: dict[str, float | int] = {"cpus": checkpoint.visible_cpus()}
    for kind, measured in seconds.items():
        wall, cpu = zip(*measured, strict=True)
        results[f"{kind}_s"] = statistics.median(wall)
        results[f"{kind}_cpu_s"] = statistics.median(cpu)
    return results


def _documents() -> list[bytes]:
    letters = np.random.default_rng(0).integers(97, 123, (_DOCUMENTS, _DOCUMENT_BYTES), np.uint8)
    return [row.tobytes() for row in letters]


def _start(folder: pathlib.Path, run: str, data: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process, up to the first step in its log."""
    log = folder / run / "metrics.jsonl"
    environment = os.environ | {
        "EIW_TEXT": str(folder / "text.jsonl"),
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    started = time.perf_counter()
    with (folder / f"{run}.log").open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "eiw.main", "train"),
                *(data, f"--output={log.parent}", *_ARGUMENTS),
            ],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        while not (log.exists() and log.stat().st_size):
            if process.poll() is not None:
                text = (folder / f"{run}.log").read_text(errors="replace")[-500:]
                raise errors.InputError(f"eiw train {data} failed: {text}")
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
