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

import contextlib
import dataclasses
import importlib
import typing

from absl import flags

from eiw import errors, garbage, remote_object
from eiw.commands import gin_flags, task_flags

if typing.TYPE_CHECKING:
    from eiw import pipeline

# Flags that go with --task alone.
_TASK_FLAGS = ("use_cached", "cache_dirs", "module_import", "tfds_data_dir")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw train`."""

    run: "pipeline.ModelRun"
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
    flags.DEFINE_integer(
        "profile_steps",
        None,
        "Trace so many steps by jax.profiler, after the first five, into OUTPUT/profile.",
        lower_bound=1,
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
    """Trains, scores on held-out text, says how good it became."""
    if (values.tokens is None) == (values.task is None):
        raise errors.InputError("Give either --tokens, of token files, or --task, of SeqIO.")
    if values.task is None:
        task_flags.refuse(values, _TASK_FLAGS, "tokens")
    else:
        task_flags.refuse(values, ["export_m1"], "task")
    with contextlib.ExitStack() as stack:
        reader = None
        if values.task is not None:
            # Importing TensorFlow takes as long as importing JAX and compiling: side by side.
            reader = stack.enter_context(_task_reader(values))
        with garbage.kept():
            jobs = importlib.import_module("eiw.commands.train_jobs")
        jobs.train(values, reader)


def _task_reader(values: flags.FlagValues) -> remote_object.RemoteObject:
    return remote_object.RemoteObject(
        "eiw.data.task_reader:TaskReader",
        values.task,
        values.module_import,
        values.use_cached,
        values.cache_dirs,
        values.tfds_data_dir,
        # The accelerators are the trainer's.
        environment={"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""},
    )
