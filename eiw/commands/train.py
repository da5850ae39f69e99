"""eiw train: one decoder on token files that `eiw compress` wrote, or on a SeqIO task.

Goes on from the last checkpoint if the output folder holds one. The gin files give
train.Settings.run, a pipeline.ModelRun: model size, batch, length, steps, optimizer, mesh.

An M1 is a decoder on the tokens of the compressor `bytes`; --export_m1 writes it for `eiw compile`:

    eiw train --tokens my_bytes --output my_m1_run --export_m1 my_m1 \\
        --gin_file=runs/m1.gin --gin_file=sizes/3m.gin

A task compresses as it goes, or reads its offline cache. It is scored on its validation split.

    eiw train --task text_equal_info_b16_v65k --output my_m2 \\
        --gin_file=runs/train.gin --gin_file=sizes/25m.gin

On several hosts the same line runs on each, with storage that all of them share; a mesh by
--gin.loop.TrainConfig.mesh='{"fsdp": 8}'. TPU pods, SLURM and Open MPI need --distributed; others
--coordinator, --num_hosts and --host. See `launch/tpu_pod.sh` and `launch/gpu.sh`.
"""

import dataclasses
import gc
import importlib
import os
import pathlib

from absl import flags

from eiw import errors, model_rows, pipeline, rows, vocab
from eiw.commands import gin_flags, task_flags
from eiw.training import hosts

# Flags that go with --task alone.
_TASK_FLAGS = ("use_cached", "cache_dirs", "module_import", "tfds_data_dir")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw train`."""

    run: pipeline.ModelRun
    stride: int | None = None
    """Of token files: score the test documents by contexts that slide by so many ids, too."""
    eval_bytes: int = 1_000_000
    """Of a task: text of its validation split that is scored whole, at least."""


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw train`."""
    flags.DEFINE_string("tokens", None, "Folder that `eiw compress` wrote.", flag_values=values)
    flags.DEFINE_string("task", None, "Name of a SeqIO task.", flag_values=values)
    flags.DEFINE_boolean(
        "use_cached", False, "With --task: read its offline cache.", flag_values=values
    )
    flags.DEFINE_list(
        "cache_dirs", [], "With --use_cached: folders that hold caches.", flag_values=values
    )
    task_flags.define(values, "--task")
    flags.DEFINE_string(
        "output", None, "Folder of checkpoints and metrics.", required=True, flag_values=values
    )
    flags.DEFINE_string(
        "export_m1",
        None,
        "Folder that gets the trained model as an M1; the tokens are bytes.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "results",
        None,
        "File that the row of results is added to; default: OUTPUT/results.jsonl.",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "distributed",
        False,
        "One of several hosts that find each other: TPU pod, SLURM, Open MPI.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "coordinator", None, "One of several hosts: HOST:PORT of number 0.", flag_values=values
    )
    flags.DEFINE_integer(
        "num_hosts", None, "With --coordinator: how many.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "host",
        None,
        "With --coordinator: number of this one, from 0.",
        lower_bound=0,
        flag_values=values,
    )
    gin_flags.define(values, default_file="runs/train.gin")


def run(values: flags.FlagValues) -> None:
    """Trains, scores on the test tokens, says how good it became."""
    if (values.tokens is None) == (values.task is None):
        raise errors.InputError("Give either --tokens, of token files, or --task, of SeqIO.")
    if values.task is None:
        task_flags.refuse(values, _TASK_FLAGS, "tokens")
    else:
        task_flags.refuse(values, ["export_m1"], "task")
    address = (values.coordinator, values.num_hosts, values.host)
    if values.distributed or any(part is not None for part in address):
        hosts.join(*address)
    settings, config = gin_flags.build(values, Settings)
    output = pathlib.Path(values.output)
    train = _train_on_tokens if values.task is None else _train_on_task
    results = pathlib.Path(values.results or output / "results.jsonl")
    row = train(values, settings, output, config)
    if not hosts.is_first():
        return
    scores = os.path.relpath(output / "scores", results.parent)
    rows.append_row(results, dataclasses.replace(row, document_scores=scores))
    print(
        f"{output}: {row.steps:,} steps, {row.bits_per_byte:.4f} bits/byte "
        f"on {row.eval_bytes:,} held-out bytes"
    )
    if row.collapsed:
        print(
            f"{output} collapsed: it is no better than uniform ({row.uniform_bits_per_byte:.4f})."
        )


def _train_on_tokens(
    values: flags.FlagValues, settings: Settings, output: pathlib.Path, config: str
) -> rows.Row:
    run, stride = settings.run, settings.stride
    folder = pathlib.Path(values.tokens)
    tokens = pipeline.open_tokens(folder)
    if values.export_m1 is not None and tokens.train.vocab_size != vocab.NUM_BYTES:
        raise errors.InputError(
            f"--export_m1 is for models of bytes, and {folder} has {tokens.train.vocab_size:,} "
            "codes: give the tokens of the compressor `bytes`."
        )
    _save_config(output, config)
    if values.export_m1 is None:
        outcome = pipeline.train_m2(output, run, tokens, stride)
        return model_rows.m2_row(outcome, run, tokens, output.name)
    outcome = pipeline.train_m1(output, run, tokens, pathlib.Path(values.export_m1), stride)
    return model_rows.m1_row(outcome, run, tokens, output.name)


def _train_on_task(
    values: flags.FlagValues, settings: Settings, output: pathlib.Path, config: str
) -> rows.Row:
    run = settings.run
    if settings.stride is not None:
        raise errors.InputError("Sliding contexts are for token files: leave out Settings.stride.")
    # Compiled while TensorFlow is imported, for the vocabulary that gin says.
    prepared = pipeline.prepare(output, run)
    # A million objects come, and stay: no need to look for garbage among them, now or later.
    gc.disable()
    try:
        # These import TensorFlow: neither --help nor token files are to wait for it, or to need it.
        task_pipeline = importlib.import_module("eiw.task_pipeline")
        task_flags.register(values)
        gc.freeze()
    finally:
        gc.enable()
    data = task_pipeline.open_task(
        values.task, values.use_cached, values.cache_dirs, values.tfds_data_dir
    )
    _save_config(output, config)
    return task_pipeline.train(output, run, data, output.name, settings.eval_bytes, prepared)


def _save_config(output: pathlib.Path, config: str) -> None:
    if hosts.is_first():
        gin_flags.save(output, config)
