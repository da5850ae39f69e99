"""Ways on where codes are pieces of a stream of bits.

The codes of all texts that begin with a prompt are then ranges of numbers between 0 and 1, whose
digits the codes are. Of AC's it is one, the interval that the coder has reached:

    codes of 2 bits     least                                 greatest
    first code      00    |  01 ........ any ........ 10     |      11      ends: none of the four
    second                [- 01 any 11                      00 -]           behind 00 and behind 11

A code all of which lies in the range covers the prompt; one of which a part does is a fork; behind
it only the range's own end is left, so there are two lines of forks at most, as long as the ends
have digits that differ.
"""

from collections.abc import Sequence

import numpy as np

from eiw.coding import bits
from eiw.compressors import equal_info, forward_stream, lazy_windows
from eiw.inference import code_texts, ways

# The least and the greatest digits of a range, uint8[n] of each, any n; zeros follow the one and
# ones the other.
Range = tuple[np.ndarray, np.ndarray]
_NOTHING = (np.zeros(0, np.uint8), np.zeros(0, np.uint8))
# The same in codes behind a fork; None where the range goes on past all codes there.
_Edges = tuple[tuple[int, ...] | None, tuple[int, ...] | None]


class BlockWays:
    """Of block streams that are written forwards: AC, Huffman, Equal-Text.

    Args:
      compressor: the stream.
    """

    approximation = ""

    def __init__(self, compressor: forward_stream.ForwardStream) -> None:
        self.alignment = compressor.block_bytes
        self._compressor = compressor

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`; forks deeper than `room` weigh next to nothing and are left out.

        Nor does the network read codes of earlier blocks where those of the last one fill its room.
        """
        size = self._compressor.block_bytes
        start = max(0, len(prompt) - 1) // size * size
        # The last block is decoded with what follows, whole or not: a delimiter may be next.
        bounds = self._compressor.bounds(prompt[start:]) if prompt else _NOTHING
        token_bits, num_codes = self._compressor.token_bits, self._compressor.vocab_size
        sure, forks = forks_of_ranges([bounds], token_bits, num_codes, room)
        if prompt and len(prompt) % size == 0 and self._compressor.delimiter is not None:
            # Nothing of the block is left: another one follows, or the text ends.
            forks[-1].ends[: self._compressor.delimiter] = False
        front = []
        if start and len(sure) < room:
            front = self._compressor.closed(prompt[:start]).tolist()
        return ways.Ways([*front, *sure], forks, len(front), len(prompt) - start)


class WindowWays:
    """Of windows of a number of bits that codes need not end with, and whose M1 is at hand.

    Args:
      compressor: the windows.
    """

    alignment = 1

    def __init__(self, compressor: equal_info.EqualInfoWindows | lazy_windows.LazyWindows) -> None:
        self._compressor = compressor
        self.approximation = "" if compressor.lossless else ways.LOSSY

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        ranges, starts = self._compressor.bounds(prompt)
        settings = self._compressor.format
        num_codes = self._compressor.vocab_size
        sure, forks = forks_of_ranges(ranges, settings.token_bits, num_codes, room)
        group = code_texts.codes_a_group(self._compressor)
        fresh = len(sure) // group * group if group else 0
        windows = fresh * settings.token_bits // settings.window_bits
        return ways.Ways(sure, forks, fresh, len(prompt) - [*starts, len(prompt)][windows])


def forks_of_ranges(
    ranges: Sequence[Range], token_bits: int, num_codes: int, room: int
) -> tuple[list[int], list[ways.Fork]]:
    """The codes that all numbers in some ranges begin with, and the forks behind them.

    Args:
      ranges: that do not meet.
      token_bits: of a code.
      num_codes: C, at least 2^token_bits; what is more is in no range.
      room: how deep forks may lie.
    """
    edges = [
        tuple(_codes(digits, bit, token_bits) for bit, digits in enumerate(bounds))
        for bounds in ranges
    ]
    num_sure = ways.num_shared([codes for pair in edges for codes in pair])
    forks: list[ways.Fork] = []
    rests = [(least[num_sure:], greatest[num_sure:]) for least, greatest in edges]
    _grow(forks, -1, -1, rests, (1 << token_bits, num_codes, room))
    return list(edges[0][0][:num_sure]), forks


def _codes(digits: np.ndarray, following: int, token_bits: int) -> tuple[int, ...]:
    """Digits as codes, the last one filled up by those that follow."""
    whole = np.pad(digits, (0, -len(digits) % token_bits), constant_values=following)
    return tuple(bits.bits_to_tokens(whole, token_bits).tolist())


def _grow(
    forks: list[ways.Fork],
    parent: int,
    code: int,
    edges: Sequence[_Edges],
    limits: tuple[int, int, int],
) -> None:
    """Adds the fork behind a code, and all that follow it."""
    num_tokens, num_codes, room = limits
    ends = np.zeros(num_codes + 1, bool)
    inner: dict[int, list[_Edges]] = {}
    for least, greatest in edges:
        if _is_all(least, greatest, num_tokens):
            ends[:] = True  # nothing is asked of these codes, EOS among them
            continue
        first = 0 if least is None else least[0] if least else 0
        last = num_tokens - 1 if not greatest else greatest[0]
        ends[first : last + 1] = True
        for edge in {first, last}:
            rest = (
                least[1:] if least and edge == first else None,
                greatest[1:] if greatest and edge == last else None,
            )
            if not _is_all(*rest, num_tokens):
                ends[edge] = False
                inner.setdefault(edge, []).append(rest)
    number = len(forks)
    forks.append(ways.Fork(parent, code, ends))
    if room:
        for edge, rest in inner.items():
            _grow(forks, number, edge, rest, (num_tokens, num_codes, room - 1))


def _is_all(
    least: tuple[int, ...] | None, greatest: tuple[int, ...] | None, num_tokens: int
) -> bool:
    """Whether a range takes in everything behind a fork."""
    return not any(least or ()) and all(code == num_tokens - 1 for code in greatest or ())
