"""eiw sweep: many trainings of M2, one after the other: methods x sizes x learning rates x seeds.

Each is an `eiw train` of its own in OUTPUT/SIZE-METHOD-lrRATE-seedSEED, and adds its row to
OUTPUT/results.jsonl. Run it again to go on: what has its row is skipped (and named, if it was made
with other settings), what was interrupted goes on from its checkpoint. A run that ends no better
than uniform has collapsed; it is named, made again with another seed (--retries), and counted. One
that fails, as by a learning rate that makes the loss infinite, does not keep the others from being
made; it is named in the end. `eiw report --run OUTPUT` makes the tables.

    eiw sweep --tokens 'runs/smoke/tokens/*' --output my_sweep --sizes 25m,113m \\
        --learning_rates 0.5,1,2 --gin.loop.TrainConfig.steps=20000
"""

import collections
import dataclasses
import glob
import math
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Iterator

from absl import flags

from eiw import errors, gin_config, rows
from eiw.commands import gin_flags, train
from eiw.data import token_files
from eiw.training import stop_signal

# Added to a seed for each time that its run is made again.
_RETRY_SEED = 1_000
# Names in `eiw.training.optimizer`; the first one is not named by its runs.
_OPTIMIZERS = ("Adafactor", "AdamW")
# With which a training ends that was asked to stop.
_INTERRUPTED = 130


@dataclasses.dataclass(frozen=True)
class _Run:
    """One training of a sweep."""

    size: str
    tokens: pathlib.Path
    optimizer: str
    learning_rate: str
    seed: int

    @property
    def name(self) -> str:
        optimizer = "" if self.optimizer == _OPTIMIZERS[0] else f"-{self.optimizer}"
        rate = f"lr{self.learning_rate}"
        return f"{self.size}-{self.tokens.name}{optimizer}-{rate}-seed{self.seed}"


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw sweep`."""
    flags.DEFINE_string(
        "tokens",
        None,
        "Glob of folders that `eiw compress` wrote, one a method.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_string("output", None, "Folder of the sweep.", required=True, flag_values=values)
    flags.DEFINE_list("sizes", ["25m"], "Names of files in gin/sizes.", flag_values=values)
    flags.DEFINE_list("learning_rates", ["1.0"], "Of the optimizer.", flag_values=values)
    flags.DEFINE_list("seeds", ["0"], "Of parameters and data.", flag_values=values)
    flags.DEFINE_integer(
        "retries", 1, "New runs for one that collapses.", lower_bound=0, flag_values=values
    )
    flags.DEFINE_enum("optimizer", _OPTIMIZERS[0], _OPTIMIZERS, "Of every run.", flag_values=values)
    gin_flags.define(values, default_file="runs/train.gin")
    flags.DEFINE_boolean(
        "dry_run", False, "Print the commands that are still to run, and stop.", flag_values=values
    )


def run(values: flags.FlagValues) -> None:
    """Runs what has no row yet; says what collapsed.

    Raises:
      InputError: no tokens match, a number is none, gin has a mistake, or runs failed.
      KeyboardInterrupt: a signal ended it; the run that it met has saved its checkpoint.
    """
    output = pathlib.Path(values.output)
    results = output / "results.jsonl"
    failed = []
    runs = list(_runs(values))
    for one in {one.size: one for one in runs}.values():
        # A mistake in gin, too.
        gin_config.build(train.Settings, *_gin(one, values), values.gin_search_paths)
    for number, first in enumerate(runs, 1):
        for retry in range(values.retries + 1):
            one = dataclasses.replace(first, seed=first.seed + _RETRY_SEED * retry)
            row = _row_of(one, results)
            if row is None:
                command = _command(one, values, output, results)
                print(f"[{number}/{len(runs)}] {shlex.join(command)}", flush=True)
                if values.dry_run:
                    break
                if status := _call(command):
                    print(f"{one.name} ended with status {status}.", flush=True)
                    failed.append(one.name)
                    break
                row = _row_of(one, results)
            elif other := _other_settings(one, values, output):
                print(f"{one.name} is kept, which had other settings: {'; '.join(other)}.")
            if not row.collapsed:
                break
            print(f"{one.name} collapsed to uniform ({row.bits_per_byte:.4f} bits/byte).")
    if values.dry_run:
        return
    made = rows.read_rows(results) if results.exists() else []
    collapsed = sum(row.collapsed for row in made)
    print(f"eiw sweep finished: {results} has {len(made)} rows, {collapsed} of them collapsed.")
    if failed:
        raise errors.InputError(
            f"{len(failed)} of {len(runs)} runs failed, see above: {', '.join(failed)}. Run the "
            "sweep again to try them again, from their checkpoints."
        )


def _call(command: list[str]) -> int:
    """The exit status of a training.

    Raises:
      KeyboardInterrupt: it was asked to stop, or we were: then it is, too, and has time to save.
    """
    with stop_signal.listen() as stop, subprocess.Popen(command) as training:
        told = False
        while (status := _wait(training)) is None:
            if stop and not told:
                training.terminate()
                told = True
    if stop or status == _INTERRUPTED:
        raise KeyboardInterrupt
    return status


def _wait(process: subprocess.Popen) -> int | None:
    """Its exit status, or None if it goes on for a while."""
    try:
        return process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return None


def _runs(values: flags.FlagValues) -> Iterator[_Run]:
    # Path.glob takes no absolute patterns.
    names = sorted(glob.glob(values.tokens))  # noqa: PTH207
    folders = [pathlib.Path(name) for name in names if pathlib.Path(name).is_dir()]
    if not folders:
        raise errors.InputError(f"No folder matches {values.tokens!r}: give those of eiw compress.")
    # Mistakes are told now, not after hours of other runs.
    names = collections.Counter(folder.name for folder in folders)
    if (twice := names.most_common(1)[0])[1] > 1:
        raise errors.InputError(
            f"{twice[1]} folders are called {twice[0]}, and so would be their runs: make a sweep "
            "of each."
        )
    for folder in folders:
        token_files.open_tokens(folder / "train")
    try:
        rates = [str(float(rate)) for rate in values.learning_rates]
        seeds = [int(seed) for seed in values.seeds]
    except ValueError as error:
        raise errors.InputError(f"--learning_rates and --seeds are numbers: {error}.") from error
    if not all(0 < rate < math.inf for rate in map(float, rates)):
        raise errors.InputError(f"--learning_rates={','.join(rates)}: each must be above 0.")
    if not all(seed >= 0 for seed in seeds):
        raise errors.InputError(f"--seeds={','.join(values.seeds)}: each must be 0 or more.")
    for name, each in (("sizes", values.sizes), ("learning_rates", rates), ("seeds", seeds)):
        if not each or len(set(each)) < len(each):
            raise errors.InputError(f"--{name} must name at least one, and each once.")
    for size in values.sizes:
        for folder in folders:
            for rate in rates:
                for seed in seeds:
                    yield _Run(size, folder, values.optimizer, rate, seed)


def _row_of(one: _Run, results: pathlib.Path) -> rows.Row | None:
    made = rows.read_rows(results) if results.exists() else []
    return next((row for row in made if row.run == one.name), None)


def _other_settings(one: _Run, values: flags.FlagValues, output: pathlib.Path) -> list[str]:
    """What the configuration of a run that was made says otherwise than the flags do now."""
    made = output / one.name / "config.gin"
    if not made.exists():
        return []
    resolved = gin_config.build(train.Settings, *_gin(one, values), values.gin_search_paths)[1]
    now = gin_config.bindings_of(resolved)
    before = gin_config.bindings_of(made.read_text(encoding="utf-8"))
    return [
        f"{name} = {before[name]}, not {value}"
        for name, value in now.items()
        if before.get(name, value) != value
    ]


def _command(
    one: _Run, values: flags.FlagValues, output: pathlib.Path, results: pathlib.Path
) -> list[str]:
    files, bindings = _gin(one, values)
    return [
        *(sys.executable, "-m", "eiw.main", "train"),
        *("--tokens", str(one.tokens), "--output", str(output / one.name)),
        *("--results", str(results)),
        *(f"--gin_file={file}" for file in files),
        f"--gin_search_paths={','.join(values.gin_search_paths)}",
        *(f"--gin.{binding}" for binding in bindings),
    ]


def _gin(one: _Run, values: flags.FlagValues) -> tuple[list[str], list[str]]:
    """Files and bindings of a run."""
    files = [*values.gin_file, f"sizes/{one.size}.gin"]
    bindings = [
        f"loop.TrainConfig.optimizer=@optimizer.{one.optimizer}()",
        f"optimizer.{one.optimizer}.learning_rate={one.learning_rate}",
        f"loop.TrainConfig.seed={one.seed}",
        *values.gin_bindings,
    ]
    return files, bindings
