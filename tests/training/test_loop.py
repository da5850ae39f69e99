"""Training runs as a whole: they learn, stop and go on without a trace."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest
import tiny_run

from eiw import errors
from eiw.training import checkpoint, loop, optimizer

# Logs and checkpoints fall on different steps, so that sums have to survive in between.
CONFIG = loop.TrainConfig(steps=8, log_every=5, checkpoint_every=3, keep=10, mesh={"data": 1})


def train(run_dir, source=None, evaluate=None, **changes):
    source = source or tiny_run.RandomSource()
    config = loop.TrainConfig(**(vars(CONFIG) | changes))
    return loop.train(tiny_run.tiny_model(), source, run_dir, config, evaluate=evaluate)


def logged(run_dir):
    """What metrics.jsonl says, without what depends on the clock."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if not name.endswith("_per_s")}
        for line in lines
    ]


def assert_same_state(a, b):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    source = tiny_run.RandomSource()
    return run_dir, train(run_dir, source), source.state()


class Killed(Exception):
    pass


class KilledSource(tiny_run.RandomSource):
    """Raises where a process might die: the loop can do nothing about it."""

    def next_batch(self):
        if self.index == 5:
            raise Killed
        return super().next_batch()


def test_counts_and_files(uninterrupted):
    run_dir, result, _ = uninterrupted
    assert (result.steps, result.interrupted) == (8, False)
    assert result.tokens == 8 * (tiny_run.BATCH * tiny_run.LENGTH - 3)
    assert result.steps_per_s > 0
    assert result.tokens_per_s == pytest.approx(
        result.steps_per_s * result.tokens / result.steps, rel=1e-6
    )
    assert checkpoint.steps(run_dir) == [3, 6, 8]
    config = json.loads((run_dir / "config.json").read_text())
    assert config["model"] == tiny_run.tiny_model().config.to_dict()
    assert config["train"]["optimizer"].startswith("Adafactor(learning_rate=1.0")
    assert [line["step"] for line in logged(run_dir)] == [5]
    assert logged(run_dir)[0]["loss_nats"] == result.loss_nats
    assert list((run_dir / "tensorboard").iterdir())


def test_continuing_equals_not_stopping(uninterrupted, tmp_path):
    _, want, want_position = uninterrupted
    train(tmp_path, steps=4)
    source = tiny_run.RandomSource(seed=9)  # restored, so its own position does not matter
    result = train(tmp_path, source)
    assert_same_state(result.state, want.state)
    assert logged(tmp_path) == logged(uninterrupted[0])
    assert source.state() == want_position
    assert (result.tokens, result.loss_nats) == (want.tokens, want.loss_nats)


def test_a_killed_run_goes_on_from_its_checkpoint(uninterrupted, tmp_path):
    _, want, _ = uninterrupted
    with pytest.raises(Killed):
        train(tmp_path, KilledSource(), log_every=1)
    assert checkpoint.steps(tmp_path) == [3]
    result = train(tmp_path, log_every=1)
    assert_same_state(result.state, want.state)
    # Steps that were logged after the checkpoint are not logged twice.
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_finished_run_is_not_trained_further(uninterrupted):
    run_dir, want, _ = uninterrupted
    source = tiny_run.RandomSource()
    result = train(run_dir, source)
    assert_same_state(result.state, want.state)
    assert (result.steps, result.tokens, result.steps_per_s) == (8, want.tokens, 0)
    assert result.loss_nats == want.loss_nats


def test_learns_a_repeated_batch_by_heart(tmp_path):
    result = train(
        tmp_path,
        tiny_run.RandomSource(repeat=1),
        steps=120,
        log_every=10,
        checkpoint_every=1_000,
        optimizer=optimizer.Adafactor(learning_rate=5.0),
    )
    # All rows begin alike, so which of them it is costs log(rows) at their first tokens.
    rows = tiny_run.BATCH
    least = rows * np.log(rows) / (result.tokens / result.steps)
    assert logged(tmp_path)[0]["loss_nats"] > 10 * least
    assert least <= result.loss_nats < least + 0.01


@pytest.mark.parametrize("bad_step", [1, 5])
def test_a_loss_that_is_not_finite_stops_with_its_step(tmp_path, bad_step):
    class BrokenSource(tiny_run.RandomSource):
        def next_batch(self):
            batch = super().next_batch()
            if self.index == bad_step:
                batch["decoder_input_tokens"][0, 0] = 10_000  # no such id: NaN
            return batch

    with pytest.raises(errors.InputError, match=f"Step {bad_step}: nats is nan") as caught:
        train(tmp_path, BrokenSource())
    examples = range(4 * bad_step - 4, 4 * bad_step)
    assert f"examples {', '.join(map(str, examples))} of host 0" in str(caught.value)
    assert checkpoint.steps(tmp_path) == ([] if bad_step == 1 else [3])


def test_a_budget_of_seconds_ends_the_run_with_a_checkpoint(tmp_path):
    result = train(tmp_path, steps=10**9, max_seconds=0.0)
    assert (result.steps, result.interrupted) == (0, False)
    assert checkpoint.steps(tmp_path) == [0]
    assert np.isnan(result.loss_nats)
    # The seconds so far are remembered: a later call has no new budget of its own.
    path = tmp_path / "checkpoints" / "step_00000000" / "state.json"
    spent = json.loads(path.read_text())["host"]["seconds"]
    again = train(tmp_path, steps=10**9, max_seconds=spent)
    assert (again.steps, spent > 0, again.seconds > spent) == (0, True, True)


def test_evaluates_and_logs(tmp_path):
    def evaluate(params):
        return {"bits_per_byte": float(np.mean(params["head"])) + 1}

    train(tmp_path, steps=4, log_every=2, evaluate_every=2, evaluate=evaluate)
    lines = logged(tmp_path)
    assert [line["step"] for line in lines] == [2, 2, 4, 4]
    assert ["bits_per_byte" in line for line in lines] == [False, True, False, True]


def test_traces_some_steps(tmp_path):
    train(tmp_path, steps=8, profile_steps=2)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_unusable_settings_and_folders(tmp_path):
    for name, number, least in (
        ("steps", 0, 1),
        ("log_every", 2.0, 1),
        ("microbatches", 2.0, 1),
        ("evaluate_every", -1, 0),
        ("profile_steps", -1, 0),
    ):
        match = rf"TrainConfig\.{name} is {number}: give a whole number >= {least}"
        with pytest.raises(errors.InputError, match=match):
            loop.TrainConfig(**({"steps": 1} | {name: number}))
    with pytest.raises(errors.InputError, match=r"is a class: @optimizer\.AdamW\(\) makes one"):
        loop.TrainConfig(steps=1, optimizer=optimizer.AdamW)
    with pytest.raises(errors.InputError, match=r"max_seconds is -3: give seconds, or None"):
        loop.TrainConfig(steps=1, max_seconds=-3)
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.InputError, match="a file stands in the way"):
        train(tmp_path / "file")
    if os.geteuid():  # root may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(errors.InputError, match="No permission"):
            train(tmp_path / "locked" / "run")


def test_trains_off_the_main_thread(tmp_path, uninterrupted):
    # Signals cannot be caught there; everything else works.
    results = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path)))
    thread.start()
    thread.join()
    assert_same_state(results[0].state, uninterrupted[1].state)


SIGTERM_SCRIPT = """
import pathlib, sys, time
import tiny_run
from eiw.training import loop

class SlowSource(tiny_run.RandomSource):
    def next_batch(self):
        if self.index == 3:
            print("started", flush=True)
        if self.index > 3:
            time.sleep(0.05)
        return super().next_batch()

config = loop.TrainConfig(steps=10**6, log_every=1, checkpoint_every=10**6, mesh={"data": 1})
result = loop.train(tiny_run.tiny_model(), SlowSource(), pathlib.Path(sys.argv[1]), config)
print("ended", result.interrupted, result.steps, flush=True)
"""


def test_sigterm_saves_and_ends(tmp_path):
    environment = os.environ | {
        "PYTHONPATH": str(pathlib.Path(__file__).parent),
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
    }
    with subprocess.Popen(
        [sys.executable, "-c", SIGTERM_SCRIPT, str(tmp_path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    ended, interrupted, steps = output.split()
    assert (ended, interrupted) == ("ended", "True")
    assert checkpoint.steps(tmp_path) == [int(steps)]
    assert logged(tmp_path)[-1]["step"] == int(steps)
