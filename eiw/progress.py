"""One progress bar for every long stage: what, how far, how fast, how long still."""

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

Item = TypeVar("Item")

# tqdm's own is a semaphore of the system, for bars of several processes, and stays behind when a
# process is killed.
tqdm.tqdm.set_lock(threading.RLock())


def bar(description: str, total: float | None = None, unit: str = "it") -> tqdm.tqdm:
    """A progress bar on stderr, with rate and time left; advance it with `.update(n)`.

    Large counts are scaled (12.3 MB). Where stderr is no terminal, a line comes every 10 seconds
    instead of ten a second, so that logs stay readable.
    """
    return tqdm.tqdm(
        desc=description,
        total=total,
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=True,
    )


def track(
    items: Iterable[Item], description: str, total: int | None = None, unit: str = "it"
) -> Iterator[Item]:
    """Yields `items` under a progress bar (see `bar`); `total` defaults to `len(items)`."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    with bar(description, total, unit) as progress:
        for item in items:
            yield item
            progress.update(1)
