"""The most probable texts under a byte model, found with few calls of it and bounded memory.

A text is never more probable than its prefixes, so the texts of at least a probability t are a
tree, and a byte model that answers for many prefixes at once walks it slice by slice. How many
texts a threshold leaves is not known before. Random walks through the model tell: a walk passes a
text s with the probability p(s), so each text that it passes stands for 1 / p(s) texts, and the
mean over walks of their sum, over texts with p(s) >= t, is how many there are (Knuth 1975,
Estimating the efficiency of backtrack programs).
"""

import dataclasses
from typing import Any

import numpy as np

from eiw import progress, vocab
from eiw.coding import byte_model

_WALKS = 512
# The estimate is some percent off: aim for more texts than are needed.
_MARGIN = 1.1

# Texts of one slice. A network runs smaller batches; wide slices keep those full.
_SLICE = 1024


@dataclasses.dataclass(frozen=True)
class ProbableTexts:
    """Texts, the most probable first; of equal ones, in lexicographic order.

    Attributes:
      texts: distinct, none empty, each after its prefixes.
      probabilities: float64[n].
    """

    texts: list[bytes]
    probabilities: np.ndarray


def most_probable_texts(
    model: byte_model.ByteModel,
    count: int,
    *,
    first_bytes: np.ndarray | None = None,
    max_length: int = 256,
) -> ProbableTexts:
    """The `count` most probable texts of bytes.

    Args:
      model: gives the probability of a byte after a prefix; EOS keeps its share, but no text has
        it.
      count: how many.
      first_bytes: weights of the first byte, [256], in place of the model's.
      max_length: bytes of a text at most.

    Raises:
      ValueError: a model of fewer than 256 symbols, or there are not so many texts.
    """
    if model.alphabet_size < vocab.NUM_BYTES:
        raise ValueError(f"a model of {model.alphabet_size} symbols does not know every byte")
    if sum(vocab.NUM_BYTES**length for length in range(1, min(max_length, 8) + 1)) < count:
        raise ValueError(f"there are no {count} texts of up to {max_length} bytes")
    root = None if first_bytes is None else first_bytes / np.sum(first_bytes)
    threshold = _estimate_threshold(model, round(_MARGIN * count), root, max_length)
    while True:
        texts, probabilities = _texts_above(model, threshold, count, root, max_length)
        if len(texts) >= count:
            break
        threshold /= 2
    order = sorted(range(len(texts)), key=lambda index: (-probabilities[index], texts[index]))
    order = np.array(order[:count])
    return ProbableTexts([texts[index] for index in order], probabilities[order])


def _shares(cdfs: np.ndarray, precision: int, root: np.ndarray | None) -> np.ndarray:
    """Probabilities of the next bytes, float64[rows, 256]; of the first ones, `root` if given."""
    if root is not None:
        return np.repeat(root[None], len(cdfs), axis=0)
    counts = np.diff(cdfs[:, : vocab.NUM_BYTES + 1].astype(np.int64))
    return counts / float(1 << precision)


def _estimate_threshold(
    model: byte_model.ByteModel, count: int, root: np.ndarray | None, max_length: int
) -> float:
    """A probability that about `count` texts have, or more."""
    generator = np.random.default_rng(0)
    state, cdfs = model.start(_WALKS)
    probabilities = np.ones(_WALKS)
    passed = np.zeros(0)
    threshold = 0.0
    for length in range(1, max_length + 1):
        shares = _shares(cdfs, model.precision, root if length == 1 else None)
        draws = generator.random(len(shares))
        symbols = (np.cumsum(shares, axis=1) <= draws[:, None]).sum(axis=1)
        ended = symbols == vocab.NUM_BYTES  # EOS
        symbols[ended] = 0
        probabilities = np.where(ended, 0, probabilities * shares[np.arange(len(shares)), symbols])
        passed = -np.sort(-np.concatenate([passed, probabilities[probabilities > 0]]))
        # What is still to be passed can only raise this.
        enough = np.flatnonzero(np.cumsum(1 / passed) >= count * _WALKS)
        threshold = passed[enough[0]] if len(enough) else 0.0
        going_on = np.flatnonzero((probabilities > 0) & (probabilities >= threshold))
        if not len(going_on) or length == max_length:
            break
        probabilities = probabilities[going_on]
        state, cdfs = model.advance(model.take(state, going_on), symbols[going_on])
    return threshold or passed.min(initial=1.0) / 2


@dataclasses.dataclass
class _Slice:
    """Texts of one length whose states are still to be made from their parents'."""

    parent_state: Any
    parent_rows: np.ndarray
    texts: list[bytes]
    probabilities: np.ndarray


def _texts_above(
    model: byte_model.ByteModel,
    threshold: float,
    count: int,
    root: np.ndarray | None,
    max_length: int,
) -> tuple[list[bytes], np.ndarray]:
    """All texts of at least this probability, or of a higher one that leaves `count`."""
    found, found_probabilities, num_found = [], [], 0
    waiting = []
    state, cdfs = model.start(1)
    texts, probabilities = [b""], np.ones(1)
    with progress.bar("Searching probable texts", total=count, unit="text") as bar:
        while True:
            is_root = texts == [b""]
            shares = _shares(cdfs, model.precision, root if is_root else None)
            children = probabilities[:, None] * shares
            rows, symbols = np.nonzero(children >= threshold)
            children = children[rows, symbols]
            child_texts = [
                texts[row] + bytes((symbol,))
                for row, symbol in zip(rows.tolist(), symbols.tolist(), strict=True)
            ]
            found += child_texts
            found_probabilities.append(children)
            num_found += len(children)
            bar.update(len(children))
            if len(texts[0]) + 1 < max_length:
                # Copied, so that a waiting slice does not hold the others'.
                waiting += [
                    _Slice(state, rows[first:last], child_texts[first:last], children[first:last])
                    for first, last in _slices(len(rows))
                ]
            if num_found > 2 * count:
                # The estimate was far too low.
                joined = np.concatenate(found_probabilities)
                threshold = np.partition(joined, -count)[-count]
                kept = np.flatnonzero(joined >= threshold)
                found = [found[index] for index in kept]
                found_probabilities, num_found = [joined[kept]], len(kept)
            work = None
            while waiting and work is None:
                work = _above(waiting.pop(), threshold)
            if work is None:
                return found, np.concatenate(found_probabilities)
            texts, probabilities = work.texts, work.probabilities
            state = model.take(work.parent_state, work.parent_rows)
            work.parent_state = None  # the last slice of a level frees its parents'
            symbols = np.array([text[-1] for text in texts])
            state, cdfs = model.advance(state, symbols)


def _slices(count: int) -> list[tuple[int, int]]:
    return [(first, min(first + _SLICE, count)) for first in range(0, count, _SLICE)]


def _above(work: _Slice, threshold: float) -> _Slice | None:
    """The slice without texts that a raised threshold leaves out; None if none is left."""
    kept = np.flatnonzero(work.probabilities >= threshold)
    if not len(kept):
        return None
    return _Slice(
        work.parent_state,
        work.parent_rows[kept],
        [work.texts[index] for index in kept],
        work.probabilities[kept],
    )
