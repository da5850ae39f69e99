"""The one way in which this package compiles with numba.

Beside it, machine instructions that numba has no name for; only compiled functions can call them.
"""

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
    """How many zeros there are before the first one of a uint32 or uint64, as uint64."""

    def generate(context, builder, signature, arguments):
        count = builder.ctlz(arguments[0], context.get_constant(types.boolean, False))
        return context.cast(builder, count, number, types.uint64)

    return types.uint64(number), generate


@extending.intrinsic
def load_pair(typing_context, octets, place):
    """The two bytes of a uint8[n] from `place` on as uint64, the first one lowest.

    Nothing checks that two bytes are left.
    """

    def generate(context, builder, signature, arguments):
        source = _pointer(context, builder, octets, arguments, types.uint16)
        pair = builder.load(source, align=1)
        return context.cast(builder, pair, types.uint16, types.uint64)

    return types.uint64(octets, types.intp), generate


@extending.intrinsic
def store_word(typing_context, octets, place, word):
    """Writes a uint64 into the eight bytes of a uint8[n] from `place` on, wherever that is.

    Nothing checks that eight bytes are left.
    """

    def generate(context, builder, signature, arguments):
        target = _pointer(context, builder, octets, arguments, types.uint64)
        builder.store(arguments[2], target, align=1)
        return context.get_dummy_value()

    return types.void(octets, types.intp, types.uint64), generate


def _pointer(context, builder, octets, arguments, item_type):
    """To an item that begins at any byte of an array: arguments are the array and the place."""
    data = context.make_array(octets)(context, builder, arguments[0]).data
    pointer_type = context.get_value_type(item_type).as_pointer()
    return builder.bitcast(builder.gep(data, [arguments[1]]), pointer_type)


def _warn_once() -> None:
    global _warned
    if not _warned:
        print(
            "eiw: no folder for compiled code can be written, so each start compiles anew; "
            "set NUMBA_CACHE_DIR to a folder that can.",
            file=sys.stderr,
        )
        _warned = True
