"""Two forms of the same parameters; `test_decoder` checks that they compute the same."""

import jax
import numpy as np

from eiw.models import layer_stacking


def test_layers_are_stacked_by_number_and_come_back():
    # Eleven: names sort "layers_10" before "layers_2".
    layers = {f"layers_{n}": {"mlp": {"kernel": np.full((2, 3), n)}} for n in range(11)}
    unrolled = {"head": np.ones(4)} | layers
    stacked = layer_stacking.stack_layers(unrolled)
    assert stacked.keys() == {"head", "layers"}
    kernel_LDM = stacked["layers"]["mlp"]["kernel"]
    np.testing.assert_array_equal(kernel_LDM[:, 0, 0], np.arange(11))
    again = layer_stacking.unstack_layers(stacked)
    assert jax.tree.structure(again) == jax.tree.structure(unrolled)
    jax.tree.map(np.testing.assert_array_equal, again, unrolled)
    assert layer_stacking.stack_layers(stacked) is stacked
    assert layer_stacking.unstack_layers(unrolled) is unrolled
