"""Where arrays live: a mesh, and the shardings that follow from the parameters' logical axes.

One device is the small case of the same code. The mesh has three axes: `data` (batches apart,
parameters copied), `fsdp` (batches apart, parameters cut along `embed`) and `tensor` (parameters
and activations cut along heads, feed-forward and vocabulary).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import core, linen
from flax.linen import partitioning

from eiw import errors
from eiw.models import axes as model_axes

_MESH_AXES = ("data", "fsdp", "tensor")
_BATCH_AXES = ("data", "fsdp")


def make_mesh(
    shape: Mapping[str, int] | None = None, devices: Sequence[jax.Device] | None = None
) -> jax.sharding.Mesh:
    """The mesh (data, fsdp, tensor).

    Args:
      shape: sizes of the axes; `fsdp` and `tensor` are 1 if absent, `data` takes what is left.
      devices: all of JAX's by default; a smaller mesh takes the first of them, if there is but one
        host.

    Raises:
      InputError: an unknown axis, a size that is none, or more devices asked for than there are.
    """
    shape = {} if shape is None else shape
    if not isinstance(shape, Mapping) or not all(isinstance(n, int) for n in shape.values()):
        raise errors.InputError(f"The mesh is {shape!r}: give sizes of axes, as {{'fsdp': 8}}.")
    devices = jax.devices() if devices is None else devices
    if unknown := set(shape) - set(_MESH_AXES):
        raise errors.InputError(
            f"The mesh has no axis {sorted(unknown)[0]!r}: its axes are {', '.join(_MESH_AXES)}."
        )
    fixed = shape.get("fsdp", 1) * shape.get("tensor", 1)
    sizes = [shape.get("data", max(1, len(devices) // max(1, fixed)))]
    sizes += [shape.get(name, 1) for name in _MESH_AXES[1:]]
    if min(sizes) < 1:
        raise errors.InputError(f"Every axis of the mesh needs a size of at least 1, not {shape}.")
    if np.prod(sizes) > len(devices):
        raise errors.InputError(
            f"The mesh {dict(zip(_MESH_AXES, sizes, strict=True))} needs {np.prod(sizes)} devices, "
            f"and there are {len(devices)}."
        )
    if jax.process_count() > 1 and np.prod(sizes) < len(devices):
        raise errors.InputError(
            f"The mesh {dict(zip(_MESH_AXES, sizes, strict=True))} leaves some of the hosts' "
            f"{len(devices)} devices out: give one of {len(devices)}."
        )
    # Auto: the compiler places what is in between, from the constraints that the network sets.
    return jax.make_mesh(
        tuple(sizes),
        _MESH_AXES,
        axis_types=(jax.sharding.AxisType.Auto,) * len(sizes),
        devices=devices[: int(np.prod(sizes))],
    )


def parameter_axes(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Logical axis names of each parameter, from what a network's `init` returns (or its shapes).

    Returns:
      A tree of nested dicts like the parameters', whose leaves are tuples of names.
    """
    # get_axis_names gives a FrozenDict, whose structure would not match that of the parameters.
    names = core.unfreeze(partitioning.get_axis_names(variables["params_axes"]))
    return jax.tree.map(tuple, names, is_leaf=_is_spec)


def shardings(mesh: jax.sharding.Mesh, shapes: Any, axes: Any) -> Any:
    """A `NamedSharding` for every array of a tree.

    Args:
      mesh: from `make_mesh`.
      shapes: arrays or their shapes.
      axes: a tree like `shapes`, whose leaves are tuples of logical names; () is copied everywhere.

    Raises:
      InputError: a dimension that its mesh axes do not divide.
    """

    def one(path: tuple, shaped: jax.ShapeDtypeStruct, names: tuple) -> jax.NamedSharding:
        spec = linen.logical_to_mesh_axes(names, model_axes.MESH_RULES)
        sharding = jax.NamedSharding(mesh, spec)
        for dim, mesh_axes in enumerate(spec):
            parts = _parts(mesh, mesh_axes)
            if shaped.shape[dim] % parts:
                raise errors.InputError(
                    f"{jax.tree_util.keystr(path)} of shape {shaped.shape} cannot be cut into "
                    f"{parts} along {names[dim]!r}: make the mesh's {mesh_axes!r} smaller."
                )
        return sharding

    return jax.tree_util.tree_map_with_path(one, shapes, axes)


def batch_sharding(mesh: jax.sharding.Mesh) -> jax.NamedSharding:
    """Of [B, ...] arrays: rows are divided over `data` and `fsdp`."""
    return jax.NamedSharding(mesh, jax.P(_BATCH_AXES))


def put_batch(mesh: jax.sharding.Mesh, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
    """This host's rows of a batch, as global arrays on the mesh.

    Raises:
      InputError: the mesh does not divide the rows, or it does not divide them between hosts.
    """
    parts = _parts(mesh, _BATCH_AXES)
    rows = len(next(iter(batch.values()))) * jax.process_count()
    if rows % parts:
        raise errors.InputError(
            f"{rows} rows a batch cannot be divided over {parts} devices (mesh axes data, fsdp)."
        )
    target = batch_sharding(mesh)
    own = {str(index) for index in target.addressable_devices_indices_map((parts,)).values()}
    if len(own) * jax.process_count() != parts:
        raise errors.InputError(
            f"The mesh {dict(mesh.shape)} gives {jax.process_count()} hosts the same rows of a "
            "batch: make data x fsdp a multiple of the hosts."
        )
    return {
        name: jax.make_array_from_process_local_data(target, rows_BT)
        for name, rows_BT in batch.items()
    }


def _parts(mesh: jax.sharding.Mesh, mesh_axes: str | tuple[str, ...] | None) -> int:
    names = (mesh_axes,) if isinstance(mesh_axes, str) else mesh_axes or ()
    return int(np.prod([mesh.shape[name] for name in names]))


def _is_spec(x: Any) -> bool:
    return isinstance(x, jax.sharding.PartitionSpec)
