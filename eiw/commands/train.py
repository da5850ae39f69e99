"""eiw train: one decoder on token files that `eiw compress` wrote.

Goes on from the last checkpoint if the output folder holds one. The gin files give
train.Settings.run, a pipeline.ModelRun: model size, batch, length, steps, optimizer, mesh.

An M1 is a decoder on the tokens of the compressor `bytes`; --export_m1 writes it for `eiw compile`:

    eiw train --tokens my_bytes --output my_m1_run --export_m1 my_m1 \
        --gin_file=runs/m1.gin --gin_file=sizes/3m.gin

On several hosts the same line runs on each, with storage that all of them share; a mesh by
--gin.loop.TrainConfig.mesh='{"fsdp": 8}'. TPU pods, SLURM and Open MPI need --distributed; others
--coordinator, --num_hosts and --host. See `launch/tpu_pod.sh` and `launch/gpu.sh`.
"""

import dataclasses
import pathlib

from absl import flags

from eiw import errors, pipeline, rows, vocab
from eiw.commands import gin_flags
from eiw.training import hosts


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw train`."""

    run: pipeline.ModelRun


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw train`."""
    flags.DEFINE_string(
        "tokens", None, "Folder that `eiw compress` wrote.", required=True, flag_values=values
    )
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
    address = (values.coordinator, values.num_hosts, values.host)
    if values.distributed or any(part is not None for part in address):
        hosts.join(*address)
    settings, config = gin_flags.build(values, Settings)
    folder, output = pathlib.Path(values.tokens), pathlib.Path(values.output)
    tokens = pipeline.open_tokens(folder)
    if values.export_m1 is not None and tokens.train.vocab_size != vocab.NUM_BYTES:
        raise errors.InputError(
            f"--export_m1 is for models of bytes, and {folder} has {tokens.train.vocab_size:,} "
            "codes: give the tokens of the compressor `bytes`."
        )
    if hosts.is_first():
        gin_flags.save(output, config)
    if values.export_m1 is None:
        outcome = pipeline.train_m2(output, settings.run, tokens)
        row = pipeline.m2_row(outcome, settings.run, tokens, output.name)
    else:
        outcome = pipeline.train_m1(output, settings.run, tokens, pathlib.Path(values.export_m1))
        row = pipeline.m1_row(outcome, settings.run, tokens, output.name)
    if not hosts.is_first():
        return
    rows.append_row(values.results or output / "results.jsonl", row)
    print(
        f"{output}: {row.steps:,} steps, {row.bits_per_byte:.4f} bits/byte "
        f"on {row.eval_bytes:,} held-out bytes"
    )
    if row.collapsed:
        print(
            f"{output} collapsed: it is no better than uniform ({row.uniform_bits_per_byte:.4f})."
        )
