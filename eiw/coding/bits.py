"""Bits, and tokens of N bits cut from them.

Everywhere in eiw the first bit is the most significant one:

    bits     1 0 1 1 0 0 0 1   0 1 1 . . . . .       . = padding, always 0
    tokens  |---- 0xB1 ----- | ----- 0x60 ---- |     of 8 bits
            |-------------- 0xB160 ----------- |     of 16 bits
"""

import numpy as np

from eiw import errors


class BitWriter:
    """Collects unsigned integers of any width, one after another."""

    def __init__(self) -> None:
        self._bits: list[np.ndarray] = []

    def write(self, value: int, width: int) -> None:
        """Appends the `width` low bits of `value`.

        Raises:
          ValueError: `value` is negative or needs more than `width` bits.
        """
        self._bits.append(bits_of(value, width))

    def tokens(self, token_bits: int) -> np.ndarray:
        """All bits so far as tokens, int32[n]; the last one is padded with zeros."""
        bits = np.concatenate(self._bits) if self._bits else np.zeros(0, np.uint8)
        return bits_to_tokens(bits, token_bits)


class BitReader:
    """Reads back what a `BitWriter` wrote.

    Attributes:
      remaining: the bits not yet read, padding included.
    """

    def __init__(self, tokens: np.ndarray, token_bits: int) -> None:
        self._bits = tokens_to_bits(tokens, token_bits)
        self.remaining = len(self._bits)

    def read(self, width: int) -> int:
        """The next `width` bits as an unsigned integer.

        Raises:
          InputError: fewer are left.
        """
        if width > self.remaining:
            raise errors.InputError(
                f"The tokens end early: {width} more bits are needed and {self.remaining} are left."
            )
        start = len(self._bits) - self.remaining
        self.remaining -= width
        octets = np.packbits(np.pad(self._bits[start : start + width], (-width % 8, 0)))
        return int.from_bytes(octets.tobytes(), "big")


def bits_of(value: int, width: int) -> np.ndarray:
    """The `width` bits of an unsigned integer, uint8[width] of 0 and 1.

    Raises:
      ValueError: `value` is negative or needs more than `width` bits.
    """
    if not 0 <= value < 1 << width:
        raise ValueError(f"{value} is no unsigned integer of {width} bits")
    num_bytes = -(-width // 8)
    octets = np.frombuffer(value.to_bytes(num_bytes, "big"), np.uint8)
    return np.unpackbits(octets)[8 * num_bytes - width :]


def bits_to_tokens(bits: np.ndarray, token_bits: int) -> np.ndarray:
    """Cuts bits (any integers 0 or 1, [n]) into int32[ceil(n / token_bits)], zeros at the end.

    Raises:
      ValueError: tokens of more than 31 bits.
    """
    if not 1 <= token_bits <= 31:
        raise ValueError(f"tokens of {token_bits} bits are no int32")
    word = _word_bits(token_bits)
    if word == token_bits:
        packed = np.packbits(bits)
        octets = np.zeros(-(-len(bits) // word) * word // 8, np.uint8)
        octets[: len(packed)] = packed
        return octets.view(f">u{word // 8}").astype(np.int32)
    rows = np.pad(bits, (0, -len(bits) % token_bits)).reshape(-1, token_bits)
    words = np.packbits(np.pad(rows, ((0, 0), (word - token_bits, 0))))
    return words.view(f">u{word // 8}").astype(np.int32)


def tokens_to_bits(tokens: np.ndarray, token_bits: int) -> np.ndarray:
    """The bits of int[n] tokens, uint8[n * token_bits] of 0 and 1.

    Raises:
      InputError: a token is negative or needs more than `token_bits` bits.
    """
    tokens = np.asarray(tokens)
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < 1 << token_bits:
        raise errors.InputError(
            f"Token ids must be in 0..{(1 << token_bits) - 1}; "
            f"these reach from {tokens.min()} to {tokens.max()}."
        )
    word = _word_bits(token_bits)
    words = np.unpackbits(tokens.astype(f">u{word // 8}").view(np.uint8)).reshape(-1, word)
    return words[:, word - token_bits :].reshape(-1)


def _word_bits(token_bits: int) -> int:
    """Tokens pass through words of whole bytes, which numpy packs at memory speed."""
    return next(word for word in (8, 16, 32) if token_bits <= word)
