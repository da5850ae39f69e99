"""Lanes under models of integers: each prefix by itself, whoever is fed beside it."""

import numpy as np
import pytest

from eiw.coding import byte_model, lanes

TEXT = b"a lane goes on, or starts afresh, whenever its own text wants to"
MODELS = {
    "ngram": byte_model.NgramByteModel.fit([TEXT], order=3),
    "static": byte_model.StaticByteModel.fit([TEXT]),
}


def cdf_after(model, prefix):
    state, cdfs = model.start(1)
    for symbol in prefix:
        state, cdfs = model.advance(state, np.array([symbol]))
    return cdfs[0]


@pytest.mark.parametrize("name", MODELS)
def test_lanes_have_the_cdfs_of_states(name):
    model, generator = MODELS[name], np.random.default_rng(0)
    opened = lanes.open_lanes(model, 5)
    prefixes = [[] for _ in range(5)]
    for _ in range(60):
        chosen = generator.permutation(5)[: generator.integers(1, 6)]
        symbols = generator.choice([*TEXT, 256], len(chosen))
        fresh = np.array([not prefixes[lane] or generator.random() < 0.2 for lane in chosen])
        cdfs = opened.feed(chosen, symbols, fresh)
        assert cdfs.dtype == np.uint32
        for lane, symbol, is_fresh, row in zip(chosen, symbols, fresh, cdfs, strict=True):
            prefixes[lane] = [*([] if is_fresh else prefixes[lane]), symbol]
            np.testing.assert_array_equal(row, cdf_after(model, prefixes[lane]))
