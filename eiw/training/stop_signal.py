"""Stopping when asked to: what schedulers send before they kill, and Ctrl-C."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def listen() -> Iterator[list[int]]:
    """A list that SIGTERM or SIGINT fills; a second one acts as it did before.

    Only a process's main thread may listen; elsewhere the list stays empty.
    """
    received: list[int] = []
    previous: dict[int, Any] = {}

    def restore() -> None:
        while previous:
            signal.signal(*previous.popitem())

    def receive(number: int, _: object) -> None:
        received.append(number)
        restore()

    with contextlib.suppress(ValueError):
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()
