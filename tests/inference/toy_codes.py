"""A toy whose truth is known: every short text has a probability, and M2 knows all of them.

M2 is a table: after each sequence of codes, the exact distribution of the next code under the
probabilities of the texts, cut by the compressor's own encoder.
"""

import collections
import itertools
from collections.abc import Sequence

import numpy as np

from eiw.compressors.base import Compressor
from eiw.compressors.parse import Parse
from eiw.compressors.tunstall import Tunstall
from eiw.inference import ways

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
                following = self._next[codes[:end]]
                following[code] = following.get(code, 0.0) + self.probabilities[index]

    def log_p(self, prefix: tuple[int, ...]) -> np.ndarray:
        """float64[C + 1] after a sequence of codes, EOS last; no text has some sequences."""
        row = np.full(self.num_codes + 1, -np.inf)
        following = self._next.get(prefix, {})
        for code, probability in following.items():
            row[code] = np.log(probability / sum(following.values()))
        return row

    def finished(self, prefix: tuple[int, ...], code: int) -> dict[bytes, float]:
        """The distribution of whole texts once these codes and then `code` were emitted."""
        if code == self.num_codes:
            only = [index for index in self.of_prefix[prefix] if self._codes[index] == prefix]
        else:
            only = self.of_prefix[(*prefix, code)]
        total = self.probabilities[only].sum()
        return {self.texts[index]: self.probabilities[index] / total for index in only}


def distance_to_truth(
    model: TableModel, prompt: bytes, paths: Sequence[tuple[int, ...]], forks: Sequence[ways.Fork]
) -> float:
    """The greatest difference over texts, between drawing a way on and the model's own truth.

    `paths` are the codes before each of the forks.
    """
    weights = ways.log_weights(forks, np.stack([model.log_p(path) for path in paths]))
    weights = np.exp(weights - ways.log_sum(weights))
    found: dict[bytes, float] = {}
    for row, code in np.argwhere(weights):
        for text, share in model.finished(paths[row], int(code)).items():
            found[text] = found.get(text, 0.0) + weights[row, code] * share
    begin = [text.startswith(prompt) for text in model.texts]
    total = model.probabilities[begin].sum()
    truth = {
        text: probability / total
        for text, probability in zip(model.texts, model.probabilities, strict=True)
        if text.startswith(prompt)
    }
    texts = found.keys() | truth.keys()
    return max(abs(found.get(text, 0.0) - truth.get(text, 0.0)) for text in texts)
