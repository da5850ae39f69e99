import threading

import numba

from eiw.coding import jit


@jit.jit
def _spin(turns):
    """Some arithmetic that LLVM cannot fold into a formula."""
    state = turns
    for _ in range(turns):
        state = (state * 1103515245 + 12345) % 2147483648
    return state


def test_releases_the_gil():
    _spin(1)  # compiles
    thread = threading.Thread(target=_spin, args=(50_000_000,))
    thread.start()
    turns_here = 0
    while thread.is_alive():
        turns_here += 1
    # A kernel that held the GIL would leave this thread its few turns before and after.
    assert turns_here > 10_000


def test_works_without_a_cache_folder(monkeypatch, capsys):
    njit = numba.njit

    def no_cache(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", no_cache)
    monkeypatch.setattr(jit, "_warned", False)
    doubled = jit.jit(lambda x: 2 * x)
    tripled = jit.jit(lambda x: 3 * x)
    assert (doubled(2), tripled(2)) == (4, 6)
    assert capsys.readouterr().err.count("NUMBA_CACHE_DIR") == 1
