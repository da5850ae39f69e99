"""Launchers say what they do, and install nothing for it."""

import pathlib
import shlex
import subprocess

import pytest

LAUNCH = pathlib.Path(__file__).parent.parent.parent / "launch"


NAMES = sorted(path.name for path in LAUNCH.glob("*.sh") if path.name != "setup_venv.sh")


@pytest.mark.parametrize("name", NAMES)
def test_help(name, tmp_path):
    command = ["bash", str(LAUNCH / name), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith(f"Usage: bash launch/{name}")
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def dry(name, *arguments):
    """What a launcher would run."""
    command = ["bash", str(LAUNCH / name), "--dry-run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    "flags",
    [("--hosts=a,b", "--output=no/such folder"), ("--hosts", "a,b", "--output", "no/such folder")],
    ids=["equals", "blanks"],
)
def test_gpus_of_several_hosts_get_their_numbers(flags):
    lines = dry("gpu.sh", *flags, "--tokens=x")
    assert [line.split()[:3] for line in lines] == [["ssh", "a", "cd"], ["ssh", "b", "cd"]]
    for number, line in enumerate(lines):
        assert shlex.split(line)[-5:] == [
            *("--output=no/such folder", "--tokens=x"),
            *("--coordinator=a:12321", "--num_hosts=2", f"--host={number}"),
        ]
    assert not pathlib.Path("no").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("gpu.sh", "--hosts"), "gpu.sh: --hosts needs a value"),
        (("tpu_pod.sh", "--name"), "tpu_pod.sh: --name needs a value"),
        (("tpu_pod.sh", "--nam=x"), "tpu_pod.sh: no option --nam=x; see --help"),
        (("tpu_pod.sh", "--name", "x", "--", "--tokens=y"), "tpu_pod.sh: give --name, --zone and"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_one_line(command, words):
    done = subprocess.run(
        ["bash", str(LAUNCH / command[0]), "--dry-run", *command[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(words) and done.stderr.count("\n") == 1


def test_gpus_of_one_host_need_no_company(monkeypatch):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    (line,) = dry("gpu.sh", "--tokens=x", "--output=y")
    assert line.endswith("-m eiw.main train --tokens=x --output=y ")


def test_tasks_of_slurm_find_each_other(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    (line,) = dry("gpu.sh", "--tokens=x", "--output=y")
    assert line.endswith("--distributed ")


def test_a_tpu_slice_is_made_filled_started_and_deleted():
    lines = dry(
        *("tpu_pod.sh", "--name=n", "--zone", "z", "--bucket=b", "--spot", "--delete", "--"),
        *("--tokens=bucket/x", "--gin.NAME='a b'"),
    )
    verbs = ["create", "archive", "scp", "ssh", "ssh", "ssh", "ssh", "delete"]
    for line, verb in zip(lines, verbs, strict=True):
        assert f" {verb} " in line
    assert "--spot" in lines[0]
    assert all("--worker=all" in line for line in lines[2:7])
    assert "--distributed" in lines[6]


@pytest.mark.parametrize(
    ("command", "method", "words"),
    [
        (("beam.sh",), "", "beam.sh: give --tasks and --output_cache_dir"),
        (("compression_table.sh", "m1", "corpus"), "", "compression_table.sh: give M1, CORPUS and"),
        (("compression_table.sh", "m1", "corpus", "out"), "ac_v257", "no method ac_v257"),
        (("m1_for_windows.sh", "text"), "", "m1_for_windows.sh: give TEXT and OUTPUT"),
        (("sweep.sh",), "", "sweep.sh: give --tokens and --output"),
    ],
    ids=str,
)
def test_missing_arguments_are_no_success(command, method, words, tmp_path, monkeypatch):
    monkeypatch.setenv("METHODS", method)
    done = subprocess.run(
        ["bash", str(LAUNCH / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_dry_run_may_be_spelt_as_eiw_spells_it():
    """Else it would begin to install, or to train."""
    command = ["bash", str(LAUNCH / "gpu.sh"), "--dry_run", "--hosts=a,b", "--tokens=x"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "dry" not in done.stdout and done.stdout.count("\n") == 2
