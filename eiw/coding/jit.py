"""The one way in which this package compiles with numba."""

import sys
from collections.abc import Callable

import numba
from numba import extending, types

_warned = False


def jit(function: Callable) -> Callable:
    """Compiles `function` with numba: no Python objects, GIL released, machine code cached on disk.

    The cache saves seconds at every start, but numba refuses to make one where neither the source
    folder nor the home folder can be written (a read-only install in a container). Then the
    function is compiled anew in each process, and one line on stderr says so once.

    numba notices a change of the file that a cached function stands in, not of the functions that
    it calls: a helper shared by several kernels belongs in the file of the kernels.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        _warn_once()
        return numba.njit(nogil=True)(function)


@extending.intrinsic
def leading_zeros(typing_context, number):
    """How many zeros there are before the first one of a uint32 or uint64, as uint64.

    One instruction, which numba has no name for. Only compiled functions can call it.
    """

    def generate(context, builder, signature, arguments):
        count = builder.ctlz(arguments[0], context.get_constant(types.boolean, False))
        return context.cast(builder, count, number, types.uint64)

    return types.uint64(number), generate


def _warn_once() -> None:
    global _warned
    if not _warned:
        print(
            "eiw: no folder for compiled code can be written, so each start compiles anew; "
            "set NUMBA_CACHE_DIR to a folder that can.",
            file=sys.stderr,
        )
        _warned = True
