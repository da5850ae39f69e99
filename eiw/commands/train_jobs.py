"""What `eiw train` does, behind its flags: this module imports JAX."""

import dataclasses
import os
import pathlib

from absl import flags

from eiw import atomic, errors, model_rows, pipeline, remote_object, rows, task_pipeline, vocab
from eiw.coding import array_folder
from eiw.commands import gin_flags
from eiw.commands.train import Settings
from eiw.training import checkpoint, hosts


def train(values: flags.FlagValues, reader: remote_object.RemoteObject | None) -> None:
    """Trains on token files, or on the task behind a `task_reader.TaskReader`.

    Args:
      values: of the flags, looked at by `train.run`.
      reader: of --task.
    """
    address = (values.coordinator, values.num_hosts, values.host)
    if values.distributed or any(part is not None for part in address):
        hosts.join(*address)
    if values.profile_steps is not None:
        binding = f"loop.TrainConfig.profile_steps={values.profile_steps}"
        values.gin_bindings = [*values.gin_bindings, binding]
    settings, config = gin_flags.build(values, Settings)
    output = pathlib.Path(values.output)
    results = pathlib.Path(values.results or output / "results.jsonl")
    if reader is None:
        row = _train_on_tokens(values, settings, output, config)
    else:
        row = _train_on_task(reader, settings, output, config)
    if not hosts.is_first():
        return
    gin_flags.save(output, config)
    scores = os.path.relpath(output / "scores", results.parent)
    rows.append_row(results, dataclasses.replace(row, document_scores=scores))
    print(
        f"{output}: {row.steps:,} steps, {row.bits_per_byte:.4f} bits/byte "
        f"on {row.eval_bytes:,} held-out bytes"
    )
    if row.collapsed:
        print(
            f"{output} collapsed: it is no better than uniform ({row.uniform_bits_per_byte:.4f})."
        )


def _train_on_tokens(
    values: flags.FlagValues, settings: Settings, output: pathlib.Path, config: str
) -> rows.Row:
    run, stride = settings.run, settings.stride
    folder = pathlib.Path(values.tokens)
    tokens = pipeline.open_tokens(folder)
    if values.export_m1 is not None and tokens.train.vocab_size != vocab.NUM_BYTES:
        raise errors.InputError(
            f"--export_m1 is for models of bytes, and {folder} has {tokens.train.vocab_size:,} "
            "codes: give the tokens of the compressor `bytes`."
        )
    if values.export_m1 is not None:
        _refuse_export_over_another(pathlib.Path(values.export_m1), output)
    _save_first_config(output, config)
    if values.export_m1 is None:
        outcome = pipeline.train_m2(output, run, tokens, stride)
        return model_rows.m2_row(outcome, run, tokens, output.name)
    outcome = pipeline.train_m1(output, run, tokens, pathlib.Path(values.export_m1), stride)
    return model_rows.m1_row(outcome, run, tokens, output.name)


def _train_on_task(
    reader: remote_object.RemoteObject, settings: Settings, output: pathlib.Path, config: str
) -> rows.Row:
    run = settings.run
    if settings.stride is not None:
        raise errors.InputError("Sliding contexts are for token files: leave out Settings.stride.")
    # Compiled while the task is opened, for the vocabulary that gin says.
    prepared = pipeline.prepare(output, run)
    task = task_pipeline.open_task(reader)
    _save_first_config(output, config)
    eval_bytes = settings.eval_bytes
    return task_pipeline.train(output, run, reader, task, output.name, eval_bytes, prepared)


def _refuse_export_over_another(export_m1: pathlib.Path, output: pathlib.Path) -> None:
    """The exported M1 will replace its folder: a run's own, or another's, would be lost."""
    if export_m1.resolve() == output.resolve():
        raise errors.InputError("--export_m1 and --output are one folder: give M1 its own.")
    # Not its config.json: every run has one.
    atomic.check_replaceable(export_m1, array_folder.ARRAYS_NAME)


def _save_first_config(output: pathlib.Path, config: str) -> None:
    """Before a run's first step. One that goes on may be refused yet: its is saved at the end."""
    if hosts.is_first() and not checkpoint.steps(output):
        gin_flags.save(output, config)
