import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw.data import permutation


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
def test_every_value_comes_once(size, seed, epoch):
    order = permutation.permute(np.arange(size), size, (seed, epoch))
    np.testing.assert_array_equal(np.sort(order), np.arange(size))


@given(size=st.integers(1, 2**62), data=st.data())
def test_large_sizes_stay_in_range_and_apart(size, data):
    indices = data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True))
    order = permutation.permute(np.array(indices), size, (1,))
    assert ((order >= 0) & (order < size)).all()
    assert len(set(order.tolist())) == len(indices)


def test_each_index_on_its_own_gives_the_same():
    together = permutation.permute(np.arange(1000), 1000, (5, 2))
    alone = [permutation.permute(np.array([i]), 1000, (5, 2))[0] for i in range(1000)]
    assert together.tolist() == alone


@pytest.mark.parametrize("size", [1000, 1024, 1025])
def test_looks_random(size):
    first, second = (permutation.permute(np.arange(size), size, (0, epoch)) for epoch in (0, 1))
    for order in (first, second, second[np.argsort(first)]):
        # A random permutation has about one fixed point, and correlation ~ 1/sqrt(size).
        assert (order == np.arange(size)).sum() < 8
        assert abs(np.corrcoef(order, np.arange(size))[0, 1]) < 5 / np.sqrt(size)
        # Neighbours part: a third of the size apart on average.
        assert abs(np.abs(np.diff(order)).mean() / size - 1 / 3) < 0.05
