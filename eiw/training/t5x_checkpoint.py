"""Checkpoints of ours as T5X's, and back: parameters, Adafactor's moments and the step.

    MODEL_DIR/checkpoint_1000/state/   Orbax: target (the parameters), state/step and
                                       state/param_states: v, v_row, v_col, m of each parameter

The network is the same module in both trainers, so parameters are moved as they are. So are second
moments, which T5X names by rows and columns and we by the longer side. What neither side has of the
other is the data position, and T5X has no random key: both begin anew.
"""

import pathlib
from typing import Any

import jax
import numpy as np
from flax import traverse_util
from orbax import checkpoint as ocp

from eiw import errors
from eiw.models import decoder
from eiw.training import checkpoint, optimizer, sharding, state

# T5X's logical factor rules call this axis of a matrix its rows, and the other its columns.
_ROW_AXIS = "embed"
_STATE = "state"


def from_t5x(folder: pathlib.Path, run_dir: pathlib.Path, model: decoder.Decoder) -> int:
    """Writes T5X's checkpoint `folder` as the first of a new run; returns its step.

    Args:
      folder: MODEL_DIR/checkpoint_STEP.
      run_dir: of the new run.
      model: the network; T5X's checkpoint does not say which it is.

    Raises:
      InputError: the run has checkpoints already.
      ArtefactError: there is no such checkpoint, or it is of another network or optimizer.
    """
    if checkpoint.steps(run_dir):
        raise errors.InputError(f"{run_dir} has checkpoints already: choose a new run folder.")
    tree = _read(folder)
    blueprint, axes = _blueprint(model)
    params, step = tree["target"], int(tree["state"]["step"])
    _check_shapes(folder, params, blueprint.shapes.params)
    t5x_moments = traverse_util.flatten_dict(tree["state"]["param_states"])

    moments = {
        (*path, ours): t5x_moments[*path, theirs]
        for path, param in traverse_util.flatten_dict(params).items()
        for ours, theirs in _moment_names(axes[path], param.shape).items()
    }
    count = np.asarray(step, np.int32)
    memory = blueprint.shapes.optimizer._replace(
        count=count, moments=traverse_util.unflatten_dict(moments)
    )
    _check_shapes(folder, memory.moments, blueprint.shapes.optimizer.moments)
    key = jax.random.key_data(jax.random.key(0))
    train_state = state.TrainState(step=count, params=params, optimizer=memory, key=key)
    checkpoint.save(run_dir, jax.device_put(train_state), model.config, {}, keep=1)
    return step


def to_t5x(run_dir: pathlib.Path, model_dir: pathlib.Path) -> pathlib.Path:
    """Writes a run's newest checkpoint as T5X's in `model_dir`; returns the checkpoint's folder.

    Raises:
      ArtefactError: the run has no whole checkpoint, or its optimizer is not Adafactor.
      InputError: T5X's checkpoint is there already.
    """
    model, _, step = checkpoint.load_model(run_dir)
    blueprint, axes = _blueprint(model)
    restored = checkpoint.restore(run_dir, blueprint)
    assert restored is not None  # load_model has found one
    train_state = jax.tree.map(np.asarray, restored[0])
    target = model_dir / f"checkpoint_{step}"
    if target.exists():
        raise errors.InputError(f"{target} is there already: move it away first.")
    param_states = {}
    for path, param in traverse_util.flatten_dict(train_state.params).items():
        ours = train_state.optimizer.moments
        for name in path:
            ours = ours[name]
        # What T5X does not keep of a parameter is one zero.
        theirs = {name: np.zeros(1, np.float32) for name in ("m", "v", "v_row", "v_col")}
        for our_name, their_name in _moment_names(axes[path], param.shape).items():
            theirs[their_name] = ours[our_name]
        param_states[path] = theirs
    content = {
        "target": train_state.params,
        "state": {
            "step": np.asarray(step, np.float32),
            "param_states": traverse_util.unflatten_dict(param_states),
        },
    }
    options = ocp.CheckpointManagerOptions(step_prefix="checkpoint", create=True)
    with ocp.CheckpointManager(model_dir.absolute(), options=options) as manager:
        manager.save(step, args=ocp.args.Composite(**{_STATE: ocp.args.PyTreeSave(content)}))
    return target


def _read(folder: pathlib.Path) -> dict[str, Any]:
    path = (folder / _STATE).absolute()
    if not path.is_dir():
        raise errors.ArtefactError(
            f"{folder} holds no checkpoint of T5X's: give MODEL_DIR/checkpoint_STEP."
        )
    try:
        with ocp.PyTreeCheckpointer() as reader:
            tree = reader.metadata(path).item_metadata.tree
            # As numpy: the devices that wrote it need not be here.
            restore_args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
            tree = reader.restore(path, restore_args=restore_args)
        tree["target"], tree["state"]["step"], tree["state"]["param_states"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise errors.ArtefactError(f"{folder} is no whole checkpoint of T5X's: {error}") from error
    return tree


def _blueprint(model: decoder.Decoder) -> tuple[state.Blueprint, dict[tuple, tuple]]:
    """The run on one device, and the logical axes of each parameter by its path."""
    mesh = sharding.make_mesh({"data": 1})
    tokens_BT = np.zeros((1, 1), np.int32)
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), tokens_BT, tokens_BT))
    axes = traverse_util.flatten_dict(sharding.parameter_axes(variables))
    return state.blueprint(model, optimizer.Adafactor(), mesh), axes


def _moment_names(names: tuple, shape: tuple) -> dict[str, str]:
    """Our name of each second moment -> T5X's."""
    dims = optimizer.moment_dims(shape, names)
    if "full" in dims:
        return {"full": "v"}
    # A moment is named by the dimension that it is NOT a mean over.
    if names[dims["column"]] == _ROW_AXIS:
        return {"row": "v_row", "column": "v_col"}
    return {"row": "v_col", "column": "v_row"}


def _check_shapes(folder: pathlib.Path, there: Any, here: Any) -> None:
    there, here = traverse_util.flatten_dict(there), traverse_util.flatten_dict(here)
    for path in sorted(set(there) | set(here), key=str):
        found = there[path].shape if path in there else "absent"
        wanted = here[path].shape if path in here else "absent"
        if found != wanted:
            raise errors.ArtefactError(
                f"{folder} is of another network or optimizer: {'/'.join(path)} is {found} there "
                f"and {wanted} here."
            )
