"""The text that codes stand for, while they come one after another."""

import math
from collections.abc import Sequence

import numpy as np

from eiw import errors, vocab
from eiw.compressors import base
from eiw.compressors.parse import Parse


def texts_of_codes(compressor: base.Compressor) -> list[bytes] | None:
    """The text of each code, b"" for codes that have none; None where one code is no text."""
    if compressor.kind == "bytes":
        return [bytes([byte]) for byte in range(vocab.NUM_BYTES)]
    if compressor.kind == "tunstall":
        return compressor.texts()
    if compressor.kind == "sentencepiece" and compressor.lossless:
        codes = np.arange(compressor.vocab_size, dtype=np.int32)[:, None]
        return compressor.decode_batch(list(codes))
    if compressor.kind == "window_dictionary" and codes_a_group(compressor) == 1:
        return compressor.texts_of_codes()
    return None


def takes_longest(compressor: base.Compressor) -> bool:
    """Whether the encoder always takes the longest entry of a dictionary: see `canonical`."""
    if compressor.kind == "tunstall":
        return compressor.parse == Parse()
    if compressor.kind == "window_dictionary":
        return codes_a_group(compressor) == 1 and compressor.format.window_end == "exact"
    return compressor.kind == "bytes"


class CodeStream:
    """Codes -> bytes, as soon as they are sure.

    Dictionaries give the text of each code at once; windows that are several codes, or parts of
    codes, as soon as they are whole; block streams (AC, Huffman, Equal-Text) and GZip what no code
    that follows can change. ANS, and windows that read on in M1's context, come at the end.

    Args:
      compressor: whose codes these are.
      texts: by `texts_of_codes`.

    Attributes:
      is_streamed: whether bytes come before the end.
    """

    def __init__(self, compressor: base.Compressor, texts: Sequence[bytes] | None) -> None:
        self._compressor, self._texts = compressor, texts
        self._group = codes_a_group(compressor)
        self._codes: list[int] = []
        self._reader = compressor.reader() if hasattr(compressor, "reader") else None
        self.is_streamed = texts is not None or self._group > 0 or self._reader is not None

    def push(self, code: int) -> bytes:
        """What becomes sure by one more code; maybe nothing.

        Raises:
          InputError: the codes are none of any text.
        """
        if self._texts is not None:
            return self._texts[code]
        if self._reader is not None:
            return self._reader.push(code)
        self._codes.append(code)
        if len(self._codes) != self._group:
            return b""
        group, self._codes = np.array(self._codes, np.int32), []
        return self._compressor.decode(group)

    def finish(self) -> bytes:
        """What the codes that are left stand for, or nothing: a part of a window has no text."""
        if not self._codes:
            return b""
        try:
            return self._compressor.decode(np.array(self._codes, np.int32))
        except errors.InputError:
            return b""


def codes_a_group(compressor: base.Compressor) -> int:
    """Codes after which windows and codes end together, with M1 at a fresh start; 0 for never."""
    if compressor.kind not in ("window_dictionary", "lazy_windows", "equal_info"):
        return 0
    settings = compressor.format
    if not settings.reset_every:
        return 0
    bits = math.lcm(settings.window_bits * settings.reset_every, settings.token_bits)
    return bits // settings.token_bits
