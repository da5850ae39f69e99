"""eiw evaluate WHAT: numbers about models, as one JSON object on the last line.

flops   FLOPs/byte of a size at a compression ratio: the paper's count and an exact one
"""

import json

from absl import flags

from eiw import gin_config, vocab
from eiw.models import config, flops

ARGUMENTS = ("flops",)

# The paper counts FLOPs with its sizes' names, not with the parameters themselves (3.8).
_NOMINAL_PARAMS = {"3m": 3e6, "25m": 25e6, "113m": 113e6, "403m": 403e6, "2b": 2e9}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw evaluate`."""
    flags.DEFINE_string("size", "25m", "Name of a file in gin/sizes.", flag_values=values)
    flags.DEFINE_float(
        "bytes_per_token", 1.0, "Compression ratio.", lower_bound=1e-9, flag_values=values
    )
    flags.DEFINE_boolean("m1", False, "Run an M1 of size 3m on each byte.", flag_values=values)
    flags.DEFINE_integer(
        "vocab_size", 259, "Ids of M2, specials included.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer("length", 512, "Tokens of context.", lower_bound=1, flag_values=values)


def run(values: flags.FlagValues, what: str) -> None:
    """Prints the numbers asked for."""
    {"flops": _flops}[what](values)


def _flops(values: flags.FlagValues) -> None:
    """The paper's count needs a nominal size; that of sizes it does not name is exact."""
    model = _model(values.size, values.vocab_size)
    m1 = _model("3m", vocab.NUM_BYTES + vocab.NUM_SPECIAL_IDS)
    params = _NOMINAL_PARAMS.get(values.size, model.kernel_params())
    exact = flops.exact_flops_per_token(model, values.length).total / values.bytes_per_token
    exact_m1 = flops.exact_flops_per_token(m1, values.length).total if values.m1 else 0.0
    numbers = {
        "paper_flops_per_byte": flops.paper_flops_per_byte(
            params, values.bytes_per_token, values.m1
        ),
        "exact_flops_per_byte": exact + exact_m1,
        "m1_flops_per_byte": flops.paper_flops_per_byte(0.0, 1.0, values.m1),
    }
    print(json.dumps(numbers))


def _model(size: str, vocab_size: int) -> config.DecoderConfig:
    binding = f"config.DecoderConfig.vocab_size = {vocab_size}"
    return gin_config.build(config.DecoderConfig, [f"sizes/{size}.gin"], [binding])[0]
