"""How far a compressor shortens held-out documents, and whether they come back."""

import dataclasses
import itertools
import math
import pathlib
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from eiw import compressors, errors, progress, vocab
from eiw.data import token_files
from eiw.evaluation import baselines

_BATCH_DOCUMENTS = 256  # neural decoders run as many rows at a time


@runtime_checkable
class LossyWindows(Protocol):
    """Windows of which some decode to another text."""

    def count_lost(self, text: bytes) -> tuple[int, int]:
        """How many windows of `text` decode to something else, and how many there are."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compression:
    """One compressor on held-out documents: sums, so that any ratio can be had of them.

    Attributes:
      name: of its folder.
      compressor_name: what it calls itself, in the words of the SeqIO tasks.
      vocab_size: codes that exist.
      m1_fingerprint: of the byte model behind the codes; empty for none.
      runs_m1: whether that model runs to encode and decode.
      lossless: whether any text comes back by design.
      documents: how many were tried.
      bytes: of their text.
      tokens: codes, without EOS or any other special id.
      lost_documents: those whose codes gave back other bytes, or none.
      windows: Equal-Info Windows in all; None where none can be lost, and they are not counted.
      lost_windows: those that decode to another text.
      uniform_bits_per_byte: see `baselines`; EOS is paid for.
      unigram_bits_per_byte: likewise, with the frequencies of the training text.
      train_tokens: codes and EOS of the training text.
      train_bytes: of that text.
      seconds: of encoding and decoding the documents.
    """

    name: str
    compressor_name: str
    vocab_size: int
    m1_fingerprint: str
    runs_m1: bool
    lossless: bool
    documents: int
    bytes: int
    tokens: int
    lost_documents: int
    windows: int | None
    lost_windows: int | None
    uniform_bits_per_byte: float
    unigram_bits_per_byte: float
    train_tokens: int
    train_bytes: int
    seconds: float

    @property
    def bytes_per_token(self) -> float:
        """The paper's token compression ratio (Table 2)."""
        return self.bytes / self.tokens

    @property
    def bit_ratio(self) -> float:
        """Bits of text over the bits that the codes can hold: the same for tokens of any size."""
        return 8 * self.bytes / (self.tokens * math.log2(self.vocab_size))


def measure(
    name: str,
    compressor: compressors.Compressor,
    documents: Sequence[bytes],
    training: token_files.TokenFile,
    folder: pathlib.Path,
) -> Compression:
    """Encodes and decodes every document, and compares.

    Losing text is counted, not raised: a foreign vocabulary may lose it by design.

    Args:
      name: the row's.
      compressor: what is measured.
      documents: held-out text.
      training: training text after this compressor.
      folder: gets a token file, `held_out`.

    Raises:
      InputError: all documents are empty.
    """
    if not any(documents):
        raise errors.InputError("No bytes/token: the held-out documents are empty.")
    started = time.perf_counter()
    tokens = token_files.write_tokens(folder / "held_out", compressor, documents)
    lost_documents = count_lost(compressor, tokens, documents)
    seconds = time.perf_counter() - started
    windows = lost_windows = None
    if not compressor.lossless and isinstance(compressor, LossyWindows):
        counts = [compressor.count_lost(document) for document in documents]
        lost_windows, windows = map(sum, zip(*counts, strict=True))
    codes = compressor.vocab_size
    return Compression(
        name=name,
        compressor_name=compressor.name,
        vocab_size=codes,
        m1_fingerprint=compressor.m1_fingerprint,
        runs_m1=compressor.runs_m1,
        lossless=compressor.lossless,
        documents=tokens.num_documents,
        bytes=tokens.total_bytes,
        tokens=tokens.num_tokens - tokens.num_documents,
        lost_documents=lost_documents,
        windows=windows,
        lost_windows=lost_windows,
        uniform_bits_per_byte=baselines.uniform_bits_per_byte(
            codes, tokens.num_tokens, tokens.total_bytes
        ),
        unigram_bits_per_byte=baselines.unigram_bits_per_byte(
            training.ids, tokens.ids, codes, tokens.total_bytes
        ),
        train_tokens=training.num_tokens,
        train_bytes=training.total_bytes,
        seconds=seconds,
    )


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
