"""What an encoder that takes the longest entry of its dictionary can emit, and where.

Not every sequence of codes is one that the encoder makes. After a code with text t, another entry
t + u may be the longer match of what follows: then the encoder would have taken that one. So each
code leaves a *walk* behind, at the node of the trie that its text leads to. The text that follows
moves it down: where it leaves the trie it is dead, and a node with a code it must never reach.
(Some nodes have no code, so that a walk may live for several codes.)

A text that may go on has several parses, as its end may lie inside of an entry. Cut as if it ended
here, codes e1 .. en: a *boundary* i lies after e1 .. ei, with the left-over bytes behind it, and it
is *live* if these lead to a node of the trie. The codes of any longer text are e1 .. ei for one of
the live boundaries i, then a code whose text begins with the left-over bytes, and is longer. For
i < n, e(i+1) is where the encoder would cut if that code does not come about; and boundary n, where
nothing is left over, is always live. So the codes of longer texts are found, each once.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from eiw.inference import ways

# Masks are remembered for this many sets of walks; each has a byte for each code.
_MASKS = 256
_DEAD = -1


@dataclasses.dataclass(frozen=True)
class Boundary:
    """A place where a text can be cut, see above.

    Attributes:
      codes: how many of the text's codes stand before it.
      node: of the trie, where the left-over bytes lead; -1 if the boundary is not live.
      left_over: bytes behind it, or none where it is not live.
      walks: nodes of the walks that are not dead here.
    """

    codes: int
    node: int
    left_over: bytes
    walks: tuple[int, ...]


class CanonicalParses:
    """A dictionary, ready to say what its encoder can emit.

    Args:
      texts: of all codes 0 .. C - 1, b"" for a code that names no text. None comes twice, and all
        256 single bytes are among them, or some texts have no parse.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = list(texts)
        coded = [code for code, text in enumerate(self.texts) if text]
        # Codes by their texts: those whose texts begin alike stand together.
        order = sorted(coded, key=self.texts.__getitem__)
        self._order = np.array(order, np.int64)
        self._lows, self._highs, self._codes = [0], [len(order)], [_DEAD]
        self._kids: list[list[int]] = [[]]
        self._labels = [0]
        self._child: dict[tuple[int, int], int] = {}
        path, previous = [0], b""
        for place, code in enumerate(order):
            text = self.texts[code]
            shared = 0
            while shared < min(len(previous), len(text)) and text[shared] == previous[shared]:
                shared += 1
            for node in path[shared + 1 :]:
                self._highs[node] = place
            del path[shared + 1 :]
            for byte in text[shared:]:
                path.append(self._add(path[-1], byte, place))
            self._codes[path[-1]] = code
            previous = text
        for node in path[1:]:
            self._highs[node] = len(order)
        self.max_length = max(map(len, self.texts))
        self._masks: dict[tuple[int, ...], np.ndarray] = {}

    def node(self, text: bytes, start: int = 0) -> int:
        """Where `text` leads from a node (0 is the root); -1 where it leaves the trie."""
        for byte in text:
            start = self._child.get((start, byte), _DEAD)
            if start == _DEAD:
                break
        return start

    def longest(self, text: bytes) -> int:
        """The code of the longest entry that `text`, which is not empty, begins with."""
        return max(self.entries(text))[1]

    def entries(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Length and code of every entry that `text` begins with, the shortest first."""
        node = 0
        for length, byte in enumerate(text, start=1):
            node = self._child.get((node, byte), _DEAD)
            if node == _DEAD:
                break
            if self._codes[node] != _DEAD:
                yield length, self._codes[node]

    def has_longer(self, node: int) -> bool:
        """Whether an entry is longer than a node's text and begins with it."""
        return bool(self._kids[node])

    def walk_on(self, walks: Sequence[int], text: bytes) -> tuple[int, ...] | None:
        """The walks that are left after `text`, or None where one of them reaches a code."""
        left = []
        for node in walks:
            for byte in text:
                node = self._child.get((node, byte), _DEAD)
                if node == _DEAD:
                    break
                if self._codes[node] != _DEAD:
                    return None
            if node != _DEAD and self._kids[node]:
                left.append(node)
        return tuple(left)

    def walks_after(self, walks: Sequence[int], code: int) -> tuple[int, ...]:
        """The walks after a code that is allowed, its own among them."""
        own = self.node(self.texts[code])
        left = self.walk_on(walks, self.texts[code]) or ()
        return (*left, own) if self._kids[own] else left

    def allowed(self, walks: tuple[int, ...]) -> np.ndarray:
        """bool[C + 1]: the codes that lead no walk to a code; EOS, the last, ends all walks."""
        walks = tuple(sorted(set(walks)))
        if walks not in self._masks:
            mask = np.zeros(len(self.texts) + 1, bool)
            mask[self._order] = True
            mask[-1] = True
            for walk in walks:
                self._forbid(walk, 0, mask)
            if len(self._masks) == _MASKS:
                del self._masks[next(iter(self._masks))]
            self._masks[walks] = mask
        return self._masks[walks]

    def covering(self, boundary: Boundary) -> np.ndarray:
        """bool[C + 1]: codes that begin with a live boundary's left-over bytes and are longer."""
        mask = np.zeros(len(self.texts) + 1, bool)
        if boundary.node == 0:
            mask[-1] = True
        mask[self._order[self._below(boundary.node)]] = True
        return mask

    def sums_by_next_byte(self, node: int, weights: np.ndarray) -> np.ndarray:
        """float64[256]: weights[C + 1] of the codes below a node, by the byte after its text."""
        sums = np.zeros(256)
        kids = self._kids[node]
        if kids:
            below = self._below(node)
            starts = np.array([self._lows[kid] for kid in kids]) - below.start
            labels = [self._labels[kid] for kid in kids]
            sums[labels] = np.add.reduceat(weights[self._order[below]], starts)
        return sums

    def boundaries(self, codes: Sequence[int], walks: tuple[int, ...] = ()) -> list[Boundary]:
        """The boundaries of a text from the first live one to its end, see above.

        Args:
          codes: of the text, as the encoder cuts it.
          walks: those that are not dead where it begins.
        """
        # Nothing reaches further back than two entries: one to the first boundary, one to its
        # oldest walk.
        first, length = len(codes), 0
        while first and length <= 2 * self.max_length:
            first -= 1
            length += len(self.texts[codes[first]])
        tail = b"".join(self.texts[code] for code in codes[first:])
        if first:
            walks = ()
        found: list[Boundary] = []
        place = 0
        for index in range(first, len(codes) + 1):
            near = len(tail) - place <= self.max_length
            node = self.node(tail[place:]) if near else _DEAD
            if node != _DEAD and node != 0 and not self._kids[node]:
                node = _DEAD  # no longer entry begins with it
            if found or node != _DEAD:
                left_over = b"" if node == _DEAD else tail[place:]
                found.append(Boundary(index, node, left_over, walks))
            if index < len(codes):
                walks = self.walks_after(walks, codes[index])
                place += len(self.texts[codes[index]])
        return found

    def forks(self, boundaries: Sequence[Boundary], codes: Sequence[int]) -> list[ways.Fork]:
        """The ways on from a text: a fork at each boundary, one behind the other.

        Args:
          boundaries: of the text, by `boundaries`.
          codes: of the text, as the encoder cuts it.
        """
        forks = []
        for number, boundary in enumerate(boundaries):
            ends = np.zeros(len(self.texts) + 1, bool)
            if boundary.node != _DEAD:
                ends = self.covering(boundary)
            code = codes[boundary.codes - 1] if number else -1
            allowed = self.allowed(boundary.walks)
            forks.append(ways.Fork(number - 1, code, ends, allowed, boundary.walks))
        return forks

    def _add(self, parent: int, byte: int, place: int) -> int:
        node = len(self._lows)
        self._lows.append(place)
        self._highs.append(place)
        self._codes.append(_DEAD)
        self._kids.append([])
        self._labels.append(byte)
        self._kids[parent].append(node)
        self._child[parent, byte] = node
        return node

    def _below(self, node: int) -> slice:
        """Places, in order, of the entries that are longer than a node's text and begin with it."""
        return slice(self._lows[node] + (self._codes[node] != _DEAD), self._highs[node])

    def _forbid(self, walk: int, other: int, mask: np.ndarray) -> None:
        """Clears codes whose text, begun at the node `other`, leads `walk` to a code."""
        for kid in self._kids[walk]:
            follower = self._child.get((other, self._labels[kid]), _DEAD)
            if follower == _DEAD:
                continue
            if self._codes[kid] == _DEAD:
                self._forbid(kid, follower, mask)
            else:
                mask[self._order[self._lows[follower] : self._highs[follower]]] = False
