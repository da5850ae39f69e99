"""The log of a run."""

import json
import resource
import struct

import pytest
from tensorboardX.proto import event_pb2

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


def events(path):
    """What TensorBoard reads of a file: records of length, its checksum, event, its checksum."""
    content, found = path.read_bytes(), []
    while content:
        (size,) = struct.unpack("<Q", content[:8])
        found.append(event_pb2.Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    return found


def test_tensorboard_gets_the_scalars_and_hides_what_comes_again(tmp_path):
    write(tmp_path, 0, [2, 4, 6])
    write(tmp_path, 4, [6])
    first, second = sorted((tmp_path / "tensorboard").iterdir())
    for path, start, steps in ((first, 1, [2, 4, 6]), (second, 5, [6])):
        version, begin, *scalars = events(path)
        assert version.file_version == "brain.Event:2"
        assert (begin.step, begin.session_log.status) == (start, event_pb2.SessionLog.START)
        assert [event.step for event in scalars] == steps
        for event in scalars:
            (value,) = event.summary.value
            assert value.tag == "loss_nats"
            assert value.simple_value == pytest.approx(1 / event.step)


def test_a_full_disk_is_named(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with metrics.MetricsLog(tmp_path, 0, 10) as log:
        log.write(1, {"loss_nats": 1.0})
        size = (tmp_path / "metrics.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(errors.InputError, match=r"Cannot write .*metrics\.jsonl: File too"):
                log.write(2, {"loss_nats": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write(tmp_path, 1, [2])
    assert logged_steps(tmp_path) == [1, 2]


def test_a_damaged_line_elsewhere_is_named(tmp_path):
    write(tmp_path, 0, [2, 4])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text().replace('"step": 2', '"stop": 2'))
    with pytest.raises(errors.ArtefactError, match=r"Line 1 of .*metrics\.jsonl is damaged"):
        write(tmp_path, 4, [6])


def test_a_budget_of_seconds_is_what_the_bar_shows(tmp_path, capsys):
    with metrics.MetricsLog(tmp_path, 0, 1_000_000, total_seconds=2.0) as log:
        log.advance(1.0)
        log.advance(5.0)
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
    assert "100%" in shown and "step=2" in shown
