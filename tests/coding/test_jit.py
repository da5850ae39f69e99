import threading

import numba
import numpy as np

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
