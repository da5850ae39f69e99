"""The Bytes baseline (Lester et al. 2024, 3.6): every byte is a code."""

import itertools
import pathlib
from collections.abc import Sequence

import numpy as np

from eiw import vocab
from eiw.compressors import artefact, base, text_table


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
        return base.in_groups(texts, _encode_group, base.ENCODE_GROUP)

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return base.in_groups(codes, self._decode_group, base.DECODE_GROUP)

    def _decode_group(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        joined, starts = text_table.joined_codes(codes, self.vocab_size)
        text = memoryview(joined.astype(np.uint8))
        return [bytes(text[first:end]) for first, end in itertools.pairwise(starts.tolist())]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "RawBytes":
        artefact.read_artefact(folder, cls.kind)
        return cls()


def _encode_group(texts: Sequence[bytes]) -> list[np.ndarray]:
    # All at once, as one conversion for each text would hand the GIL to and fro among threads.
    codes = np.frombuffer(b"".join(texts), np.uint8).astype(np.int32)
    starts = itertools.accumulate(map(len, texts), initial=0)
    return [codes[first:end] for first, end in itertools.pairwise(starts)]
