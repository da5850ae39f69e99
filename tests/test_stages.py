"""Stages: made once, reused, resumed, made anew when an input changes."""

import json

import pytest

from eiw import errors, stages


def count_calls(calls):
    def make(folder):
        calls.append(sorted(path.name for path in folder.iterdir()))
        (folder / "product").write_text(str(len(calls)))
        return {"calls": len(calls)}

    return make


def test_a_finished_stage_is_reused(tmp_path):
    calls = []
    for _ in range(2):
        outcome = stages.run_stage(tmp_path / "a", "a", {"x": (1, 2)}, count_calls(calls))
        assert outcome == {"calls": 1}
    assert len(calls) == 1


def test_other_inputs_make_it_anew(tmp_path):
    calls = []
    stages.run_stage(tmp_path / "a", "a", {"x": 1}, count_calls(calls))
    outcome = stages.run_stage(tmp_path / "a", "a", {"x": 2}, count_calls(calls))
    assert outcome == {"calls": 2}
    assert "product" not in calls[1]


def test_an_interrupted_stage_finds_what_it_left(tmp_path):
    def killed(folder):
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stages.run_stage(tmp_path / "a", "a", {"x": 1}, killed)
    calls = []
    stages.run_stage(tmp_path / "a", "a", {"x": 1}, count_calls(calls))
    assert "checkpoint" in calls[0]


def test_a_forgotten_stage_is_made_anew(tmp_path):
    calls = []
    stages.run_stage(tmp_path / "a", "a", {}, count_calls(calls))
    stages.forget(tmp_path / "a")
    assert stages.run_stage(tmp_path / "a", "a", {}, count_calls(calls)) == {"calls": 2}


def test_files_of_somebody_else_are_never_deleted(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(errors.InputError, match=r"stage\.json is missing"):
        stages.run_stage(tmp_path, "a", {}, count_calls([]))
    stages.forget(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "a.stage.json").write_text(json.dumps([1]))
    with pytest.raises(errors.ArtefactError, match=r"stage\.json is damaged"):
        stages.run_stage(tmp_path / "a", "a", {}, count_calls([]))
