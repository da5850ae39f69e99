import dataclasses
import json
import multiprocessing
import threading

import numpy as np
import pytest

from eiw import errors, rows


def make_row(**changes) -> rows.Row:
    values = {
        "kind": "m2",
        "method": "Bytes",
        "vocab_size": 256,
        "size": "tiny",
        "params": 589_824,
        "steps": 100,
        "tokens": 51_200,
        "bytes": 51_000,
        "loss_nats": 1.5,
        "bytes_per_token": 0.99,
        "bits_per_byte": 2.186,
        "flops_per_byte": 1.2e6,
        "seconds": 61.5,
        "device": "2 x CPU",
        "seed": 0,
        "corpus_sha256": "ab" * 32,
        "lossless": True,
        "eval_bytes": 9_900,
        "eval_tokens": 10_000,
    }
    return rows.Row(**values | changes)


def test_rows_come_back_as_written(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    written = [
        make_row(),
        make_row(method="é\n[v=256]", standard_error=0.01, lost_documents=3, lossless=False),
    ]
    for row in written:
        rows.append_row(path, row)
    assert rows.read_rows(path) == written
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_torn_last_line_is_dropped_with_one_warning(tmp_path, capsys, kept):
    path = tmp_path / "results.jsonl"
    rows.append_row(path, make_row())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-1][:kept])
    assert rows.read_rows(path) == [make_row()]
    assert capsys.readouterr().err.count("\n") == 1
    # The next writer starts a line of its own.
    rows.append_row(path, make_row(seed=1))
    assert [row.seed for row in rows.read_rows(path)] == [0, 1]
    assert capsys.readouterr().err == ""


def test_whole_last_line_without_newline_counts(tmp_path, capsys):
    path = tmp_path / "results.jsonl"
    rows.append_row(path, make_row())
    path.write_bytes(path.read_bytes()[:-1])
    assert len(rows.read_rows(path)) == 1
    rows.append_row(path, make_row())
    assert len(rows.read_rows(path)) == 2
    assert capsys.readouterr().err == ""


def row_json(**changes) -> str:
    return json.dumps(dataclasses.asdict(make_row()) | changes)


def without(name: str) -> str:
    values = dataclasses.asdict(make_row())
    del values[name]
    return json.dumps(values)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"method": "By', "not JSON"),
        ("[1]", "not a JSON object"),
        (row_json(colour="red"), "unknown fields colour"),
        (without("seed"), "fields missing: seed"),
        (row_json(seed=True), "seed must be a whole number"),
        (row_json(seed=None), "seed must be a whole number"),
        (row_json(seconds="9"), "seconds must be a finite number"),
        (row_json(seconds=float("nan")), "seconds must be a finite number"),
        (row_json(lossless=1), "lossless must be true or false"),
        ("\xff", "not JSON"),
    ],
)
def test_bad_middle_line_is_refused_by_file_and_line(tmp_path, line, told):
    path = tmp_path / "results.jsonl"
    rows.append_row(path, make_row())
    good = path.read_bytes()
    path.write_bytes(good + line.encode("latin-1") + b"\n" + good)
    with pytest.raises(errors.ArtefactError, match=told) as caught:
        rows.read_rows(path)
    assert f"{path}, line 2" in str(caught.value)


def test_fields_with_defaults_may_be_missing(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(without("standard_error") + "\n")
    assert rows.read_rows(path) == [make_row()]


@pytest.mark.parametrize("loss", [float("inf"), float("nan"), np.float32(1), "1", True])
def test_row_refuses_what_json_cannot_keep(loss):
    with pytest.raises(TypeError, match="loss_nats"):
        make_row(loss_nats=loss)


def test_missing_file_and_unwritable_folder_are_told(tmp_path):
    with pytest.raises(errors.ArtefactError, match=r"absent\.jsonl"):
        rows.read_rows(tmp_path / "absent.jsonl")
    with pytest.raises(errors.InputError, match="Cannot write"):
        rows.append_row(tmp_path, make_row())


def append_many(path, seed):
    for step in range(20):
        rows.append_row(path, make_row(seed=seed, steps=step))


def test_several_writers_keep_whole_lines(tmp_path):
    path = tmp_path / "results.jsonl"
    process = multiprocessing.get_context("spawn").Process(target=append_many, args=(path, 0))
    threads = [threading.Thread(target=append_many, args=(path, seed)) for seed in (1, 2)]
    for writer in (process, *threads):
        writer.start()
    for writer in (process, *threads):
        writer.join()
    found = rows.read_rows(path)
    assert len(found) == 60
    for seed in range(3):
        assert [row.steps for row in found if row.seed == seed] == list(range(20))
