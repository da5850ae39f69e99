"""Which texts a Tunstall dictionary has.

The V most probable texts under M1 are the best dictionary for windows that start anywhere. But
windows start where the last one ended, and a parse passes over most prefixes of what it finds.
So text can have a say, in steps that are each an option:

  1. `start_rounds`: cut text, count the first bytes of the windows, and let these counts stand in
     for M1's first CDF; again with the dictionary that this makes.
  2. `candidates`: begin with several times V texts, cut text into them, and drop the least used
     ones, little by little. What is left has room for texts whose prefixes nobody uses.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from eiw import errors, progress, vocab
from eiw.coding import byte_model
from eiw.compressors import longest_match, parse, probable_texts, tunstall

# Entries that are left after one step of dropping. What is used changes with what is there, so
# the steps are small.
_KEPT = 0.8


@dataclasses.dataclass(frozen=True)
class Fit:
    """How text decides a dictionary; with the defaults, it does not.

    Attributes:
      start_rounds: times that the starts of windows are counted.
      candidates: texts to choose from, in multiples of the vocabulary.
      sample_bytes: of text to cut, in whole documents from all over it.

    Raises:
      InputError: a value is out of range.
    """

    start_rounds: int = 0
    candidates: int = 1
    sample_bytes: int = 20_000_000

    def __post_init__(self) -> None:
        if self.start_rounds < 0 or self.candidates < 1 or self.sample_bytes < 1:
            raise errors.InputError(
                f"start_rounds={self.start_rounds} must be at least 0, "
                f"candidates={self.candidates} and sample_bytes={self.sample_bytes} at least 1."
            )

    @property
    def variant(self) -> str:
        """Names what differs from the defaults: "starts2_of8" for 2 rounds and 8 candidates."""
        starts = f"starts{self.start_rounds}" if self.start_rounds else ""
        choice = f"of{self.candidates}" if self.candidates > 1 else ""
        return "_".join(filter(None, [starts, choice]))

    @property
    def reads_text(self) -> bool:
        """Whether there is a step that needs documents."""
        return self.variant != ""


def fit_tunstall(
    model: byte_model.ByteModel,
    vocab_size: int = 1 << 16,
    *,
    how: parse.Parse | None = None,
    fit: Fit | None = None,
    documents: Sequence[bytes] = (),
) -> tunstall.Tunstall:
    """Finds a dictionary, for the way in which it will cut text.

    Args:
      model: M1; it answers for about 0.7 V candidates prefixes in the last round, and 0.7 V in each
        before.
      vocab_size: V, of which 256 are single bytes.
      how: the parse; greedy longest match for None.
      fit: the steps; none for None.
      documents: text for the steps.

    Raises:
      InputError: sizes out of range, or no text where a step needs it.
    """
    how, fit = how or parse.Parse(), fit or Fit()
    if vocab_size < vocab.NUM_BYTES or vocab_size * fit.candidates > longest_match.MAX_TEXTS:
        raise errors.InputError(
            f"vocab_size={vocab_size} must be at least {vocab.NUM_BYTES}, and with "
            f"candidates={fit.candidates} at most {longest_match.MAX_TEXTS // fit.candidates}."
        )
    sample = longest_match.joined(_sample(documents, fit.sample_bytes) if fit.reads_text else [])
    if fit.reads_text and not len(sample[0]):
        raise errors.InputError(f"Fitting a dictionary ({fit.variant}) needs text: there is none.")
    first_bytes = None
    for _ in range(fit.start_rounds):
        texts = _most_probable(model, vocab_size, first_bytes)
        starts = np.array([text[0] for text in texts])
        # One more for each byte: it may start a window of text that is not in the sample.
        first_bytes = 1 + np.bincount(
            starts, _count_uses(texts, how, sample), minlength=vocab.NUM_BYTES
        )
    texts = _most_probable(model, vocab_size * fit.candidates, first_bytes)
    with progress.bar("Dropping texts", len(texts) - vocab_size, unit="text") as bar:
        while len(texts) > vocab_size:
            fewer = _most_used(texts, how, sample, max(vocab_size, int(_KEPT * len(texts))))
            bar.update(len(texts) - len(fewer))
            texts = fewer
    return tunstall.Tunstall(texts, how, model.fingerprint, fit.variant)


def _sample(documents: Sequence[bytes], num_bytes: int) -> list[bytes]:
    """Documents in an order that has no system, until there are `num_bytes`."""
    sample, size = [], 0
    for index in np.random.default_rng(0).permutation(len(documents)).tolist():
        if size >= num_bytes:
            break
        sample.append(bytes(documents[index]))
        size += len(sample[-1])
    return sample


def _most_probable(
    model: byte_model.ByteModel, count: int, first_bytes: np.ndarray | None
) -> list[bytes]:
    """All single bytes, then the most probable longer texts."""
    found = probable_texts.most_probable_texts(model, count, first_bytes=first_bytes).texts
    longer = [text for text in found if len(text) > 1]
    return [bytes([byte]) for byte in range(vocab.NUM_BYTES)] + longer[: count - vocab.NUM_BYTES]


def _count_uses(
    texts: Sequence[bytes], how: parse.Parse, sample: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """How many windows of the sample are each text, int64[n]."""
    codes, _ = parse.Parser(texts, how).encode(*sample)
    return np.bincount(codes, minlength=len(texts))


def _most_used(
    texts: Sequence[bytes], how: parse.Parse, sample: tuple[np.ndarray, np.ndarray], count: int
) -> list[bytes]:
    """The single bytes and the texts that are used most, in their order; of equal uses, the first.

    A text that goes is spelled by two others as a rule, so each use of it costs one more code.
    """
    uses = _count_uses(texts, how, sample)
    uses[: vocab.NUM_BYTES] = np.iinfo(np.int64).max
    kept = np.sort(np.argsort(-uses, kind="stable")[:count])
    return [texts[index] for index in kept]
