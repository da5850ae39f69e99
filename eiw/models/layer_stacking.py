"""Parameters of scanned layers and of unrolled ones: the same numbers under other paths.

Scanned: "layers/..." with an axis of layers before all others. Unrolled: "layers_0/...",
"layers_1/...". Training scans (one layer to compile); decoding one token at a time unrolls, since a
scan copies the whole cache at every step.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_SCANNED = "layers"
_UNROLLED = "layers_"


def stack_layers(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters (numpy or JAX arrays) for `scan_layers=True`, from either form."""
    count = sum(name.startswith(_UNROLLED) for name in params)
    if not count:
        return params
    rest = {name: tree for name, tree in params.items() if not name.startswith(_UNROLLED)}
    # By number: names sort "layers_10" before "layers_2".
    layers = [params[f"{_UNROLLED}{number}"] for number in range(count)]
    return rest | {_SCANNED: jax.tree.map(_stack, *layers)}


def unstack_layers(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters (numpy or JAX arrays) for `scan_layers=False`, from either form."""
    if _SCANNED not in params:
        return params
    unrolled = {name: tree for name, tree in params.items() if name != _SCANNED}
    stacked = params[_SCANNED]
    for number in range(jax.tree.leaves(stacked)[0].shape[0]):
        unrolled[f"{_UNROLLED}{number}"] = jax.tree.map(lambda leaf, n=number: leaf[n], stacked)
    return unrolled


def _stack(*leaves: np.ndarray | jax.Array) -> np.ndarray | jax.Array:
    return (np if isinstance(leaves[0], np.ndarray) else jnp).stack(leaves)
