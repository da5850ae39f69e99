"""The one way in which this package compiles with numba.

Beside it, machine instructions that numba has no name for; only compiled functions can call them.
"""

import functools
import hashlib
import pathlib
import sys
import types as python_types
from collections.abc import Callable

import numba
from numba import extending, types

_warned = False


def jit(function: Callable) -> Callable:
    """Compiles `function` with numba: no Python objects, GIL released, machine code cached on disk.

    The cache saves seconds at every start, but numba refuses to make one where neither the source
    folder nor the home folder can be written (a read-only install in a container). Then the
    function is compiled anew in each process, and one line on stderr says so once.

    numba compiles anew what stands in a file that has changed. It does not look at the functions
    that a kernel calls, and would go on with their old code: so the stamp of a cached kernel is
    that of its file and of all files of this package that it imports.
    """
    try:
        compiled = numba.njit(nogil=True, cache=True)(function)
        compiled._cache._cache_file._source_stamp = _digest(function.__module__)
        return compiled
    except RuntimeError:
        _warn_once(
            "no folder for compiled code can be written, so each start compiles anew; "
            "set NUMBA_CACHE_DIR to a folder that can."
        )
    except AttributeError:
        _warn_once(f"numba {numba.__version__} has other caches, so each start compiles anew.")
    return numba.njit(nogil=True)(function)


@functools.cache
def _digest(module: str) -> str:
    """Of the source of a module and of all that it imports from this package."""
    digest = hashlib.sha256()
    for name in sorted(_imported(module, set())):
        digest.update(pathlib.Path(sys.modules[name].__file__).read_bytes())
    return digest.hexdigest()


def _imported(module: str, found: set[str]) -> set[str]:
    """Adds a module, and what it imports from this package, to those that were found."""
    found.add(module)
    package = __name__.partition(".")[0]
    modules = [
        value.__name__
        if isinstance(value, python_types.ModuleType)
        else str(getattr(value, "__module__", ""))
        for value in vars(sys.modules[module]).values()
    ]
    for name in modules:
        if name.partition(".")[0] == package and name not in found:
            _imported(name, found)
    return found


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


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        print(f"eiw: {reason}", file=sys.stderr)
        _warned = True
