"""Ways on where windows are compiled, but are more than entries of a dictionary: several codes
each, or padded as the paper pads them, so that what is cut off is not always what is looked for."""

from collections.abc import Iterator, Sequence

import numpy as np

from eiw.coding import bits
from eiw.compressors import window_dictionary
from eiw.inference import bit_ways, canonical, code_texts, ways


class EntryWays:
    """Of compiled windows of any end and any tokens.

    The window that is written is that of the longest entry f of what follows; it decodes to f, or
    with "delay" to a beginning of f, and what is left of f is looked at again.

    Args:
      compressor: the windows.
    """

    alignment = 1

    def __init__(self, compressor: window_dictionary.WindowDictionary) -> None:
        self._compressor = compressor
        self.approximation = "" if compressor.lossless else ways.LOSSY
        texts, self._windows, self._decoded = compressor.entries()
        self._used = np.unique(self._windows)
        self._entries = canonical.CanonicalParses(texts)

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        sure, place = [], 0
        while place < len(prompt):
            left = prompt[place : place + self._entries.max_length + 1]
            if self._entries.node(left) >= 0:
                break
            entry = self._entries.longest(left)
            sure.append(int(self._windows[entry]))
            place += self._taken(entry)
        found = list(self._found(prompt[place:]))
        repeats = len(prompt) - place
        num_codes = self._compressor.vocab_size
        if code_texts.codes_a_group(self._compressor) > 1:
            width, token_bits = self._compressor.window_bits, self._compressor.format.token_bits
            ranges = [each for path, ends in found for each in self._ranges(path, ends)]
            inner, forks = bit_ways.forks_of_ranges(ranges, token_bits, num_codes, room)
            fresh = len(sure) * width // token_bits
            before = bits.bits_to_tokens(_bits(sure, width), token_bits).tolist()
            return ways.Ways([*before, *inner], forks, fresh, repeats)
        shared = ways.num_shared([path for path, _ in found])
        tree = ways.ForkTree(num_codes)
        for path, windows in found:
            ends = np.zeros(num_codes + 1, bool)
            ends[slice(None) if windows is None else windows] = True
            if len(path) - shared <= room:
                tree.add(path[shared:], ends)
        return ways.Ways([*sure, *found[0][0][:shared]], tree.forks, len(sure), repeats)

    def _found(self, left: bytes) -> Iterator[tuple[list[int], np.ndarray | None]]:
        """Windows, and those int[n] of which each covers, behind them, all that is left of a text.

        None where nothing is left.
        """
        if not left:
            yield [], None
            return
        node, others = self._entries.node(left), {}
        entries = [entry for length, entry in self._entries.entries(left) if length == len(left)]
        if not entries:
            entry = self._entries.longest(left)
            others[int(self._windows[entry])] = self._taken(entry)
        if node >= 0:
            boundary = canonical.Boundary(0, node, left, ())
            longer = np.flatnonzero(self._entries.covering(boundary)[:-1])
            entries = np.append(np.array(entries, np.int64), longer)
            windows, decoded = self._windows[entries], self._decoded[entries]
            covers = decoded >= len(left)
            if covers.any():
                yield [], np.unique(windows[covers])
            if self._compressor.lossless:
                pairs = zip(windows[~covers].tolist(), decoded[~covers].tolist(), strict=True)
                others |= dict(pairs)
        for window, length in others.items():
            for path, ends in self._found(left[length:]):
                yield [window, *path], ends

    def _taken(self, entry: int) -> int:
        """The bytes that are cut off where an entry is the longest."""
        if self._compressor.lossless:
            return int(self._decoded[entry])
        return len(self._entries.texts[entry])

    def _ranges(self, path: list[int], windows: np.ndarray | None) -> Iterator[bit_ways.Range]:
        """The bits of windows, where the last one is any of some."""
        width = self._compressor.window_bits
        if windows is None:
            yield _bits(path, width), _bits(path, width)
            return
        # Between windows that follow one another among those that are used, there is no text's.
        ranks = np.searchsorted(self._used, windows)
        firsts = np.flatnonzero(np.append(True, np.diff(ranks) > 1))
        lasts = np.append(firsts[1:], len(ranks)) - 1
        for first, last in zip(windows[firsts].tolist(), windows[lasts].tolist(), strict=True):
            yield _bits([*path, first], width), _bits([*path, last], width)


def _bits(windows: Sequence[int], width: int) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.uint8), *(bits.bits_of(each, width) for each in windows)])
