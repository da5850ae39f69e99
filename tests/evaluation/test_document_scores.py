import dataclasses
import math

import numpy as np
import pytest

from eiw import errors
from eiw.evaluation import document_scores


def make_score(nats, num_bytes, **facts) -> document_scores.Score:
    tokens = np.ones(len(nats), np.int64)
    return document_scores.Score(np.array(nats), tokens, np.array(num_bytes), **facts)


def test_standard_error_by_hand():
    # The ratio is 1 nat a byte; two documents are off by one nat each.
    score = make_score([11.0, 29.0], [10, 30])
    assert score.standard_error == pytest.approx(math.sqrt(2 * 2) / 40 / math.log(2))
    assert make_score([10.0, 30.0, 2.0], [10, 30, 2]).standard_error == 0
    assert make_score([10.0], [10]).standard_error is None


def test_standard_error_is_the_spread_of_repeated_draws():
    rng = np.random.default_rng(0)
    sizes = rng.integers(50, 5_000, (400, 200))
    nats = sizes * rng.normal(1.5, 0.2, sizes.shape) + 3
    scores = [make_score(*draw) for draw in zip(nats, sizes, strict=True)]
    spread = np.std([score.bits_per_byte for score in scores])
    assert np.mean([score.standard_error for score in scores]) == pytest.approx(spread, rel=0.1)


def test_what_is_saved_comes_back(tmp_path):
    score = make_score([0.1, 1e300], [3, 4], corpus_sha256="ab", length=8, stride=2)
    path = document_scores.save(tmp_path / "scores", score)
    ((stride, found),) = document_scores.load(tmp_path / "scores").items()
    assert stride == 2
    for field in dataclasses.fields(score):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(score, field.name))
    assert found.document_nats.dtype == np.float64
    before = path.read_bytes()
    document_scores.save(tmp_path / "scores", score)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_scores_are_found_by_their_stride(tmp_path):
    assert document_scores.load(tmp_path / "none") == {}
    for stride in (32, 8, 4):
        document_scores.save(tmp_path, make_score([1.0], [1], length=32, stride=stride))
    (tmp_path / "stride_x.npz").touch()
    found = document_scores.load(tmp_path)
    assert list(found) == [None, 4, 8]
    assert [score.stride for score in found.values()] == [32, 4, 8]


def test_damaged_files_are_named(tmp_path):
    path = document_scores.save(tmp_path, make_score([1.0, 2.0], [1, 2]))
    assert path == tmp_path / "plain.npz"
    content = path.read_bytes()
    for damaged in (b"", content[:40], content[:-30], b"text", content.replace(b"nats", b"tans")):
        path.write_bytes(damaged)
        with pytest.raises(errors.ArtefactError, match=r"plain.npz is damaged.*evaluate bits"):
            document_scores.load(tmp_path)
    arrays = {"document_nats": np.ones(2), "document_tokens": np.ones(3), "document_bytes": 1}
    np.savez(path, **arrays, corpus_sha256="", length=1, stride=1)
    with pytest.raises(errors.ArtefactError, match=r"plain.npz is damaged: .*differ in number"):
        document_scores.load(tmp_path)
