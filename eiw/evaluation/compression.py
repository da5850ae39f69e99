"""How far a compressor shortens held-out documents, and whether they come back."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from eiw import compressors, errors, progress, vocab
from eiw.data import token_files

_BATCH_DOCUMENTS = 256  # neural decoders run as many rows at a time


@dataclasses.dataclass(frozen=True)
class Compression:
    """Sums over documents.

    Attributes:
      documents: how many were tried.
      bytes: of their text.
      tokens: codes, without EOS or any other special id.
      lost_documents: those whose codes gave back other bytes, or none.
      lost_bytes: bytes of the documents lost.
    """

    documents: int
    bytes: int
    tokens: int
    lost_documents: int
    lost_bytes: int

    @property
    def bytes_per_token(self) -> float:
        """The paper's token compression ratio (Table 2).

        Raises:
          InputError: there are no tokens, since all documents are empty.
        """
        if not self.tokens:
            raise errors.InputError("No bytes/token: the documents are empty.")
        return self.bytes / self.tokens


def measure(compressor: compressors.Compressor, documents: Iterable[bytes]) -> Compression:
    """Encodes and decodes every document, and compares.

    Losing text is counted, not raised: a foreign vocabulary may lose it by design.
    """
    counts = Compression(0, 0, 0, 0, 0)
    with progress.bar(f"Round trip {compressor.name}", unit="B") as bar:
        remaining = iter(documents)
        while batch := list(itertools.islice(remaining, _BATCH_DOCUMENTS)):
            encoded = compressor.encode_batch(batch)
            decoded = _decode(compressor, encoded)
            lost = [len(text) for text, back in zip(batch, decoded, strict=True) if text != back]
            size = sum(map(len, batch))
            added = (len(batch), size, sum(map(len, encoded)), len(lost), sum(lost))
            counts = Compression(*map(sum, zip(dataclasses.astuple(counts), added, strict=True)))
            bar.update(size)
    return counts


def count_lost(
    compressor: compressors.Compressor, tokens: token_files.TokenFile, documents: Sequence[bytes]
) -> int:
    """Documents that do not come back from what `write_tokens` made of them."""
    lost = 0
    with progress.bar(f"Reading back {compressor.name}", sum(map(len, documents)), "B") as bar:
        for start in range(0, len(documents), _BATCH_DOCUMENTS):
            batch = documents[start : start + _BATCH_DOCUMENTS]
            bounds = tokens.offsets[start : start + len(batch) + 1]
            # EOS, the last id of each document, is no code.
            codes = [
                tokens.ids[first : end - 1].astype(np.int32) - vocab.NUM_SPECIAL_IDS
                for first, end in itertools.pairwise(bounds)
            ]
            decoded = _decode(compressor, codes)
            lost += sum(text != back for text, back in zip(batch, decoded, strict=True))
            bar.update(sum(map(len, batch)))
    return lost


def _decode(compressor: compressors.Compressor, encoded: Sequence) -> list[bytes | None]:
    """The documents of all codes; None for those that the decoder refuses."""
    try:
        return list(compressor.decode_batch(list(encoded)))
    except errors.InputError:
        return [_decode_one(compressor, ids) for ids in encoded]


def _decode_one(compressor: compressors.Compressor, ids: Sequence) -> bytes | None:
    try:
        return compressor.decode(ids)
    except errors.InputError:
        return None
