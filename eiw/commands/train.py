"""eiw train: one decoder on token files that `eiw compress` wrote.

Goes on from the last checkpoint if the output folder holds one. The gin files give
train.Settings.run, a pipeline.ModelRun: model size, batch, length, steps, optimizer, mesh.
"""

import dataclasses
import pathlib

from absl import flags

from eiw import pipeline
from eiw.commands import gin_flags


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
    gin_flags.define(values, default_file="runs/train.gin")


def run(values: flags.FlagValues) -> None:
    """Trains, scores on the test tokens, says how good it became."""
    settings, config = gin_flags.build(values, Settings)
    output = pathlib.Path(values.output)
    tokens = pipeline.open_tokens(pathlib.Path(values.tokens))
    gin_flags.save(output, config)
    outcome = pipeline.train_m2(output, settings.run, tokens)
    print(
        f"{output}: {outcome['steps']:,} steps, {outcome['bits_per_byte']:.4f} bits/byte "
        f"on {outcome['eval_bytes']:,} held-out bytes"
    )
