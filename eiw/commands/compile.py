"""eiw compile: makes a compressor, of any method, from a trained M1 and text.

The method is a gin file: --gin_file=methods/NAME.gin, for every NAME that the SeqIO tasks have
(gin/methods lists them); without one, Equal-Info Windows of 16 bits. Its settings change with
--gin.recipes.CLASS.SETTING=VALUE. Windows become a dictionary: M1 is run once for every text that
they can hold, and never again to encode or decode.

    eiw compile --m1 runs/smoke/m1 --output my_windows
    eiw compile --m1 runs/smoke/m1 --text 'my/*.txt' --output my_tunstall \\
        --gin_file=methods/tunstall_v65k.gin --gin.tunstall_fit.Fit.start_rounds=2
"""

import contextlib
import dataclasses
import pathlib
import time

from absl import flags

from eiw import errors, recipes
from eiw.commands import gin_flags, text_flags


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw compile`."""

    recipe: recipes.Recipe


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw compile`."""
    flags.DEFINE_string(
        "m1", None, "Folder of an exported M1; some methods need none.", flag_values=values
    )
    flags.DEFINE_string(
        "output", None, "Folder of the compressor.", required=True, flag_values=values
    )
    text_flags.define(values)
    gin_flags.define(values, default_file="methods/equal_info_b16_v65k.gin")


def run(values: flags.FlagValues) -> None:
    """Makes the compressor, saves it, and says what came out."""
    settings, config = gin_flags.build(values, Settings)
    recipe, output = settings.recipe, pathlib.Path(values.output)
    if recipe.reads_m1 and values.m1 is None:
        raise errors.InputError(f"{recipe.label} is made from an M1: give its folder with --m1.")
    with contextlib.ExitStack() as stack:
        text = None
        if recipe.reads_text:
            text = stack.enter_context(text_flags.open_text(values))["train"]
        started = time.perf_counter()
        m1_folder = pathlib.Path(values.m1) if recipe.reads_m1 else None
        compressor = recipe.build(text, m1_folder)
        seconds = time.perf_counter() - started
    compressor.save(output)
    gin_flags.save(output, config)
    print(
        f"{output}: {recipe.label}, {compressor.vocab_size:,} codes in {seconds:.0f} s, "
        f"fingerprint {compressor.fingerprint[:12]}"
    )
