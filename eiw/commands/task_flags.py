"""The flags of commands that use SeqIO tasks."""

from collections.abc import Sequence

from absl import flags

from eiw import errors


def define(values: flags.FlagValues, condition: str) -> None:
    """Adds --module_import and --tfds_data_dir; `condition` is the flag that they go with."""
    flags.DEFINE_multi_string(
        "module_import",
        ["eiw.tasks"],
        f"With {condition}: modules that register tasks. May be repeated.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "tfds_data_dir", None, f"With {condition}: where TFDS has its data.", flag_values=values
    )


def refuse(values: flags.FlagValues, names: Sequence[str], given: str) -> None:
    """Raises InputError if one of these flags was given, beside the flag `given`."""
    for name in names:
        if values[name].present:
            raise errors.InputError(f"--{name} has no meaning with --{given}.")
