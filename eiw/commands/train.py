"""eiw train: one decoder on token files that `eiw compress` wrote.

Goes on from the last checkpoint if the output folder holds one. The gin files give
train.Settings.run, a pipeline.ModelRun: model size, batch, length, steps, optimizer, mesh.

An M1 is a decoder on the tokens of the compressor `bytes`; --export_m1 writes it for `eiw compile`:

    eiw train --tokens my_bytes --output my_m1_run --export_m1 my_m1 \
        --gin_file=runs/m1.gin --gin_file=sizes/3m.gin
"""

import dataclasses
import pathlib

from absl import flags

from eiw import errors, pipeline, vocab
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
    flags.DEFINE_string(
        "export_m1",
        None,
        "Folder that gets the trained model as an M1; the tokens are bytes.",
        flag_values=values,
    )
    gin_flags.define(values, default_file="runs/train.gin")


def run(values: flags.FlagValues) -> None:
    """Trains, scores on the test tokens, says how good it became."""
    settings, config = gin_flags.build(values, Settings)
    folder, output = pathlib.Path(values.tokens), pathlib.Path(values.output)
    tokens = pipeline.open_tokens(folder)
    if values.export_m1 is not None and tokens.train.vocab_size != vocab.NUM_BYTES:
        raise errors.InputError(
            f"--export_m1 is for models of bytes, and {folder} has {tokens.train.vocab_size:,} "
            "codes: give the tokens of the compressor `bytes`."
        )
    gin_flags.save(output, config)
    if values.export_m1 is None:
        outcome = pipeline.train_m2(output, settings.run, tokens)
    else:
        outcome = pipeline.train_m1(output, settings.run, tokens, pathlib.Path(values.export_m1))
    print(
        f"{output}: {outcome['steps']:,} steps, {outcome['bits_per_byte']:.4f} bits/byte "
        f"on {outcome['eval_bytes']:,} held-out bytes"
    )
