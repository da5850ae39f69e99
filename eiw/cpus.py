"""The CPUs of this process."""

import os


def visible() -> int:
    """CPUs that this process may run on, of all that the machine has.

    XLA's thread pool is sized by them, and float sums on CPU depend on their number.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
