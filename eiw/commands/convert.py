"""eiw convert DIRECTION: checkpoints between our trainer and T5X's.

from_t5x  --t5x MODEL_DIR/checkpoint_STEP becomes the first checkpoint of the new run --run; the
          network is said by gin: --gin_file=sizes/25m.gin --gin.config.DecoderConfig.vocab_size=N
to_t5x    the newest checkpoint of --run is written into T5X's MODEL_DIR --t5x

Parameters, Adafactor's moments and the step are converted; the data begin anew.
"""

import pathlib

from absl import flags

from eiw.commands import gin_flags
from eiw.models import config, decoder
from eiw.training import t5x_checkpoint

ARGUMENTS = ("from_t5x", "to_t5x")


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw convert`."""
    flags.DEFINE_string("run", None, "Folder of our run.", required=True, flag_values=values)
    flags.DEFINE_string(
        "t5x",
        None,
        "T5X's checkpoint to read, or its MODEL_DIR to write to.",
        required=True,
        flag_values=values,
    )
    gin_flags.define(values, default_file=None)


def run(values: flags.FlagValues, direction: str) -> None:
    """Converts, and says what was written."""
    run_dir, t5x = pathlib.Path(values.run), pathlib.Path(values.t5x)
    if direction == "to_t5x":
        print(f"Written: {t5x_checkpoint.to_t5x(run_dir, t5x)}")
        return
    model = decoder.Decoder(gin_flags.build(values, config.DecoderConfig)[0])
    step = t5x_checkpoint.from_t5x(t5x, run_dir, model)
    print(f"Written: step {step} of {run_dir}")
