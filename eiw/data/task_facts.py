"""What training has to know of a SeqIO task, for processes that do not import SeqIO."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class TaskFacts:
    """An opened task.

    Attributes:
      name: of the task.
      compressor: what rows say of it, see `token_files.compressor_facts`.
      fingerprint: the compressor's.
      vocab_size: its codes, without special ids.
    """

    name: str
    compressor: dict[str, Any]
    fingerprint: str
    vocab_size: int


@dataclasses.dataclass(frozen=True)
class SplitText:
    """A split's text, in the examples that are compressed.

    Attributes:
      examples: how many.
      bytes: of the raw text, without EOS.
      eos: ends of documents in it.
      sha256: hex digest of all of it.
    """

    examples: int
    bytes: int
    eos: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """What a model is scored on.

    Attributes:
      targets_NT: int32[N, T], the first examples of the split, trimmed and padded.
      tokens: ids of ALL examples of the split, whole and with EOS.
      text: of the whole split.
    """

    targets_NT: np.ndarray
    tokens: int
    text: SplitText

    @property
    def bytes_per_token(self) -> float:
        """The compression ratio of the whole split, as the paper takes it (3.4), without EOS."""
        return self.text.bytes / self.tokens

    @property
    def symbols_per_token(self) -> float:
        """The same ratio as the paper counts it: EOS is a byte."""
        return (self.text.bytes + self.text.eos) / self.tokens
