"""Launchers say what they do, and install nothing for it."""

import pathlib
import subprocess

import pytest

LAUNCH = pathlib.Path(__file__).parent.parent.parent / "launch"


@pytest.mark.parametrize(
    "name", ["beam.sh", "compression_table.sh", "m1_for_windows.sh", "smoke.sh"]
)
def test_help(name, tmp_path):
    command = ["bash", str(LAUNCH / name), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith(f"Usage: bash launch/{name}")
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())
