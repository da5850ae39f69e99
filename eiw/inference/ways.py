"""Ways on from a prompt: the codes that can stand where it ends.

A prompt ends anywhere, inside of what a code stands for as a rule. The codes of all texts that
begin with it begin alike, with the *sure* codes; from there on they part:

    sure codes --+-- fork --+-- any of `ends`: the prompt is covered, from here on M2 is free
                 |          +-- a code that leaves some of the prompt over: the next fork --+-- ...

So the codes of every text that begins with the prompt take one way, a fork and one of its ends, and
the codes of no other text do. A way weighs what M2 gives to its codes; one is drawn among all, and
the distribution over what follows is M2's own, wherever the prompt's last code fell.

Methods differ in what tells the forks (`dictionary_ways`, `bit_ways`, `entry_ways`), and in how
codes become text again (`code_texts`).
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

# Of compressors that lose text.
LOSSY = "its codes do not always decode to the text that they were made of"


@dataclasses.dataclass(frozen=True)
class Fork:
    """A place where ways part, some codes behind the sure ones.

    Attributes:
      parent: number of the fork one code before it; -1 for the first, behind the sure codes.
      code: the one that leads from there to here; -1 likewise.
      ends: bool[C + 1], codes and EOS, with which the prompt is covered.
      allowed: bool[C + 1], what the encoder can emit here at all; None for anything.
      walks: that the encoder left behind here (`canonical`).
    """

    parent: int
    code: int
    ends: np.ndarray
    allowed: np.ndarray | None = None
    walks: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Ways:
    """The ways on from one prompt.

    Attributes:
      sure: codes that all of them begin with; or their end, where a network reads no more of them.
      forks: parents before their children.
      fresh: of the sure codes, how many can be left out when the others are decoded.
      repeats: bytes of the prompt that the codes behind `fresh` stand for.
    """

    sure: list[int]
    forks: list[Fork]
    fresh: int
    repeats: int

    def path(self, number: int) -> list[int]:
        """The codes between the sure ones and a fork."""
        codes = []
        while self.forks[number].parent >= 0:
            codes.append(self.forks[number].code)
            number = self.forks[number].parent
        return codes[::-1]

    def reads(self, room: int) -> list[list[int]]:
        """What a network with room for so many codes reads: the codes up to each last fork.

        All are cut at the front alike.
        """
        paths = [self.path(leaf) for leaf in self._leaves()]
        start = max(0, len(self.sure) + max(map(len, paths)) - room)
        return [[*self.sure, *path][start:] for path in paths]

    def places(self) -> list[tuple[int, int]]:
        """Where each fork stands in `reads`: in which, and how many codes before its end."""
        places = [(-1, -1)] * len(self.forks)
        for read, number in enumerate(self._leaves()):
            back = 0
            while number >= 0:
                places[number] = read, back
                number, back = self.forks[number].parent, back + 1
        return places

    def _leaves(self) -> list[int]:
        """The forks that no fork follows: whoever reads their codes has read those of all."""
        parents = {fork.parent for fork in self.forks}
        return [number for number in range(len(self.forks)) if number not in parents]


class ForkTree:
    """Forks, found by the codes that lead to them.

    Args:
      num_codes: C.

    Attributes:
      forks: parents before their children.
    """

    def __init__(self, num_codes: int) -> None:
        self._num_codes = num_codes
        self._inner: dict[tuple[int, int], int] = {}
        self.forks = [self._fork(-1, -1)]

    def add(self, path: Sequence[int], ends: np.ndarray) -> None:
        """Lets some codes, and EOS, bool[C + 1], be ends behind a path."""
        number = 0
        for code in path:
            if (number, code) not in self._inner:
                self._inner[number, code] = len(self.forks)
                self.forks.append(self._fork(number, code))
            number = self._inner[number, code]
        self.forks[number].ends[:] |= ends

    def _fork(self, parent: int, code: int) -> Fork:
        return Fork(parent, code, np.zeros(self._num_codes + 1, bool))


class WaysOn(Protocol):
    """What knows the ways on from any prompt under one compressor.

    Attributes:
      approximation: what is not exact about them, a sentence's end; "" for nothing.
      alignment: prompts are cut at the front before a multiple of so many bytes.
    """

    approximation: str
    alignment: int

    def after(self, prompt: bytes, room: int) -> Ways:
        """The ways on, whose forks are at most `room` codes behind the sure codes.

        Raises:
          InputError: codes of texts that begin with the prompt have nothing in common.
        """


def log_weights(forks: Sequence[Fork], log_p: np.ndarray) -> np.ndarray:
    """log of the probability of each way on: float64[forks, C + 1].

    What the encoder cannot emit has no probability, and the rest is scaled to sum to one at each
    fork.

    Args:
      forks: of a `Ways`.
      log_p: float64[forks, C + 1], a model's, of the next code and EOS at each of them.

    Returns:
      -inf where there is no way; all are relative to the sure codes.
    """
    weights = np.full_like(log_p, -np.inf)
    rows, before = [], []
    for number, fork in enumerate(forks):
        row = log_p[number]
        if fork.allowed is not None:
            # A copy of this row alone: rows are as long as the vocabulary.
            row = np.where(fork.allowed, row, -np.inf)
            total = log_sum(row)
            row = row if total == -np.inf else row - total
        rows.append(row)
        before.append(
            0.0 if fork.parent < 0 else before[fork.parent] + rows[fork.parent][fork.code]
        )
        weights[number, fork.ends] = before[number] + row[fork.ends]
    return weights


def num_shared(paths: Sequence[Sequence[int]]) -> int:
    """How many codes all of some paths, at least one, begin with."""
    shared = 0
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        shared += 1
    return shared


def log_sum(log_values: np.ndarray) -> float:
    """log of the sum of exp of float64[...]; -inf of nothing but -inf."""
    highest = log_values.max()
    if highest == -np.inf:
        return -np.inf
    return float(highest + np.log(np.exp(log_values - highest).sum()))
