"""What a coder asks of a byte model: the integer CDF of the next symbol, for many prefixes at once.

This is the only door to M1, for encoding, decoding and compiling alike. A model answers row by
row, and every integer is a pure function of that row's prefix: the other rows, their number and
their order must not show. (A float network keeps this promise only when it always runs in one
fixed shape.)
"""

import importlib
import pathlib
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from eiw import errors, vocab
from eiw.coding import array_folder, cdf
from eiw.coding.ngram_byte_model import NgramByteModel

HEADER_NAME = "config.json"
_STATIC_FORMAT_VERSION = 1


class ByteModel(Protocol):
    """Next-symbol CDFs for rows of prefixes. All rows of a state have prefixes of one length.

    Attributes:
      alphabet_size: A; 256, or 257 with EOS as the last symbol.
      precision: P; every CDF ends at 2^P.
      fingerprint: sha256 of whatever decides the integers, 64 hex digits; but for:
      backend: what computes them, where that can make a difference: device, version, and a digest
        of some of them. "" for integer arithmetic.
    """

    alphabet_size: int
    precision: int
    fingerprint: str
    backend: str

    def start(self, rows: int) -> tuple[Any, np.ndarray]:
        """The state of `rows` empty prefixes and their CDFs, uint32[rows, A + 1]."""

    def advance(self, state: Any, symbols: np.ndarray) -> tuple[Any, np.ndarray]:
        """Appends symbols int[rows], one a row: the new state and CDFs uint32[rows, A + 1].

        May consume `state`: the caller does not touch it again.
        """

    def take(self, state: Any, rows: np.ndarray) -> Any:
        """A new state of the given rows of `state`, int[n] with repeats; `state` stays good."""

    def save(self, folder: pathlib.Path) -> None:
        """Writes the model into a folder that exists, for `load_byte_model`."""


class StaticByteModel:
    """The same distribution after every prefix: the paper's StaticAC (3.3).

    Args:
      counts: int[A], of each symbol in the training data; every symbol gets at least one share.

    Attributes:
      cdf: the only one that it gives, uint32[A + 1]; read it to code without a call per symbol.
    """

    kind = "static"
    backend = ""

    def __init__(self, counts: np.ndarray, precision: int = cdf.PRECISION) -> None:
        counts = np.asarray(counts, np.int64)
        self.alphabet_size = len(counts)
        self.precision = precision
        self._contents = array_folder.Contents(
            self.kind, _STATIC_FORMAT_VERSION, {"precision": precision}, {"counts": counts}
        )
        self.fingerprint = self._contents.fingerprint
        self.cdf = cdf.cdf_from_weights(counts, precision)

    @classmethod
    def fit(cls, documents: Iterable[bytes], precision: int = cdf.PRECISION) -> "StaticByteModel":
        """Counts the bytes of `documents`, each followed by EOS.

        Raises:
          InputError: there are no documents.
        """
        counts = np.zeros(vocab.ALPHABET_SIZE, np.int64)
        for document in documents:
            counts += np.bincount(np.frombuffer(document, np.uint8), minlength=len(counts))
            counts[vocab.EOS_SYMBOL] += 1
        if not counts.any():
            raise errors.InputError("No documents to count the bytes of: give at least one.")
        return cls(counts, precision)

    # A state is the number of rows: there is nothing else to know.

    def start(self, rows: int) -> tuple[int, np.ndarray]:
        return rows, np.tile(self.cdf, (rows, 1))

    def advance(self, state: int, symbols: np.ndarray) -> tuple[int, np.ndarray]:
        return self.start(state)

    def take(self, state: int, rows: np.ndarray) -> int:
        return len(rows)

    def save(self, folder: pathlib.Path) -> None:
        array_folder.write_contents(folder, HEADER_NAME, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "StaticByteModel":
        contents = array_folder.read_contents(folder, HEADER_NAME, _STATIC_FORMAT_VERSION)
        return cls(contents.arrays["counts"], contents.config["precision"])


def load_byte_model(folder: pathlib.Path) -> ByteModel:
    """Loads a saved byte model by the kind in its header.

    "transformer" is the one upward edge of the package: a compressor may carry an M1, and only a
    compressor that does needs JAX.

    Raises:
      ArtefactError: the folder is no byte model, or is damaged.
    """
    kind = array_folder.read_header(folder, HEADER_NAME)["kind"]
    if kind == StaticByteModel.kind:
        return StaticByteModel.load(folder)
    if kind == NgramByteModel.kind:
        return NgramByteModel.load(folder)
    if kind == "transformer":
        return importlib.import_module("eiw.byte_lm").ByteLM.load(folder)
    raise errors.ArtefactError(
        f"{folder} holds a model of kind {kind!r}; this eiw knows static, ngram and transformer."
    )
