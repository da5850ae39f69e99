import math

import numpy as np
import pytest
from scipy import stats

from eiw import errors
from eiw.analysis import significance
from eiw.evaluation import document_scores


def make_score(bits, num_bytes, corpus="ab") -> document_scores.Score:
    nats, tokens = np.array(bits, float) * math.log(2), np.ones(len(bits), np.int64)
    return document_scores.Score(nats, tokens, np.array(num_bytes), corpus)


def test_documents_of_one_length_make_the_paired_t_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(2_000, 100, (2, 30))
    found = significance.paired_test(
        make_score(first, [1_000] * 30), make_score(second, [1_000] * 30)
    )
    known = stats.ttest_rel(first / 1_000, second / 1_000)
    assert found.p_value == pytest.approx(known.pvalue, rel=1e-9)
    assert found.degrees == known.df == 29
    assert found.bits_per_byte == pytest.approx((first - second).mean() / 1_000)
    assert found.standard_error == pytest.approx(found.bits_per_byte / known.statistic)


def test_a_paired_difference_is_that_of_the_scores():
    first, second = make_score([20, 5, 9], [10, 3, 4]), make_score([10, 6, 6], [10, 3, 4])
    found = significance.paired_test(first, second)
    assert found.bits_per_byte == pytest.approx(first.bits_per_byte - second.bits_per_byte)
    swapped = significance.paired_test(second, first)
    assert swapped.bits_per_byte == pytest.approx(-found.bits_per_byte)
    assert swapped.p_value == pytest.approx(found.p_value)


def simulated(rng, gain: float, count: int = 100):
    """Two models on documents of very different lengths, some of which are hard for both."""
    sizes = rng.lognormal(7, 0.8, count).astype(np.int64) + 1
    hard = rng.normal(2, 0.5, count)
    one, other = (sizes * (hard + rng.normal(0, 0.05, count)) for _ in range(2))
    return make_score(one, sizes), make_score(other - gain * sizes, sizes)


def test_p_values_are_uniform_where_nothing_differs():
    rng = np.random.default_rng(1)
    p_values = [significance.paired_test(*simulated(rng, 0)).p_value for _ in range(2_000)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    # Two standard errors of a share of 5%.
    assert 0.04 < np.mean(np.array(p_values) < 0.05) < 0.06


def test_pairs_find_what_errors_of_each_score_hide():
    first, second = simulated(np.random.default_rng(2), gain=0.05)
    found = significance.paired_test(first, second)
    assert found.bits_per_byte == pytest.approx(0.05, abs=0.03)
    assert found.p_value < 1e-3
    assert found.standard_error < 0.3 * first.standard_error


def test_what_is_alike_is_no_difference():
    score = make_score([20, 5], [10, 3])
    assert significance.paired_test(score, score) == significance.Difference(0, 0, 1, 1)
    # Exactly one bit a byte more, in every document.
    more = make_score([30, 8], [10, 3])
    assert significance.paired_test(more, score).p_value < 1e-12


@pytest.mark.parametrize(
    "other",
    [make_score([1, 2], [10, 4]), make_score([1, 2], [3, 10]), make_score([1, 2], [10, 3], "cd"),
     make_score([1], [10])],
    ids=["lengths", "order", "corpus", "number"],
)  # fmt: skip
def test_other_documents_are_refused(other):
    score = make_score([20, 5], [10, 3])
    for make in (
        lambda: significance.paired_test(score, other),
        lambda: significance.mean_score([score, other]),
    ):
        with pytest.raises(errors.InputError, match="different documents"):
            make()


def test_one_document_is_too_few():
    with pytest.raises(errors.InputError, match="at least two"):
        significance.paired_test(make_score([20], [10]), make_score([5], [10]))


def test_seeds_are_averaged_by_document():
    found = significance.mean_score([make_score([20, 5], [10, 3]), make_score([10, 7], [10, 3])])
    np.testing.assert_allclose(found.document_nats, np.array([15, 6]) * math.log(2))


def test_welch_is_scipys():
    first, second = [1.472, 1.466, 1.481, 1.47], [1.251, 1.249, 1.262]
    found = significance.welch_test(first, second)
    known = stats.ttest_ind(first, second, equal_var=False)
    assert found.p_value == known.pvalue < 1e-5
    assert found.bits_per_byte == pytest.approx(np.mean(first) - np.mean(second))
    assert found.bits_per_byte / found.standard_error == pytest.approx(known.statistic)
    assert found.degrees == pytest.approx(known.df)
    assert significance.welch_test([1.0, 1.0], [1.0, 1.0]).p_value == 1
    assert significance.welch_test([1.0, 1.0], [2.0, 2.0]).p_value == 0
    with pytest.raises(errors.InputError, match="at least two seeds"):
        significance.welch_test([1.0], [2.0, 3.0])


def test_a_difference_in_words():
    assert (
        str(significance.Difference(-0.20904, 0.015, 9, 0.00312)) == "-0.2090 ± 0.0150, p = 0.0031"
    )
    assert str(significance.Difference(0.2, 0.001, 9, 1e-20)) == "+0.2000 ± 0.0010, p < 1e-16"
