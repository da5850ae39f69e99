"""Equal-Text windows, which the paper considers and does not build (Lester et al. 2024, B)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eiw import errors
from eiw.coding import arithmetic_coder, byte_model
from eiw.compressors import artefact, base, forward_stream


class EqualText(forward_stream.ForwardStream):
    """Windows of equally many bytes, each coded by AC to as many tokens as it takes.

    M1 and the coder start afresh with each window, so what is coded is blocks of `window_bytes`:
    a window ends with its last byte, on a whole token. Without delimiters the decoder knows that
    place from decoding alone. With them, one more code stands between windows, never at an end:
    it says nothing that is not known, but to whoever reads codes without decoding them.

    Args:
      model: M1, with EOS: without, each window is preceded by its length.
      token_bits: 1, 8 or 16.
      delimiters: whether code 2^token_bits stands between two windows.

    Raises:
      InputError: other token_bits, or windows of no bytes.
    """

    kind = "equal_text"
    method = "EqualText"
    short_name = "equal_text"
    coders = (arithmetic_coder.ArithmeticEncoder, arithmetic_coder.ArithmeticDecoder)

    def __init__(
        self,
        model: byte_model.ByteModel,
        token_bits: int = 8,
        window_bytes: int = 8,
        *,
        delimiters: bool = False,
    ) -> None:
        if window_bytes < 1:
            raise errors.InputError(f"window_bytes={window_bytes} must be at least 1.")
        self.delimiter = 1 << base.checked_token_bits(token_bits) if delimiters else None
        super().__init__(model, token_bits, window_bytes)
        # A bit before every window would be much; EOS is an id between windows instead.
        self.codes_eos = False
        size = base.size_label(self.vocab_size)
        self.variant = "delimited" if delimiters else ""
        self.name = "_".join(
            filter(None, [f"{self.short_name}_n{window_bytes}_{size}", self.variant])
        )
        self.vocab_size += delimiters

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        if self.delimiter is None:
            return super().encode_batch(texts)
        windows = [self._windows(text) for text in texts]
        codes = iter(super().encode_batch([window for cut in windows for window in cut]))
        return [self._join([next(codes) for _ in cut]) for cut in windows]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """As `BlockStream.decode_batch`; with delimiters, all windows are decoded side by side.

        Raises:
          InputError: a code is out of range, or the codes are none that the encoder makes.
        """
        if self.delimiter is None:
            return super().decode_batch(codes)
        parts = [self._split(base.checked_codes(one, self.vocab_size)) for one in codes]
        windows = iter(super().decode_batch([window for cut in parts for window in cut]))
        texts = [[next(windows) for _ in cut] for cut in parts]
        if any(cut != self._windows(b"".join(cut)) for cut in texts):
            raise errors.InputError(
                f"Delimiters do not stand where windows of {self.block_bytes} bytes end."
            )
        return [b"".join(cut) for cut in texts]

    def closed(self, text: bytes) -> np.ndarray:
        codes = super().closed(text)
        return codes if self.delimiter is None else np.append(codes, np.int32(self.delimiter))

    def _config(self) -> dict[str, Any]:
        return {
            "token_bits": self._token_bits,
            "window_bytes": self.block_bytes,
            "delimiters": self.delimiter is not None,
            **artefact.model_facts(self._model),
        }

    def _windows(self, text: bytes) -> list[bytes]:
        size = self.block_bytes
        return [text[start : start + size] for start in range(0, len(text), size)]

    def _join(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        delimiter = np.array([self.delimiter], np.int32)
        parts = [part for window in windows for part in (delimiter, window)][1:]
        return np.concatenate([np.zeros(0, np.int32), *parts])

    def _split(self, codes: np.ndarray) -> list[np.ndarray]:
        if not len(codes):
            return []
        places = np.flatnonzero(codes == self.delimiter)
        first, *others = np.split(codes, places)
        return [first, *(window[1:] for window in others)]
