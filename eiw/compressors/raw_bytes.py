"""The Bytes baseline (Lester et al. 2024, 3.6): every byte is a code."""

import pathlib
from collections.abc import Sequence

import numpy as np

from eiw import vocab
from eiw.compressors import artefact, base


class RawBytes(base.Compressor):
    """Code b is byte b, as in ByT5's vocabulary."""

    kind = "bytes"
    method = "Bytes"
    name = "bytes"
    vocab_size = vocab.NUM_BYTES

    def __init__(self) -> None:
        self._contents = artefact.artefact_contents(self.kind, {}, {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(text, np.uint8).astype(np.int32) for text in texts]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return [
            base.checked_codes(text_codes, self.vocab_size).astype(np.uint8).tobytes()
            for text_codes in codes
        ]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "RawBytes":
        artefact.read_artefact(folder, cls.kind)
        return cls()
