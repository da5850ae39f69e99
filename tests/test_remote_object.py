import os
import signal
import subprocess
import sys
import time

import pytest

from eiw import errors, remote_object


def thing(factory="remote_things:Thing"):
    return remote_object.RemoteObject(factory, "a", environment={"EIW_TEST_REMOTE": "set"})


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def shared():
    with thing() as remote:
        yield remote


def test_an_object_lives_in_another_process(shared):
    pid, variable = shared.call("process")
    assert pid != os.getpid() and variable == "set" and "remote_things" not in sys.modules
    assert shared.call("collects_garbage")
    assert shared.call("add", 1) == ["a", 1]
    assert shared.call("add", 2) == ["a", 1, 2]


def test_answers_come_to_those_who_asked(shared):
    waited, process, added = shared.ask("wait", 0.2), shared.ask("process"), shared.ask("add", 3)
    assert added.result()[-1] == 3
    assert waited.result() == "waited" and process.result()[1] == "set"
    assert waited.result() == "waited"


def test_errors_are_raised_here_and_the_object_stays(shared):
    with pytest.raises(errors.InputError) as caught:
        shared.call("bad_input")
    assert str(caught.value) == "that was wrong: do this"
    assert "remote_things.py" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="ValueError: <unlocked"):
        shared.call("unpicklable_error")
    with pytest.raises(AttributeError, match="no_such"):
        shared.call("no_such")
    assert shared.call("wait", 0) == "waited"


def test_signals_are_for_the_process_that_asks(shared):
    assert shared.call("signals") == "still here"


def test_what_cannot_be_made_says_so_to_every_call():
    with thing("remote_things:never") as remote:
        for _ in range(2):
            with pytest.raises(errors.InputError, match="no a here"):
                remote.call("add", 1)
    with thing("no_such_module:never") as remote, pytest.raises(ModuleNotFoundError):
        remote.call("add", 1)


def test_a_death_is_told():
    with thing() as remote:
        with pytest.raises(RuntimeError, match="remote_things:Thing has ended with status 3"):
            remote.call("die")
        with pytest.raises(RuntimeError, match="has ended"):
            remote.call("add", 1)


def test_closing_does_not_wait_for_work():
    with thing() as remote:
        pid = remote.call("process")[0]
        remote.ask("wait", 60)
        started = time.monotonic()
    assert time.monotonic() - started < 10 and not is_alive(pid)


@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_it_ends_with_the_process_that_made_it(end):
    script = f"""
import os, signal
from eiw import remote_object
if __name__ == "__main__":
    remote = remote_object.RemoteObject("remote_things:Thing", 1, environment={{}})
    print(remote.call("process")[0], flush=True)
    {end}
"""
    path = [os.path.dirname(__file__), *sys.path]  # noqa: PTH120
    output = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert output.returncode == (0 if end == "pass" else -signal.SIGKILL)
    pid = int(output.stdout)
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)
