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


def path_of(folder: str | os.PathLike, stride: int | None) -> pathlib.Path:
    """The file in a folder of scores; a stride of None is that of contexts one after another."""
    return pathlib.Path(folder) / ("plain.npz" if stride is None else f"stride_{stride}.npz")


def strides_in(folder: str | os.PathLike) -> list[int]:
    """Strides of the sliding scores that a folder holds, ascending; none if there is no folder."""
    names = [path.name for path in pathlib.Path(folder).glob("stride_*.npz")]
    return sorted(int(match[1]) for match in map(_SLIDING.fullmatch, names) if match)


def save(path: str | os.PathLike, score: Score) -> None:
    """Writes a score, whole or not at all; the same score always makes the same bytes.

    Raises:
      InputError: the folder cannot be written.
    """
    values = {name: np.asarray(getattr(score, name)) for name in (*_ARRAYS, *_FACTS)}
    with atomic.replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **values)


def load(path: str | os.PathLike) -> Score:
    """What `save` wrote.

    Raises:
      ArtefactError: there is no such file, or it is damaged.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as values:
            arrays = {name: values[name].astype(kind) for name, kind in _ARRAYS.items()}
            facts = {name: kind(values[name].item()) for name, kind in _FACTS.items()}
    except FileNotFoundError as error:
        raise errors.ArtefactError(
            f"{path} is missing: `eiw evaluate bits` scores a run again and writes it."
        ) from error
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise errors.ArtefactError(
            f"{path} is damaged ({error}): `eiw evaluate bits` writes it again."
        ) from error
    if len({array.shape for array in arrays.values()}) > 1 or arrays["document_nats"].ndim != 1:
        raise errors.ArtefactError(f"{path} is damaged: its documents differ in number.")
    return Score(**arrays, **facts)
