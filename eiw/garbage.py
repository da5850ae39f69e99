"""Python's search for garbage, and when it is in the way."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Nobody looks for garbage until the block ends.

    For work that makes very many objects which stay, as importing does: to look among them again
    and again takes up to a third of the time. And JAX is called at each search: a Ctrl-C that comes
    just then is lost.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
