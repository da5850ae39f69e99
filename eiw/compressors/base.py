"""What every compressor offers: bytes to codes and back."""

import abc
import pathlib
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from eiw import errors
from eiw.coding import byte_model

# Bytes to encode at a time: enough texts that few are left over when several are encoded in turns.
ENCODE_GROUP = 1 << 20
# Codes to decode at a time: as many as stay in cache with their texts, so that threads take turns
# with the GIL seldom.
DECODE_GROUP = 1 << 18


class Compressor(abc.ABC):
    """Turns bytes into codes 0 .. vocab_size - 1 and back.

    Codes are a compressor's own numbering: the special ids of a stream (padding, EOS) are added by
    whoever builds the stream and are never counted here.

    Attributes:
      kind: what `load` dispatches on; one for each class.
      method: the paper's name for the family, as in its tables ("EqualInfoAC").
      name: names one setting, usable as a folder and in a task ("equal_info_b16_v65k").
      variant: what differs from the default of `name`, "" for nothing.
      carries_m1: whether a saved folder has a byte model in it; `load` then takes
        `allow_mismatch`, see `artefact.read_byte_model`.
      vocab_size: number of codes.
      lossless: whether `decode(encode(data)) == data` for any bytes.
      m1_fingerprint: of the byte model that decided the codes, "" for none.
      runs_m1: whether that model runs at run time, and so counts in FLOPs/byte.
      m1_params: parameters in its kernels, where it is a network that runs; else 0.
      m1_flops: operations of its products a byte, the head's among them; likewise.
      window_bits: bits of an Equal-Info Window, 0 for compressors without windows.
    """

    kind: ClassVar[str]
    method: ClassVar[str]
    carries_m1: ClassVar[bool] = False
    name: str
    variant: str = ""
    vocab_size: int
    lossless: bool = True
    m1_fingerprint: str = ""
    runs_m1: bool = False
    m1_params: int = 0
    m1_flops: float = 0.0
    window_bits: int = 0

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """sha256 of all that decides the codes, 64 hex digits; the same after save and load."""

    @abc.abstractmethod
    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """The codes of each text, int32[n]. A text's codes do not depend on its neighbours."""

    @abc.abstractmethod
    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """The text of each int[n] of codes.

        Raises:
          InputError: a code is out of range, or the codes are none that an encoder makes.
        """

    @abc.abstractmethod
    def save(self, folder: pathlib.Path) -> None:
        """Writes the compressor to `folder`, in place of the compressor that was there.

        Raises:
          InputError: the folder cannot be written, or holds something else.
        """

    def _run_m1(self, model: byte_model.ByteModel) -> None:
        """Notes that `model` decides the codes, and that it runs to encode and decode."""
        self.runs_m1 = True
        self.m1_fingerprint = model.fingerprint
        # A model that is a table says nothing of these.
        self.m1_params = getattr(model, "kernel_params", 0)
        self.m1_flops = getattr(model, "flops", 0.0)

    def encode(self, data: bytes) -> np.ndarray:
        """The codes of one text, int32[n]; any bytes, and none for none."""
        return self.encode_batch([data])[0]

    def decode(self, codes: np.ndarray) -> bytes:
        """The text of int[n] codes; raises as `decode_batch` does."""
        return self.decode_batch([codes])[0]

    def bytes_per_token(self, data: bytes) -> float:
        """How many bytes of `data` a code stands for on average (the paper's compression ratio).

        Raises:
          InputError: `data` is empty.
        """
        if not data:
            raise errors.InputError("No text has no bytes per token: give at least one byte.")
        return len(data) / len(self.encode(data))


def checked_codes(codes: np.ndarray, vocab_size: int) -> np.ndarray:
    """`codes` as int32[n], once they are known to be codes; the array itself where it can be.

    Raises:
      InputError: one is not in 0 .. vocab_size - 1, or they are no list of integers.
    """
    codes = np.asarray(codes)
    if codes.size == 0:
        return np.zeros(0, np.int32)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise errors.InputError(
            f"Codes must be a list of integers, not {codes.dtype}{list(codes.shape)}."
        )
    if codes.min() < 0 or codes.max() >= vocab_size:
        raise errors.InputError(
            f"Codes must be in 0..{vocab_size - 1}; these reach from {codes.min()} to "
            f"{codes.max()}. Were the special ids taken off?"
        )
    return codes.astype(np.int32, copy=False)


def in_groups(items: Sequence, work: Callable[[Sequence], list], group_size: int) -> list:
    """`work(items)`, done for a few items after another, which bounds the memory that it takes.

    Args:
      items: of any lengths.
      work: from several items to a result for each.
      group_size: length of the items of a group together, or of its only item.
    """
    results, first, size = [], 0, 0
    for index, item in enumerate(items):
        size += len(item)
        if size >= group_size:
            results += work(items[first : index + 1])
            first, size = index + 1, 0
    return results + work(items[first:]) if first < len(items) else results


def checked_token_bits(token_bits: int) -> int:
    """`token_bits`, once it is one that streams of bits are cut into: 1, 8 or 16.

    One bit a token is the paper's control (5.1): the raw bits of arithmetic coding, vocabulary 2.

    Raises:
      InputError: it is another.
    """
    if token_bits not in (1, 8, 16):
        raise errors.InputError(f"token_bits={token_bits} must be 1, 8 or 16.")
    return token_bits


def size_label(vocab_size: int) -> str:
    """A vocabulary's size as names have it: "v256", "v65k"; of one-bit tokens "raw_bits"."""
    if vocab_size == 2:
        return "raw_bits"
    return f"v{vocab_size if vocab_size < 1000 else f'{vocab_size // 1000}k'}"
