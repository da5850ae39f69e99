import os
import shutil
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("imported", "called"),
    [
        ("from eiw.coding import callee", "callee.helper(x)"),
        ("from eiw.coding.callee import helper", "helper(x)"),
    ],
)
def test_code_that_a_kernel_calls_is_looked_at_too(tmp_path, imported, called):
    """In a package of its own, a copy of this one as far as kernels go."""
    package = tmp_path / "eiw" / "coding"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    shutil.copy(jit.__file__, package)
    (package / "caller.py").write_text(
        f"from eiw.coding import jit\n{imported}\n@jit.jit\ndef call(x):\n    return {called}\n"
    )
    program = (
        "from eiw.coding import caller\n"
        "print(caller.call(5), sum(caller.call.stats.cache_hits.values()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": ""}
    printed = []
    for factor in (2, 2, 3):
        (package / "callee.py").write_text(
            f"from eiw.coding import jit\n@jit.jit\ndef helper(x):\n    return {factor} * x\n"
        )
        command = [sys.executable, "-P", "-c", program]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        printed.append(done.stdout.split())
    assert printed == [["10", "0"], ["10", "1"], ["15", "0"]]


def test_another_numba_is_used_without_its_cache(monkeypatch, capsys):
    njit = numba.njit
    monkeypatch.setattr(numba, "njit", lambda **options: lambda f: _NoCache(njit(nogil=True)(f)))
    monkeypatch.setattr(jit, "_warned", False)
    assert jit.jit(lambda x: 2 * x)(2) == 4
    assert "each start compiles anew" in capsys.readouterr().err


class _NoCache:
    """A compiled function without the attribute that holds a cache."""

    def __init__(self, compiled):
        self._compiled = compiled

    def __call__(self, x):
        return self._compiled(x)


@jit.jit
def _leading_zeros(number):
    return jit.leading_zeros(number)


@jit.jit
def _load_pairs(octets, pairs):
    for place in range(len(pairs)):
        pairs[place] = jit.load_pair(octets, place)


@jit.jit
def _store_word(octets, place, word):
    jit.store_word(octets, place, word)


def test_leading_zeros():
    for bits, kind in ((32, np.uint32), (64, np.uint64)):
        for number in (0, 1, 2, 3, 255, 1 << bits - 1, (1 << bits) - 1):
            assert _leading_zeros(kind(number)) == bits - number.bit_length()


def test_words_stand_anywhere():
    octets = np.arange(1, 20, dtype=np.uint8)
    pairs = np.zeros(18, np.uint64)
    _load_pairs(octets, pairs)
    assert pairs.tolist() == [low + 256 * (low + 1) for low in range(1, 19)]
    for place in range(12):
        target = np.zeros(19, np.uint8)
        _store_word(target, place, np.uint64(0x0807060504030201))
        assert target.tolist() == [0] * place + [*range(1, 9)] + [0] * (11 - place)
