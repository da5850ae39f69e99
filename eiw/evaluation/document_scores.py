"""What a model pays for each held-out document: sums kept apart, and files of them.

    RUN/scores/plain.npz       contexts one after another
    RUN/scores/stride_32.npz   sliding ones, by their stride

Such a file is all that a later comparison needs: neither the model nor the text.
"""

import dataclasses
import math
import os
import pathlib
import re
import zipfile

import numpy as np

from eiw import atomic, errors

_PLAIN = "plain.npz"
_SLIDING = re.compile(r"stride_(\d+)\.npz")
_ARRAYS = {"document_nats": np.float64, "document_tokens": np.int64, "document_bytes": np.int64}
_FACTS = {"corpus_sha256": str, "length": int, "stride": int}


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What a model pays for each document, in the documents' order.

    Attributes:
      document_nats: float64[documents], cross-entropy summed over a document's ids and its EOS.
      document_tokens: int64[documents], ids scored, EOS included.
      document_bytes: int64[documents], bytes of the raw text, without EOS.
      corpus_sha256: of the corpus that the documents are of, "" where unknown.
      length: ids of a context.
      stride: ids of it that were scored.
    """

    document_nats: np.ndarray
    document_tokens: np.ndarray
    document_bytes: np.ndarray
    corpus_sha256: str = ""
    length: int = 0
    stride: int = 0

    @property
    def nats(self) -> float:
        """Cross-entropy summed over all ids."""
        return float(self.document_nats.sum())

    @property
    def tokens(self) -> int:
        """Ids scored, EOS included, padding not."""
        return int(self.document_tokens.sum())

    @property
    def bytes(self) -> int:
        """Bytes of the raw text, without EOS."""
        return int(self.document_bytes.sum())

    @property
    def bits_per_byte(self) -> float:
        """All bits over all bytes: EOS is paid for, but is no byte."""
        return self.nats / math.log(2) / self.bytes

    @property
    def standard_error(self) -> float | None:
        """Of `bits_per_byte`, over documents; None for fewer than two."""
        if len(self.document_nats) < 2:
            return None
        return ratio_standard_error(self.document_nats, self.document_bytes) / math.log(2)


def ratio_standard_error(numerators: np.ndarray, denominators: np.ndarray) -> float:
    """Of the ratio of two sums over a sample (Cochran, Sampling Techniques, 2.11).

    Documents are drawn, their lengths as much as their nats, so what counts is how far each is from
    the common ratio.

    Args:
      numerators: float64[n], n at least 2.
      denominators: of the same shape, with a positive sum.
    """
    count, total = len(numerators), float(denominators.sum())
    residuals = numerators - float(numerators.sum()) / total * denominators
    return math.sqrt(count / (count - 1) * float(np.square(residuals).sum())) / total


def save(folder: str | os.PathLike, score: Score) -> pathlib.Path:
    """Writes a score, whole or not at all; the same score always makes the same bytes.

    Returns:
      The file, over an older one of the same stride.

    Raises:
      InputError: the folder cannot be written.
    """
    name = _PLAIN if score.stride == score.length else f"stride_{score.stride}.npz"
    path = pathlib.Path(folder) / name
    values = {name: np.asarray(getattr(score, name)) for name in (*_ARRAYS, *_FACTS)}
    with atomic.replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **values)
    return path


def load(folder: str | os.PathLike) -> dict[int | None, Score]:
    """All that `save` wrote into a folder, by stride: None first, for contexts one after another.

    A folder that is not there holds no scores.

    Raises:
      ArtefactError: a file is damaged.
    """
    folder = pathlib.Path(folder)
    sliding = [match for path in folder.glob("*.npz") if (match := _SLIDING.fullmatch(path.name))]
    paths = {int(match[1]): folder / match[0] for match in sliding}
    scores: dict[int | None, Score] = {}
    if (folder / _PLAIN).exists():
        scores[None] = _load(folder / _PLAIN)
    return scores | {stride: _load(paths[stride]) for stride in sorted(paths)}


def _load(path: pathlib.Path) -> Score:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as values:
            arrays = {name: values[name].astype(kind) for name, kind in _ARRAYS.items()}
            facts = {name: kind(values[name].item()) for name, kind in _FACTS.items()}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise errors.ArtefactError(
            f"{path} is damaged ({error}): delete it; `eiw evaluate bits` writes it again."
        ) from error
    if len({array.shape for array in arrays.values()}) > 1 or arrays["document_nats"].ndim != 1:
        raise errors.ArtefactError(f"{path} is damaged: delete it; its documents differ in number.")
    return Score(**arrays, **facts)
