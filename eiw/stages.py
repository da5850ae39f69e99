"""Stages of a run: each is made once, in a folder of its own, and reused while its inputs stay.

Beside a stage's folder NAME, `NAME.stage.json` says what it was made from (`inputs`: settings, and
fingerprints of what it read), and, once it is whole, what came out (`outcome`). So a second run
skips what is finished, goes on with what was interrupted, and makes anew whatever its inputs no
longer match.
"""

import json
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

from eiw import atomic, errors


def run_stage(
    folder: pathlib.Path,
    description: str,
    inputs: Mapping[str, Any],
    make: Callable[[pathlib.Path], Mapping[str, Any]],
) -> dict[str, Any]:
    """Makes a stage, or finds it made.

    Args:
      folder: where the stage lives; `make` may find its own checkpoints there.
      description: what the terminal is told.
      inputs: everything the stage depends on, as JSON; other inputs make it anew.
      make: fills the folder, returns the outcome as JSON.

    Returns:
      The outcome: `make`'s, now or when it ran.

    Raises:
      InputError: the folder cannot be written, or is full of something that is no stage.
    """
    inputs = json.loads(json.dumps(inputs))  # As they will be read back: tuples become lists.
    record = _read(folder)
    if record is not None and record["inputs"] == inputs and "outcome" in record:
        _say(f"{description}: finished before, reused")
        return record["outcome"]
    if record is not None and record["inputs"] != inputs:
        changed = sorted(
            name
            for name in record["inputs"].keys() | inputs.keys()
            if record["inputs"].get(name) != inputs.get(name)
        )
        _say(f"{description}: made anew, because of another {', '.join(changed)}")
        shutil.rmtree(folder, ignore_errors=True)
    elif record is not None:
        _say(f"{description}: interrupted before, goes on")
    else:
        if folder.is_dir() and any(folder.iterdir()):
            raise errors.InputError(
                f"{folder} holds files of something else ({_record_path(folder).name} is missing): "
                "choose another output folder, or move it away."
            )
        _say(description)
    _write(folder, {"inputs": inputs})
    atomic.make_folder(folder)
    outcome = json.loads(json.dumps(make(folder)))
    _write(folder, {"inputs": inputs, "outcome": outcome})
    return outcome


def forget(folder: pathlib.Path) -> None:
    """Deletes a stage, so that it is made anew. A folder that is no stage is left alone."""
    if _read(folder) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        _record_path(folder).unlink()


def _record_path(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(f"{folder.name}.stage.json")


def _read(folder: pathlib.Path) -> dict[str, Any] | None:
    path = _record_path(folder)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["inputs"], dict):
            raise TypeError
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise errors.InputError(f"No permission to read {path}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise errors.ArtefactError(
            f"{path} is damaged: delete it and {folder}, then run again."
        ) from error
    return record


def _write(folder: pathlib.Path, record: Mapping[str, Any]) -> None:
    with atomic.replace_file(_record_path(folder)) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")


def _say(text: str) -> None:
    print(f"[eiw] {text}", file=sys.stderr, flush=True)
