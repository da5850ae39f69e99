"""What tests/test_remote_object.py runs in another process; it has to be importable there."""

import gc
import os
import signal
import threading
import time

from eiw import errors


class Thing:
    def __init__(self, first):
        self.values = [first]
        self.pid = os.getpid()

    def add(self, value):
        self.values.append(value)
        return self.values

    def process(self):
        return self.pid, os.environ.get("EIW_TEST_REMOTE")

    def collects_garbage(self):
        return gc.isenabled()

    def wait(self, seconds):
        time.sleep(seconds)
        return "waited"

    def signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return "still here"

    def bad_input(self):
        raise errors.InputError("that was wrong: do this")

    def unpicklable_error(self):
        raise ValueError(threading.Lock())

    def die(self):
        os._exit(3)


def never(first):
    raise errors.InputError(f"no {first} here")
