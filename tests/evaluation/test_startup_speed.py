"""The benchmark of the start: a fresh process reaches its first step, and says when."""

import pytest

from eiw.evaluation import startup_speed


@pytest.mark.slow
def test_a_start_is_timed():
    found = startup_speed.measure_startup(1, seqio=False)
    assert set(found) == {"cpus", "token_files_s", "token_files_cpu_s"}
    # Importing JAX alone takes longer than this.
    assert found["token_files_s"] > 0.5 < found["token_files_cpu_s"]
