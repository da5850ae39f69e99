"""The command line: help, suggestions, one line an error."""

import importlib
import io
import pathlib
import re
import subprocess
import sys

import pytest

from eiw import errors, main
from eiw.commands import report


def run(capsys, *argv):
    status = main.main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_version_is_the_packages(capsys):
    assert main.main(["--version"]) == 0
    assert re.fullmatch(r"eiw \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_lists_every_command(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(f"  {name} " in out for name in main.COMMANDS)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(capsys, name):
    status, out, err = run(capsys, name, "--help")
    assert (status, err) == (0, "")
    assert "--debug" in out.replace("--[no]", "--")
    assert f"eiw {name}" in out


def test_an_unknown_command_gets_a_suggestion(capsys):
    status, out, err = run(capsys, "smokee")
    assert (status, out) == (2, "")
    assert "did you mean `eiw smoke`?" in err


def test_an_unknown_flag_is_one_line(capsys):
    status, _, err = run(capsys, "smoke", "--outpu=x")
    assert status == 2
    assert err.count("\n") == 1
    assert "outpu" in err


def test_an_import_that_is_interrupted_is_one_line(capsys, monkeypatch):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(main.importlib, "import_module", interrupt)
    assert run(capsys, "report") == (130, "", "\neiw: interrupted\n")


@pytest.mark.parametrize("error", [errors.InputError("no\nfile"), RuntimeError("no file")])
def test_an_error_is_one_line_without_debug(capsys, monkeypatch, error):
    def fail(values):
        raise error

    monkeypatch.setattr(report, "run", fail)
    status, _, err = run(capsys, "report")
    assert status == 1
    assert err.count("\n") == 1
    assert "no file" in err
    with pytest.raises(type(error)):
        main.main(["report", "--debug"])


def test_an_output_that_lacks_a_sign_shows_another(monkeypatch):
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="ascii"))
    monkeypatch.setattr(report, "run", lambda values: print("1 ± 2"))
    assert main.main(["report"]) == 0
    assert output.getvalue().split() == [b"1", b"?", b"2"]


def test_no_output_at_all_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main.main(["--help"]) == 0


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "eiw.main", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_takes_nothing_is_one_line():
    command = [sys.executable, "-m", "eiw.main", "--help"]
    with pathlib.Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "eiw: the output cannot be written: No space left on device.\n"


def test_help_says_what_is_required_and_defaults_as_they_are_given(capsys):
    _, out, _ = run(capsys, "sweep", "--help")
    lines = " ".join(out.split())
    assert "--output: Folder of the sweep. (required)" in lines
    assert "--sizes: Names of files in gin/sizes. (default 25m)" in lines
    assert "May be repeated. (default runs/train.gin)" in lines
    assert "--tokens" in lines and lines.count("(required)") == 2


def test_an_empty_name_is_no_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "report", "--output=")
    assert (status, err) == (2, "eiw report: --output is empty; see `eiw report --help`\n")
    # Unlike a prompt: this goes on to look for the run.
    generate = ("generate", "--run=none", "--compressor=none", "--prompt=")
    status, _, err = run(capsys, *generate)
    assert status == 1
    assert "none holds no checkpoint" in err


@pytest.mark.parametrize(("name", "goes_on"), [("report", False), ("smoke", True)])
def test_an_interrupted_command_promises_what_is_true(capsys, monkeypatch, name, goes_on):
    def interrupt(values):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(f"eiw.commands.{name}"), "run", interrupt)
    status, _, err = run(capsys, name)
    assert status == 130
    assert err.startswith(f"\neiw {name}: interrupted")
    assert ("run it again to go on" in err) == goes_on
