"""eiw compile: a trained M1 becomes a dictionary of Equal-Info Windows.

M1 is run once for every text that a window can hold; encoding and decoding then never run it.
"""

import pathlib
import time

from absl import flags

from eiw import byte_lm
from eiw.compressors import window_dictionary


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw compile`."""
    flags.DEFINE_string("m1", None, "Folder of an exported M1.", required=True, flag_values=values)
    flags.DEFINE_string(
        "output", None, "Folder of the dictionary.", required=True, flag_values=values
    )
    flags.DEFINE_integer("window_bits", 16, "Bits of a window.", flag_values=values)
    flags.DEFINE_boolean(
        "dense",
        True,
        "Number the codes that exist; else keep all 2^window_bits.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "own_cell",
        "smallest",
        ["smallest", "roundest"],
        "Which of a text's cells names it; the roundest ends in the most zero bits.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Compiles, saves, and says what came out."""
    output = pathlib.Path(values.output)
    started = time.perf_counter()
    compressor = window_dictionary.compile_windows(
        byte_lm.ByteLM.load(pathlib.Path(values.m1)),
        window_bits=values.window_bits,
        dense=values.dense,
        own_cell=values.own_cell,
    )
    compressor.save(output)
    print(
        f"{output}: {compressor.vocab_size:,} codes in {time.perf_counter() - started:.0f} s, "
        f"fingerprint {compressor.fingerprint[:12]}"
    )
