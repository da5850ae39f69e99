"""Stopping when asked to: what schedulers send before they kill, and Ctrl-C."""

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

# Schedulers and launchers signal a process and its parent, who hands it on: that is one request.
_ECHO_SECONDS = 1.0


@contextlib.contextmanager
def listen() -> Iterator[list[int]]:
    """A list that SIGTERM or SIGINT fills; a second one, a second later or more, acts as before.

    A signal that the process ignores, as Ctrl-C in a shell's background, stays ignored. Only a
    process's main thread may listen; elsewhere the list stays empty.
    """
    received: list[int] = []
    first = 0.0
    previous: dict[int, Any] = {}

    def restore() -> None:
        while previous:
            signal.signal(*previous.popitem())

    def receive(number: int, _: object) -> None:
        nonlocal first
        if not received:
            received.append(number)
            first = time.monotonic()
        elif time.monotonic() - first >= _ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    with contextlib.suppress(ValueError):
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()
