import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eiw.coding import cdf

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=30)
FLOATS = st.sampled_from([np.float16, np.float32, np.float64])


def check(result, shape, precision):
    assert result.dtype == np.uint32
    assert result.shape == (*shape[:-1], shape[-1] + 1)
    assert (result[..., 0] == 0).all()
    assert (result[..., -1] == 1 << precision).all()
    assert (np.diff(result.astype(np.int64), axis=-1) >= 1).all()


@given(FLOATS.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES, elements=st.floats(0, 1, width=16))))
def test_probabilities_of_any_float(probabilities):
    probabilities[..., 0] += np.asarray(0.5, probabilities.dtype)
    check(cdf.cdf_from_probabilities(probabilities), probabilities.shape, 14)


@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 2**62)), st.integers(5, 30))
def test_counts_of_any_size(counts, precision):
    counts[..., -1] += 1
    check(cdf.cdf_from_weights(counts, precision), counts.shape, precision)


@given(hnp.arrays(np.int64, st.just((5, 7)), elements=st.integers(1, 2**62)))
def test_rows_do_not_see_each_other(counts):
    together = cdf.cdf_from_weights(counts)
    for row, alone in zip(together, counts, strict=True):
        assert (row == cdf.cdf_from_weights(alone)).all()


@given(hnp.arrays(np.int64, st.just(257), elements=st.integers(0, 1000)))
def test_rule_in_32_bits(counts):
    # What a device without 64-bit integers computes, for weights from probabilities.
    counts[3] += 1
    probabilities = counts / counts.sum()
    weights = np.rint(probabilities * 2**cdf.WEIGHT_BITS).astype(np.uint32)
    sums = np.cumsum(weights, dtype=np.uint32)
    assert int(sums[-1]) * (2**14 - 257) < 2**32
    expected = np.arange(1, 258, dtype=np.uint32) + sums * np.uint32(2**14 - 257) // sums[-1]
    assert (cdf.cdf_from_probabilities(probabilities)[1:] == expected).all()


def test_as_many_symbols_as_counts():
    assert (cdf.cdf_from_weights(np.arange(8), 3) == np.arange(9)).all()
    with pytest.raises(ValueError, match="do not fit"):
        cdf.cdf_from_weights(np.ones(9, int), 3)


def test_integers_close_to_probabilities():
    probabilities = np.random.default_rng(0).dirichlet(np.full(257, 0.1), 50)
    held = np.diff(cdf.cdf_from_probabilities(probabilities).astype(np.int64), axis=-1)
    # One count in 2^14 to each symbol, the rest in proportion, rounded by less than one count.
    expected = 1 + probabilities * (2**14 - 257)
    assert np.abs(held - expected).max() < 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1e6])
def test_no_probabilities(bad):
    with pytest.raises(ValueError, match="probabilities"):
        cdf.cdf_from_probabilities(np.array([0.5, bad], np.float32))


@pytest.mark.parametrize("bad", [[0, 0], [1, -1]])
def test_no_weights(bad):
    with pytest.raises(ValueError, match="weights"):
        cdf.cdf_from_weights(np.array(bad))
