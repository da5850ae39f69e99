"""T5X's gin flags, for the commands that are configured by gin."""

import pathlib
from collections.abc import Callable
from typing import TypeVar

from absl import flags

from eiw import atomic, gin_config

Built = TypeVar("Built")


def define(values: flags.FlagValues, default_file: str | None) -> None:
    """Adds --gin_file, --gin_search_paths and --gin.NAME=VALUE."""
    flags.DEFINE_multi_string(
        "gin_file",
        [default_file] if default_file else [],
        "Gin file, found in this folder, a search path or eiw's own gin folder. May be repeated.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "gin_search_paths", [], "Folders to look for gin files in.", flag_values=values
    )
    flags.DEFINE_multi_string(
        "gin_bindings",
        [],
        "A setting, NAME=VALUE; also spelt --gin.NAME=VALUE. Text values need their quotes. "
        "May be repeated.",
        flag_values=values,
    )


def build(values: flags.FlagValues, factory: Callable[..., Built]) -> tuple[Built, str]:
    """Builds `factory` from the flags; returns it and the resolved configuration as gin text."""
    return gin_config.build(factory, values.gin_file, values.gin_bindings, values.gin_search_paths)


def save(folder: pathlib.Path, config: str) -> None:
    """Writes the resolved configuration beside what it made."""
    with atomic.replace_file(folder / "config.gin") as temporary:
        temporary.write_text(config, encoding="utf-8")
