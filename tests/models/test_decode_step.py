"""The cache between steps: one row alone has no axis of rows, and every way to it knows."""

import jax
import numpy as np
import pytest

from eiw.models import decode_step, host_cache

KEY, VALUE = (("layers_0", "attention", name) for name in ("cached_key", "cached_value"))
SLOTS = 6


def leaves(rows):
    """Keys [B, H, K, S] and values [B, H, S, K], no two numbers alike."""
    numbers = np.arange(rows * 2 * 3 * SLOTS, dtype=np.float32).reshape(rows, 2, 3, SLOTS)
    return {KEY: numbers, VALUE: -numbers.swapaxes(2, 3)}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for path, leaf in expected.items():
        np.testing.assert_array_equal(found[path], leaf)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_kept_leaves_get_their_rows_back(rows):
    position = ("layers_0", "attention", "cache_index")
    kept = decode_step.kept(leaves(rows) | {position: np.zeros(rows, np.int32)})
    assert {leaf.ndim for leaf in kept.values()} == {3 if rows == 1 else 4}
    assert_equal(decode_step.with_rows(kept), leaves(rows))


@pytest.mark.parametrize("numbers", [[0], [2], [1, 1], [2, 0, 1, 2]])
@pytest.mark.parametrize("rows", [1, 3])
def test_taken_rows_are_copies_of_any_number(rows, numbers):
    numbers = np.minimum(numbers, rows - 1)
    cache = jax.device_put(decode_step.kept(leaves(rows)))
    taken = decode_step.take(cache, numbers)
    expected = {path: leaf[numbers] for path, leaf in leaves(rows).items()}
    assert_equal(decode_step.with_rows(taken), expected)
    jax.tree.map(lambda leaf: leaf.delete(), taken)
    assert_equal(decode_step.with_rows(cache), leaves(rows))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 20])
def test_rows_go_to_the_host_and_back(rows, length):
    slots = min({1: 1, 3: 4, 4: 4, 5: 8, 20: 32}[length], SLOTS)
    host = host_cache.from_device(decode_step.kept(leaves(rows)), length)
    expected = {KEY: leaves(rows)[KEY][..., :slots], VALUE: leaves(rows)[VALUE][:, :, :slots]}
    assert_equal(host, expected)
    cache = decode_step.kept({path: 100 + leaf for path, leaf in leaves(rows).items()})
    written = host_cache.to_device(jax.device_put(cache), host)
    expected = {path: 100 + leaf for path, leaf in leaves(rows).items()}
    expected[KEY][..., :slots] -= 100
    expected[VALUE][:, :, :slots] -= 100
    assert_equal(decode_step.with_rows(written), expected)
