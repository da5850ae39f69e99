"""GZip: the compressor that everyone has, as tokens (Lester et al. 2024, 3.3 and A.4)."""

import pathlib
import zlib
from collections.abc import Sequence

import numpy as np

from eiw import errors
from eiw.coding import bits
from eiw.compressors import artefact, base

# zlib's window of 2^15 bytes; negative means raw deflate, without header and footer.
_WINDOW_BITS = zlib.MAX_WBITS
_LEVELS = range(-1, 10)


class GZip(base.Compressor):
    """zlib over each text, its bytes cut into tokens.

    A stream of an odd number of bytes is followed by one zero byte when tokens have 16 bits. The
    decoder knows it for what it is, because deflate ends itself.

    With header and footer (two and four bytes a text) an altered stream is found out by its
    checksum. Without them most are, by deflate's own rules; the others decode to another text.

    Args:
      level: 0 to 9, or -1 for zlib's default, as in the paper. Other releases of zlib may compress
        otherwise at the same level; all of them decode all streams.
      header: whether zlib's header and footer are kept.
      token_bits: 1, 8 or 16.

    Raises:
      InputError: a setting is out of range.
    """

    kind = "gzip"
    method = "GZip"

    def __init__(self, level: int = -1, *, header: bool = True, token_bits: int = 8) -> None:
        if level not in _LEVELS:
            raise errors.InputError(f"level={level} must be in -1..9; -1 is zlib's default.")
        self._level = level
        self._window_bits = _WINDOW_BITS if header else -_WINDOW_BITS
        self._token_bits = base.checked_token_bits(token_bits)
        self.vocab_size = 1 << token_bits
        parts = ["" if level == -1 else f"level{level}", "" if header else "no_header"]
        self.variant = "_".join(filter(None, parts))
        self.name = "_".join(filter(None, ["gzip", base.size_label(self.vocab_size), *parts]))
        config = {"level": level, "header": header, "token_bits": token_bits}
        self._contents = artefact.artefact_contents(self.kind, config, {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return [self._encode(text) for text in texts]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return [self._decode(base.checked_codes(row, self.vocab_size)) for row in codes]

    def reader(self) -> "GZipReader":
        """Reads the codes of one text, one after another."""
        return GZipReader(self._window_bits, self._token_bits)

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "GZip":
        config = artefact.read_artefact(folder, cls.kind).config
        return cls(config["level"], header=config["header"], token_bits=config["token_bits"])

    def _encode(self, text: bytes) -> np.ndarray:
        if not text:  # no codes for no text, as everywhere, although zlib would write eight bytes
            return np.zeros(0, np.int32)
        stream = zlib.compress(text, self._level, self._window_bits)
        stream_bits = np.unpackbits(np.frombuffer(stream, np.uint8))
        return bits.bits_to_tokens(stream_bits, self._token_bits)

    def _decode(self, codes: np.ndarray) -> bytes:
        if not len(codes):
            return b""
        stream = np.packbits(bits.tokens_to_bits(codes, self._token_bits)).tobytes()
        decoder = zlib.decompressobj(self._window_bits)
        try:
            text = decoder.decompress(stream)
        except zlib.error as error:
            raise errors.InputError(
                f"The codes are no {self.name} stream: zlib says {error}."
            ) from error
        if not decoder.eof or len(codes) * self._token_bits % 8:
            raise errors.InputError("The codes are truncated: the compressed text does not end.")
        padding = -(len(stream) - len(decoder.unused_data)) * 8 % self._token_bits // 8
        if decoder.unused_data != bytes(padding):
            raise errors.InputError("After the end of the compressed text there are more codes.")
        if not text:
            raise errors.InputError("The codes stand for no text, which has no codes.")
        return text


class GZipReader:
    """Codes of one text -> its bytes, as zlib inflates them.

    Args:
      window_bits: zlib's, of the format.
      token_bits: bits of a code.
    """

    def __init__(self, window_bits: int, token_bits: int) -> None:
        self._inflate, self._token_bits = zlib.decompressobj(window_bits), token_bits
        self._codes: list[int] = []

    def push(self, code: int) -> bytes:
        """What is known by one more code; maybe nothing.

        Raises:
          InputError: the codes are none of any text.
        """
        if self._inflate.eof:
            raise errors.InputError("After the end of the compressed text there are more codes.")
        self._codes.append(code)
        if len(self._codes) * self._token_bits % 8:
            return b""
        codes, self._codes = np.array(self._codes), []
        try:
            octets = np.packbits(bits.tokens_to_bits(codes, self._token_bits))
            return self._inflate.decompress(octets.tobytes())
        except zlib.error as error:
            raise errors.InputError(f"The codes are no such stream: zlib says {error}.") from error
