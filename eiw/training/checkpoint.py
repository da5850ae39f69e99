"""Checkpoints: whole or absent, verified before they are believed.

    RUN/checkpoints/step_00000100/params/        Orbax: the parameters alone, for evaluation
                                  training/      Orbax: optimizer, random key and step
                                  state.json     data position, sums, network, machine
                                  manifest.json  size and sha256 of every other file

A checkpoint is written under a temporary name and renamed when it is complete, so a kill leaves
the older ones. Orbax does not notice every altered byte of an array; the manifest does.
"""

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from orbax import checkpoint as ocp

from eiw import atomic, cpus, errors
from eiw.models import config as model_config
from eiw.models import decoder
from eiw.training import hosts, state

_FORMAT_VERSION = 1
_NAME = re.compile(r"step_(\d{8,})")
# Longer than any thread of a save that has failed should last.
_THREAD_SECONDS = 10.0
# How the library below Orbax says what the system answered.
_OS_ERROR = re.compile(r"os_error_code='(\d+)'")
# Fields that change how a network is computed, not which network it is.
_FREE_FIELDS = ("dtype", "dropout_rate", "remat")

_log = logging.getLogger(__name__)


def save(
    run_dir: pathlib.Path,
    train_state: state.TrainState,
    config: model_config.DecoderConfig,
    host: dict[str, Any],
    *,
    keep: int = 2,
) -> pathlib.Path:
    """Writes the checkpoint of a step and returns its folder.

    Several hosts write one checkpoint together, on storage that they share: Orbax their arrays,
    the first one all the rest. None goes on before it is complete.

    Older ones beyond the newest `keep` are deleted, and so are any of LATER steps: training has
    gone back behind them, because they are damaged.

    Args:
      run_dir: the run's folder.
      train_state: parameters, optimizer, key and step.
      config: of the network, by which `load_model` builds it again.
      host: JSON of what the host remembers: data position, sums, times.
      keep: how many checkpoints stay.

    Raises:
      InputError: the folder cannot be written.
    """
    step = int(train_state.step)
    folder = _folder(run_dir, step)
    params, training = _parts(train_state)
    try:
        if hosts.is_first():
            for abandoned in folder.parent.glob("step_*.tmp-*"):
                shutil.rmtree(abandoned, ignore_errors=True)
        # The others write into the first host's temporary folder, and the first one waits for them
        # before it renames it.
        with _shared_folder(folder) as temporary:
            _write_arrays(temporary / "params", params)
            _write_arrays(temporary / "training", training)
            hosts.wait(f"{folder.name} is written")
            if hosts.is_first():
                content = {
                    "format_version": _FORMAT_VERSION,
                    "step": step,
                    "model": config.to_dict(),
                    "leaves": _leaves(train_state),
                    "cpus": cpus.visible(),
                    "host": host,
                }
                (temporary / "state.json").write_text(json.dumps(content, indent=1))
                manifest = json.dumps(_manifest(temporary), indent=1)
                (temporary / "manifest.json").write_text(manifest)
    except OSError as error:
        raise errors.InputError(f"Checkpoint {folder} cannot be written: {error}.") from error
    hosts.wait(f"{folder.name} is complete")
    if not hosts.is_first():
        return folder
    kept = [other for other in steps(run_dir) if other <= step][-keep:]
    for other in set(steps(run_dir)) - set(kept):
        shutil.rmtree(_folder(run_dir, other))
    return folder


def restore(
    run_dir: pathlib.Path, blueprint: state.Blueprint
) -> tuple[state.TrainState, dict[str, Any]] | None:
    """The newest whole checkpoint as (state on the blueprint's mesh, `host` of `save`).

    A damaged checkpoint is passed over with a warning that names it and its first bad file.

    Returns:
      None if there is no checkpoint at all.

    Raises:
      ArtefactError: every checkpoint is damaged, or the newest whole one is of another network or
        optimizer.
    """
    found = _newest_whole(run_dir)
    if found is None:
        return None
    folder, content = found
    _refuse_other_network(folder, content, blueprint)
    if content["cpus"] != cpus.visible():
        _log.warning(
            "%s was written with %d visible CPUs, this process sees %d: the resumed run may differ "
            "from an uninterrupted one in its last bits.",
            *(folder, content["cpus"], cpus.visible()),
        )
    params, training = _parts(blueprint.shapes)
    training = _read_arrays(folder / "training", training)
    params = _read_arrays(folder / "params", params)
    return state.TrainState(params=params, **training), content["host"]


def load_model(run_dir: pathlib.Path) -> tuple[decoder.Decoder, dict[str, Any], int]:
    """(network, parameters, step) of the newest whole checkpoint, for evaluation and export.

    The parameters are whole arrays on the default device; the optimizer is not read.

    Raises:
      ArtefactError: there is no checkpoint, or none that is whole.
    """
    found = _newest_whole(run_dir)
    if found is None:
        raise errors.ArtefactError(f"{run_dir} holds no checkpoint: train a model there first.")
    folder, content = found
    model = decoder.Decoder(model_config.DecoderConfig.from_dict(content["model"]))
    tokens_BT = jnp.zeros((1, 1), jnp.int32)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), tokens_BT, tokens_BT)["params"])
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = jax.tree.map(
        lambda shaped: jax.ShapeDtypeStruct(shaped.shape, shaped.dtype, sharding=device), shapes
    )
    return model, _read_arrays(folder / "params", shapes), content["step"]


def steps(run_dir: pathlib.Path) -> list[int]:
    """Steps of the run's checkpoints, damaged ones included, ascending."""
    folder = run_dir / "checkpoints"
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)


def _folder(run_dir: pathlib.Path, step: int) -> pathlib.Path:
    return run_dir / "checkpoints" / f"step_{step:08d}"


def _parts(train_state: state.TrainState) -> tuple[Any, dict[str, Any]]:
    """The parameters, and all the rest as a dict."""
    rest = {name: getattr(train_state, name) for name in ("step", "optimizer", "key")}
    return train_state.params, rest


@contextlib.contextmanager
def _shared_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """As `atomic.replace_folder`, of which only the first host's takes place."""
    if hosts.is_first():
        # No mark: one that is damaged may lack any file.
        with atomic.replace_folder(folder, mark=None) as temporary:
            hosts.from_first(temporary.name)
            yield temporary
    else:
        yield folder.with_name(hosts.from_first(None))


def _newest_whole(run_dir: pathlib.Path) -> tuple[pathlib.Path, dict[str, Any]] | None:
    """The first host looks, and all take the one that it finds."""
    try:
        found = _find_newest_whole(run_dir) if hosts.is_first() else None
        answer = {"folder": found[0].name, "content": found[1]} if found else {}
    except errors.ArtefactError as error:
        answer = {"error": str(error)}
    answer = hosts.from_first(answer)
    if "error" in answer:
        raise errors.ArtefactError(answer["error"])
    return (run_dir / "checkpoints" / answer["folder"], answer["content"]) if answer else None


def _find_newest_whole(run_dir: pathlib.Path) -> tuple[pathlib.Path, dict[str, Any]] | None:
    damage = None
    for step in reversed(steps(run_dir)):
        folder = _folder(run_dir, step)
        try:
            return folder, _verified(folder)
        except errors.ArtefactError as error:
            damage = error
            _log.warning("%s Passing over this checkpoint.", error)
    if damage is not None:
        raise errors.ArtefactError(
            f"No checkpoint of {run_dir} is whole: remove {run_dir / 'checkpoints'} to start over."
        ) from damage
    return None


def _verified(folder: pathlib.Path) -> dict[str, Any]:
    """Contents of state.json, after every file has been compared with the manifest.

    Raises:
      ArtefactError: a file is missing, truncated or altered, or of another format version.
    """
    manifest = _read_json(folder / "manifest.json")
    for name, (size, digest) in manifest.items():
        path = folder / name
        if not path.is_file():
            raise errors.ArtefactError(f"{path} is missing.")
        if path.stat().st_size != size:
            raise errors.ArtefactError(
                f"{path} is truncated or altered: {path.stat().st_size} bytes, not {size}."
            )
        if _sha256(path) != digest:
            raise errors.ArtefactError(f"{path} is altered: its sha256 is not the recorded one.")
    content = _read_json(folder / "state.json")
    if content.get("format_version") != _FORMAT_VERSION:
        raise errors.ArtefactError(
            f"{folder / 'state.json'} has format version {content.get('format_version')}, "
            f"this eiw reads {_FORMAT_VERSION}."
        )
    return content


def _refuse_other_network(
    folder: pathlib.Path, content: dict[str, Any], blueprint: state.Blueprint
) -> None:
    here = blueprint.model.config.to_dict()
    for name, there in content["model"].items():
        if name not in _FREE_FIELDS and here.get(name) != there:
            raise errors.ArtefactError(
                f"{folder} is of another network: its {name} is {there}, yours is "
                f"{here.get(name)}. Choose another run folder, or the same network."
            )
    there, here = content["leaves"], _leaves(blueprint.shapes)
    for name in sorted(set(there) | set(here)):
        if there.get(name) != here.get(name):
            raise errors.ArtefactError(
                f"{folder} is of another network or optimizer: {name} is "
                f"{there.get(name, 'absent')} there and {here.get(name, 'absent')} here."
            )


def _write_arrays(folder: pathlib.Path, arrays: Any) -> None:
    """Raises OSError, which Orbax hides in a ValueError, after a page of logged tracebacks."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            # Absolute: Orbax takes no relative paths.
            checkpointer.save(folder.absolute(), arrays)
    except ValueError as error:
        # Its other threads go on for a moment, and log what they meet.
        for thread in threading.enumerate():
            if type(thread).__module__.startswith("orbax."):
                # Their own `join` raises what they met.
                threading.Thread.join(thread, _THREAD_SECONDS)
        if code := _OS_ERROR.search(str(error)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(folder)) from error
        raise
    finally:
        logger.setLevel(level)


def _read_arrays(folder: pathlib.Path, shapes: Any) -> Any:
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(folder.absolute(), shapes)
    except (OSError, ValueError, KeyError) as error:
        raise errors.ArtefactError(f"{folder} cannot be read: {error}") from error


def _leaves(train_state: state.TrainState) -> dict[str, list]:
    """Per array: its shape and dtype, as JSON."""
    return {
        jax.tree_util.keystr(path): [*leaf.shape, np.dtype(leaf.dtype).name]
        for path, leaf in jax.tree_util.tree_leaves_with_path(train_state)
    }


def _manifest(folder: pathlib.Path) -> dict[str, tuple[int, str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, _sha256(path)) for path in files
    }


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise errors.ArtefactError(f"{path} is missing.") from error
    except (OSError, ValueError) as error:
        raise errors.ArtefactError(f"{path} is truncated or altered: it is no JSON.") from error
    if not isinstance(content, dict):
        raise errors.ArtefactError(f"{path} is altered: it holds no JSON object.")
    return content
