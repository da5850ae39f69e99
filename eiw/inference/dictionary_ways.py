"""Ways on where each code has a text of its own.

What differs is how the encoder cuts; here by what it decides from:

  LongestWays      the longest entry, from left to right: `canonical` knows all about it
  WordWays         likewise, but entries that end with a word come first
  BestPathWays     the whole text at once: the cheapest of all cuts (SentencePiece's pieces, the
                   fewest codes)
"""

import numpy as np

from eiw.compressors import base, parse, tunstall
from eiw.inference import canonical, ways

# Paths that part further back than so many codes are left out: a network's answers at each of their
# codes are as long as the vocabulary. Of 150 places in prose, none parted more than 7 codes back,
# for dictionaries of 8,000 texts.
_DEEPEST = 15


class LongestWays:
    """Of a dictionary whose encoder takes longest entries; see `canonical`."""

    approximation = ""
    alignment = 1

    def __init__(self, compressor: base.Compressor, parses: canonical.CanonicalParses) -> None:
        self._compressor, self._parses = compressor, parses

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        codes = self._compressor.encode(prompt).tolist()
        boundaries = self._parses.boundaries(codes)
        boundaries = [each for each in boundaries if len(codes) - each.codes <= room]
        sure, rest = codes[: boundaries[0].codes], codes[boundaries[0].codes :]
        repeats = sum(len(self._parses.texts[code]) for code in rest)
        return ways.Ways(sure, self._parses.forks(boundaries, codes), len(sure), repeats)


class WordWays:
    """Of a dictionary whose encoder takes, from left to right, the longest entry that ends a word.

    Where an entry can reach over the prompt's end, the encoder takes one that does or, if what
    comes ends no word, one fixed other. So there is one line of forks.
    """

    approximation = ""
    alignment = 1

    def __init__(self, compressor: tunstall.Tunstall, parses: canonical.CanonicalParses) -> None:
        self._compressor, self._parses = compressor, parses

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        sure, place = [], 0
        for code in self._compressor.encode(prompt).tolist():
            near = len(prompt) - place <= self._parses.max_length
            if near and self._parses.node(prompt[place:]) >= 0:
                break
            sure.append(code)
            place += len(self._parses.texts[code])
        repeats, line, codes = len(prompt) - place, [place], []
        while (entry := self._other(prompt, line[-1])) is not None:
            codes.append(entry)
            line.append(line[-1] + len(self._parses.texts[entry]))
        drop = max(0, len(codes) - room)
        sure, codes, line = sure + codes[:drop], codes[drop:], line[drop:]
        forks = [
            ways.Fork(number - 1, codes[number - 1] if number else -1, self._ends(prompt[each:]))
            for number, each in enumerate(line)
        ]
        return ways.Ways(sure, forks, len(sure), repeats - (line[0] - place))

    def _ends(self, left_over: bytes) -> np.ndarray:
        node = self._parses.node(left_over)
        if node < 0:
            return np.zeros(len(self._parses.texts) + 1, bool)
        ends = self._parses.covering(canonical.Boundary(0, node, left_over, ()))
        for length, code in self._parses.entries(left_over):
            ends[code] |= length == len(left_over)
        return ends

    def _other(self, prompt: bytes, place: int) -> int | None:
        """What is cut off at a place unless an entry that reaches the prompt's end is."""
        ends_word = [
            end > 0 and end < len(prompt) and parse.ends_word(prompt[end - 1], prompt[end])
            for end in range(place, min(len(prompt), place + self._parses.max_length) + 1)
        ]
        begins_word = place == 0 or ends_word[0]
        may_cross = self._compressor.parse.may_cross(begins_word)
        found = None
        found_word = None
        for length, code in self._parses.entries(prompt[place : place + self._parses.max_length]):
            if place + length == len(prompt) or (not may_cross and any(ends_word[1:length])):
                break
            found = code
            if ends_word[length]:
                found_word = code
        return found if found_word is None else found_word


class BestPathWays:
    """Of a dictionary whose encoder takes the best of all cuts, a sum over its entries.

    The best cut of a text has, up to each of its boundaries, the best cut of what stands before. So
    for each place where the entry that reaches over the prompt's end can begin, there is one path.
    """

    approximation = ""
    alignment = 1

    def __init__(self, compressor: base.Compressor, parses: canonical.CanonicalParses) -> None:
        self._compressor, self._parses = compressor, parses

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`; paths that part more than 15 codes back are left out."""
        size, longest = len(prompt), self._parses.max_length
        nodes = {size: 0}
        for place in range(max(0, size - longest), size):
            node = self._parses.node(prompt[place:])
            if node >= 0 and self._parses.has_longer(node):
                nodes[place] = node
        cuts = self._compressor.encode_batch([prompt[:place] for place in nodes])
        paths = {place: cut.tolist() for place, cut in zip(nodes, cuts, strict=True)}
        main = paths[size]
        least = max(0, len(main) - min(room, _DEEPEST))
        paths = {
            place: path
            for place, path in paths.items()
            if path[:least] == main[:least] and len(path) - least <= min(room, _DEEPEST)
        }
        num_sure = ways.num_shared(list(paths.values()))
        tree = ways.ForkTree(len(self._parses.texts))
        for place, path in paths.items():
            boundary = canonical.Boundary(0, nodes[place], prompt[place:], ())
            tree.add(path[num_sure:], self._parses.covering(boundary))
        sure = main[:num_sure]
        repeats = sum(len(self._parses.texts[code]) for code in main[num_sure:])
        return ways.Ways(sure, tree.forks, num_sure, repeats)
