"""Methods compared on the same documents, from rows and the documents' scores of their runs."""

import dataclasses
from collections.abc import Callable, Sequence

from eiw import errors
from eiw import rows as rows_lib
from eiw.analysis import significance, tables
from eiw.evaluation import document_scores

Run = tuple[rows_lib.Row, document_scores.Score]


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one configuration, which differ in their seeds alone.

    Attributes:
      label: method, and what else tells it from the others.
      rows: of the runs.
      scores: of the same runs.
    """

    label: str
    rows: Sequence[rows_lib.Row]
    scores: Sequence[document_scores.Score]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two groups against each other.

    Attributes:
      first: label of one.
      second: label of the other.
      by_documents: on the same documents, seeds averaged.
      by_seeds: Welch's t-test; None where either has one seed only.
    """

    first: str
    second: str
    by_documents: significance.Difference
    by_seeds: significance.Difference | None


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Puts runs together that differ in their seeds alone, in the order in which they come.

    What a run cannot choose (seconds, device, commit) plays no part. Where a seed comes twice,
    something else is different: the steps, or what rows do not tell, and each run is by itself.
    """
    parts = _part(runs, _configuration)
    # By steps, then each row by itself.
    for key_of in (lambda row: row.steps, id):
        parts = [
            part
            for members in parts
            for part in ([members] if _seeds_differ(members) else _part(members, key_of))
        ]
    firsts = [members[0][0] for members in parts]
    return [
        Group(_label(members[0][0], firsts), *map(list, zip(*members, strict=True)))
        for members in parts
    ]


def compare(first: Group, second: Group) -> Pair:
    """Tests two groups against each other.

    Raises:
      InputError: their documents are different ones, or fewer than two; it names the groups.
    """
    try:
        by_documents = significance.paired_test(
            significance.mean_score(first.scores), significance.mean_score(second.scores)
        )
    except errors.InputError as error:
        raise errors.InputError(f"{first.label} and {second.label}: {error}") from error
    by_seeds = None
    if min(len(first.rows), len(second.rows)) > 1:
        by_seeds = significance.welch_test(
            *([score.bits_per_byte for score in group.scores] for group in (first, second))
        )
    return Pair(first.label, second.label, by_documents, by_seeds)


def _part(runs: Sequence[Run], key_of: Callable[[rows_lib.Row], object]) -> list[list[Run]]:
    parts: dict[object, list[Run]] = {}
    for run in runs:
        parts.setdefault(key_of(run[0]), []).append(run)
    return list(parts.values())


def _seeds_differ(runs: Sequence[Run]) -> bool:
    return len({row.seed for row, _ in runs}) == len(runs)


def _configuration(row: rows_lib.Row) -> tuple:
    return (
        *(row.kind, row.method, row.variant, row.m1_fingerprint, row.size, row.params),
        *(row.learning_rate, row.corpus_sha256),
    )


def _label(row: rows_lib.Row, rows: Sequence[rows_lib.Row]) -> str:
    """The method, and each setting in which others of its name differ."""
    label = tables.series_label(row, rows)
    others = [other for other in rows if tables.series_label(other, rows) == label]
    settings = {
        "size": lambda each: each.size,
        "lr": lambda each: each.learning_rate,
        "steps": lambda each: each.steps,
        "M1": lambda each: each.m1_fingerprint[:8],
        "corpus": lambda each: each.corpus_sha256[:8],
    }
    if not any(_differ(others, value_of) for value_of in settings.values()):
        settings = {"run": lambda each: each.run}
    parts = [
        f"{name} {value_of(row)}"
        for name, value_of in settings.items()
        if _differ(others, value_of)
    ]
    return f"{label} ({', '.join(parts)})" if parts else label


def _differ(rows: Sequence[rows_lib.Row], value_of: Callable[[rows_lib.Row], object]) -> bool:
    return len({value_of(row) for row in rows}) > 1
