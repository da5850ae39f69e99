import math

import numpy as np
import pytest

from eiw import errors
from eiw.analysis import comparison
from eiw.evaluation import document_scores

SIZES = np.array([10, 30, 20])


def make_run(make_row, method="Bytes", bits=2.0, sizes=SIZES, **fields):
    chance = np.random.default_rng(fields.get("seed", 0)).normal(1, 0.01, len(sizes))
    nats = bits * math.log(2) * sizes * chance
    score = document_scores.Score(nats, np.ones(len(sizes), np.int64), sizes, "ab")
    return make_row(method, score.bits_per_byte, **fields), score


def labels(runs):
    return [group.label for group in comparison.group_runs(runs)]


def test_seeds_are_one_group_and_settings_are_several(make_row):
    runs = [
        make_run(make_row, method, seed=seed, learning_rate=rate, steps=90 + seed)
        for method in ("Bytes", "AC")
        for rate in (0.5, 1.0)
        for seed in (0, 1, 2)
    ]
    groups = comparison.group_runs(runs)
    assert [group.label for group in groups] == [
        *("Bytes (lr 0.5)", "Bytes (lr 1.0)", "AC (lr 0.5)", "AC (lr 1.0)")
    ]
    assert [[row.seed for row in group.rows] for group in groups] == [[0, 1, 2]] * 4
    assert [score.bits_per_byte for score in groups[3].scores] == [
        row.bits_per_byte for row, _ in runs[9:]
    ]


def test_a_seed_that_comes_twice_is_of_another_configuration(make_row):
    runs = [make_run(make_row, steps=steps, seed=seed) for steps in (10, 20) for seed in (0, 1)]
    assert labels(runs) == ["Bytes (steps 10)", "Bytes (steps 20)"]
    assert labels([make_run(make_row, run=run) for run in "ab"]) == [
        "Bytes (run a)",
        "Bytes (run b)",
    ]
    assert labels([make_run(make_row, size=size) for size in ("3m", "25m")]) == [
        *("Bytes (size 3m)", "Bytes (size 25m)")
    ]


def test_groups_are_compared_by_documents_and_by_seeds(make_row):
    runs = [
        make_run(make_row, method, bits, seed=seed)
        for method, bits in (("Bytes", 2.0), ("AC", 2.4))
        for seed in (0, 1, 2)
    ]
    first, second = comparison.group_runs(runs)
    pair = comparison.compare(first, second)
    assert (pair.first, pair.second) == ("Bytes", "AC")
    assert pair.by_documents.bits_per_byte == pytest.approx(-0.4, rel=0.02)
    assert pair.by_documents.degrees == 2
    assert pair.by_seeds.bits_per_byte == pytest.approx(pair.by_documents.bits_per_byte)
    assert pair.by_seeds.p_value < 1e-3
    (single,) = comparison.group_runs(runs[:1])
    assert comparison.compare(single, second).by_seeds is None


def test_other_documents_are_refused_by_name(make_row):
    runs = [make_run(make_row), make_run(make_row, "AC", sizes=SIZES[:2])]
    with pytest.raises(errors.InputError, match=r"Bytes and AC: .*different documents"):
        comparison.compare(*comparison.group_runs(runs))
