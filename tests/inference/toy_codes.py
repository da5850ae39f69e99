"""A toy whose truth is known: every short text has a probability, and M2 knows all of them.

M2 is a table: after each sequence of codes, the exact distribution of the next code under the
probabilities of the texts, cut by the compressor's own encoder.
"""

import collections
import itertools

import numpy as np

from eiw.compressors.base import Compressor
from eiw.compressors.parse import Parse
from eiw.compressors.tunstall import Tunstall

LETTERS = b"ab"
LONGEST = 7


def all_texts(longest: int = LONGEST, letters: bytes = LETTERS) -> list[bytes]:
    return [
        bytes(text)
        for length in range(longest + 1)
        for text in itertools.product(letters, repeat=length)
    ]


def dictionary(
    seed: int,
    entries: int = 6,
    how: Parse = Parse(),  # noqa: B008
    letters: bytes = LETTERS,
) -> Tunstall:
    """Single bytes and some longer texts: many of their prefixes have no code."""
    longer = [text for text in all_texts(5, letters) if len(text) > 1]
    chosen = np.random.default_rng(seed).choice(len(longer), entries, replace=False)
    single = [bytes([byte]) for byte in range(256)]
    return Tunstall(single + [longer[index] for index in sorted(chosen)], how, "")


class TableModel:
    """See above.

    Attributes:
      texts: every text there is.
      probabilities: float64[texts], theirs.
    """

    def __init__(self, compressor: Compressor, seed: int, letters: bytes = LETTERS) -> None:
        self.texts = all_texts(letters=letters)
        self.probabilities = np.random.default_rng(seed).dirichlet(np.full(len(self.texts), 0.5))
        self.num_codes = compressor.vocab_size
        self._codes = [tuple(codes.tolist()) for codes in compressor.encode_batch(self.texts)]
        self._next: dict[tuple, dict[int, float]] = collections.defaultdict(dict)
        self.of_prefix: dict[tuple, list[int]] = collections.defaultdict(list)
        for index, codes in enumerate(self._codes):
            for end in range(len(codes) + 1):
                self.of_prefix[codes[:end]].append(index)
                code = codes[end] if end < len(codes) else self.num_codes
                ways = self._next[codes[:end]]
                ways[code] = ways.get(code, 0.0) + self.probabilities[index]

    def log_p(self, prefix: tuple[int, ...]) -> np.ndarray:
        """float64[C + 1] after a sequence of codes, EOS last; no text has some sequences."""
        row = np.full(self.num_codes + 1, -np.inf)
        ways = self._next.get(prefix, {})
        for code, probability in ways.items():
            row[code] = np.log(probability / sum(ways.values()))
        return row

    def finished(self, prefix: tuple[int, ...], code: int) -> dict[bytes, float]:
        """The distribution of whole texts once these codes and then `code` were emitted."""
        if code == self.num_codes:
            only = [index for index in self.of_prefix[prefix] if self._codes[index] == prefix]
        else:
            only = self.of_prefix[(*prefix, code)]
        total = self.probabilities[only].sum()
        return {self.texts[index]: self.probabilities[index] / total for index in only}


def distance(one: dict[bytes, float], other: dict[bytes, float]) -> float:
    """The greatest difference of two distributions over texts."""
    return max(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in one.keys() | other.keys())
