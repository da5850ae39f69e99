"""eiw evaluate WHAT: numbers about models, as one JSON object on the last line.

flops   FLOPs/byte of a size at a compression ratio: the paper's count and an exact one
"""

import json

from absl import flags

from eiw.models import flops

ARGUMENTS = ("flops",)


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw evaluate`."""
    flags.DEFINE_string("size", "25m", "Name of a file in gin/sizes.", flag_values=values)
    flags.DEFINE_float(
        "bytes_per_token", 1.0, "Compression ratio.", lower_bound=1e-9, flag_values=values
    )
    flags.DEFINE_boolean(
        "m1", False, "Count an M1 of size 3m run on each byte.", flag_values=values
    )
    flags.DEFINE_integer(
        "vocab_size", 259, "Ids of M2, specials included.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer("length", 512, "Tokens of context.", lower_bound=1, flag_values=values)


def run(values: flags.FlagValues, what: str) -> None:
    """Prints the numbers asked for."""
    {"flops": _flops}[what](values)


def _flops(values: flags.FlagValues) -> None:
    model = _model(values.size, values.vocab_size)
    m1 = _model("3m", vocab.NUM_BYTES + vocab.NUM_SPECIAL_IDS)
    m1_flops = 2 * _NOMINAL_PARAMS["3m"] if values.m1 else 0
    print(
        json.dumps(
            {
                "paper_flops_per_byte": flops.paper_flops_per_byte(
                    _NOMINAL_PARAMS[values.size], values.bytes_per_token, m1_flops
                ),
            }
        )
    )
