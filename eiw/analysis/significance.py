"""Whether two scores differ by more than chance: over documents, and over seeds.

The two answer different questions. Paired over documents: would these models differ on other
documents of the same kind? Over seeds: would such models differ if they were trained again?
P-values are two-sided, and of one comparison: who makes many has to expect small ones among them.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from eiw import errors
from eiw.evaluation import document_scores


@dataclasses.dataclass(frozen=True)
class Difference:
    """First minus second, in bits/byte: negative where the first is better.

    Attributes:
      bits_per_byte: the difference.
      standard_error: of it.
      degrees: of freedom of Student's t.
      p_value: of a difference as great in either direction, if there were none.
    """

    bits_per_byte: float
    standard_error: float
    degrees: float
    p_value: float

    def __str__(self) -> str:
        """`-0.2090 ± 0.0150, p = 0.003`."""
        p_value = "p < 1e-16" if self.p_value < 1e-16 else f"p = {self.p_value:.2g}"
        return f"{self.bits_per_byte:+.4f} ± {self.standard_error:.4f}, {p_value}"


def paired_test(first: document_scores.Score, second: document_scores.Score) -> Difference:
    """Two scores of the same documents: what one pays more for each, over the bytes of all.

    The difference is a ratio of sums over documents, like bits/byte itself, so its standard error
    is a ratio's; where all documents are equally long this is the paired t-test.

    Raises:
      InputError: the documents are different ones, or fewer than two.
    """
    if not same_documents(first, second):
        raise errors.InputError(
            "These scores are of different documents: score both on the same held-out text."
        )
    count = len(first.document_bytes)
    if count < 2:
        raise errors.InputError("One document shows no spread: score at least two.")
    # Bits, for each document.
    more = (first.document_nats - second.document_nats) / math.log(2)
    difference = float(more.sum()) / first.bytes
    error = document_scores.ratio_standard_error(more, first.document_bytes)
    if error == 0:
        return _without_spread(difference, count - 1)
    p_value = 2 * float(stats.t.sf(abs(difference) / error, count - 1))
    return Difference(difference, error, count - 1, p_value)


def same_documents(first: document_scores.Score, second: document_scores.Score) -> bool:
    """Whether two scores are of one corpus, and of documents of the same bytes in one order."""
    same_corpus = first.corpus_sha256 == second.corpus_sha256
    return same_corpus and np.array_equal(first.document_bytes, second.document_bytes)


def mean_score(scores: Sequence[document_scores.Score]) -> document_scores.Score:
    """What several models of one configuration pay for each document on average.

    Raises:
      InputError: they are of different documents.
    """
    first = scores[0]
    if not all(same_documents(first, other) for other in scores):
        raise errors.InputError(
            "These seeds were scored on different documents: score all on the same held-out text."
        )
    nats = np.mean([score.document_nats for score in scores], axis=0)
    return dataclasses.replace(first, document_nats=nats)


def welch_test(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Bits/byte of two configurations, each trained with several seeds (paper: p < 0.05).

    Raises:
      InputError: fewer than two seeds on a side.
    """
    if min(len(first), len(second)) < 2:
        raise errors.InputError("Welch's t-test needs at least two seeds of each configuration.")
    difference = float(np.mean(first) - np.mean(second))
    variances = [float(np.var(side, ddof=1)) / len(side) for side in (first, second)]
    error = math.sqrt(sum(variances))
    if error == 0:
        return _without_spread(difference, len(first) + len(second) - 2)
    result = stats.ttest_ind(first, second, equal_var=False)
    return Difference(difference, error, float(result.df), float(result.pvalue))


def _without_spread(difference: float, degrees: float) -> Difference:
    """All documents, or all seeds, agree: what differs is no chance."""
    return Difference(difference, 0.0, degrees, 0.0 if difference else 1.0)
