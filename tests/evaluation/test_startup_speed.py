"""The benchmark of the start: a fresh process reaches its first step, and says when."""

import importlib.util

import pytest

from eiw import errors
from eiw.evaluation import startup_speed

HAS_T5X = importlib.util.find_spec("t5x") and importlib.util.find_spec("fiddle")


@pytest.mark.slow
def test_a_start_is_timed():
    if HAS_T5X:
        found = startup_speed.measure_startup(1, seqio=False, t5x=True)
    else:
        found = startup_speed.measure_startup(1, seqio=False)
    kinds = ["token_files", *(["t5x"] if HAS_T5X else [])]
    times = {f"{kind}_{what}" for kind in kinds for what in ("s", "cpu_s")}
    assert set(found) == {"cpus", *times}
    # Importing JAX alone takes longer than this.
    assert all(found[name] > 0.5 for name in times)


@pytest.mark.slow
@pytest.mark.skipif(HAS_T5X is not None, reason="T5X is there")
def test_a_start_that_fails_says_why():
    with pytest.raises(errors.InputError, match=r"eiw\.t5x train failed; it said: .*no T5X on"):
        startup_speed.measure_startup(1, seqio=False, t5x=True)
