"""The log of a run."""

import json

import pytest

from eiw import errors
from eiw.training import metrics


def write(run_dir, step, steps):
    with metrics.MetricsLog(run_dir, step, 10) as log:
        for number in steps:
            log.write(number, {"loss_nats": 1.0 / number})


def logged_steps(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_a_resumed_log_takes_back_what_comes_again(tmp_path):
    write(tmp_path, 0, [2, 4, 6])
    write(tmp_path, 4, [6, 8])
    assert logged_steps(tmp_path) == [2, 4, 6, 8]


def test_a_torn_last_line_is_dropped(tmp_path):
    write(tmp_path, 0, [2, 4])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "loss')
    write(tmp_path, 4, [6])
    assert logged_steps(tmp_path) == [2, 4, 6]


def test_a_damaged_line_elsewhere_is_named(tmp_path):
    write(tmp_path, 0, [2, 4])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text().replace('"step": 2', '"stop": 2'))
    with pytest.raises(errors.ArtefactError, match=r"Line 1 of .*metrics\.jsonl is damaged"):
        write(tmp_path, 4, [6])
