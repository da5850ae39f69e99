"""CPU time of several ways to do a thing, measured in turns.

Every round measures all of them, one after another, so that whatever else the machine does hits all
alike; of several rounds the median counts. What counts is CPU time of the process, all its threads
together, so that threads are no advantage.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from eiw import garbage


def median_seconds(
    works: Sequence[Callable[[], Any]], rounds: int, advance: Callable[[int], object]
) -> list[tuple[float, Any]]:
    """Calls each of `works` once to warm up and then `rounds` times.

    Returns:
      For each the median of its CPU seconds, and what it gave at first. What it gives later is
      dropped after the clock has stopped. `advance` is called after every one, with 1.
    """
    results = []
    for work in works:
        results.append(work())
        advance(1)
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, measured in zip(works, seconds, strict=True):
            measured.append(_cpu_seconds(work))
            advance(1)
    return list(zip(map(statistics.median, seconds), results, strict=True))


def _cpu_seconds(work: Callable[[], Any]) -> float:
    gc.collect()
    with garbage.kept():
        started = time.process_time()
        result = work()
        elapsed = time.process_time() - started
    del result
    # A clock of coarse steps may see nothing of a tiny text.
    return max(elapsed, 1e-9)
