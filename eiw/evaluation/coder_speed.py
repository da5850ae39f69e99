"""How fast the coders are, given integer CDFs that are in cache."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eiw import progress
from eiw.coding import ans_coder, arithmetic_coder, cdf
from eiw.evaluation import speed

_MEGA = 1e6
# Texts that are coded side by side where every symbol has a CDF of its own, as under M1.
_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Coder:
    """What is measured.

    Attributes:
      name: for the table.
      encode: from uint8[n] blocks to a code for each.
      decode: from the codes to blocks.
      count_bits: of all codes together.
    """

    name: str
    encode: Callable[[Sequence[np.ndarray]], Any]
    decode: Callable[[Any], Sequence[np.ndarray]]
    count_bits: Callable[[Any], int]


def our_coders(symbols: np.ndarray) -> list[Coder]:
    """Ours at the paper's precision, with the distribution of uint8[n] symbols."""
    row_cdf = cdf.cdf_from_weights(np.bincount(symbols, minlength=256) + 1)
    ac = arithmetic_coder.ArithmeticEncoder, arithmetic_coder.ArithmeticDecoder
    ans = ans_coder.AnsEncoder, ans_coder.AnsDecoder
    return [
        _one_cdf("arithmetic coder", ac, row_cdf),
        _one_cdf("ANS", ans, row_cdf),
        _many_cdfs(f"arithmetic coder, {_ROWS} CDFs", ac, row_cdf),
        _many_cdfs(f"ANS, {_ROWS} CDFs", ans, row_cdf),
    ]


def _one_cdf(name: str, coder: tuple[type, type], row_cdf: np.ndarray) -> Coder:
    """A block after another, all with one CDF."""

    def encode(blocks: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray]]:
        codes = []
        for block in blocks:
            encoder = coder[0](1, len(block), cdf.PRECISION)
            encoder.encode_run(0, row_cdf, block)
            codes.append((len(block), encoder.finish(0)))
        return codes

    def decode(codes: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        blocks = []
        for length, bits in codes:
            decoder = coder[1](bits, [0], [len(bits)], cdf.PRECISION)
            blocks.append(decoder.decode_run(0, row_cdf, length, -1))
            decoder.finish(0, 1)
        return blocks

    return Coder(name, encode, decode, lambda codes: sum(len(bits) for _, bits in codes))


def _many_cdfs(name: str, coder: tuple[type, type], row_cdf: np.ndarray) -> Coder:
    """Blocks side by side, a symbol of each at a time, each row with a CDF of its own."""
    weights = np.diff(row_cdf.astype(np.int64))
    cdfs = np.stack([cdf.cdf_from_weights(weights + row) for row in range(_ROWS)])

    def encode(blocks: Sequence[np.ndarray]) -> list[tuple[list[int], list[np.ndarray]]]:
        codes = []
        for first in range(0, len(blocks), _ROWS):
            lengths = np.array([len(block) for block in blocks[first : first + _ROWS]])
            encoder = coder[0](len(lengths), lengths.max(), cdf.PRECISION)
            symbols = np.zeros((lengths.max(), len(lengths)), np.int64)
            for row, block in enumerate(blocks[first : first + _ROWS]):
                symbols[: len(block), row] = block
            for place, now in enumerate(symbols):
                rows = np.flatnonzero(lengths > place)
                encoder.encode(rows, cdfs[: len(rows)], now[rows])
            codes.append((lengths, [encoder.finish(row) for row in range(len(lengths))]))
        return codes

    def decode(codes: list[tuple[list[int], list[np.ndarray]]]) -> list[np.ndarray]:
        blocks = []
        for lengths, bits in codes:
            ends = np.cumsum([len(one) for one in bits])
            starts = ends - [len(one) for one in bits]
            decoder = coder[1](np.concatenate(bits), starts, ends, cdf.PRECISION)
            symbols = np.zeros((lengths.max(), len(lengths)), np.int64)
            for place, now in enumerate(symbols):
                rows = np.flatnonzero(lengths > place)
                now[rows] = decoder.decode(rows, cdfs[: len(rows)])
            blocks += [symbols[:length, row] for row, length in enumerate(lengths)]
        return blocks

    return Coder(
        name, encode, decode, lambda codes: sum(len(one) for _, bits in codes for one in bits)
    )


def measure(coders: Sequence[Coder], symbols: np.ndarray, block_size: int, rounds: int) -> list:
    """Codes uint8[n] symbols in blocks with each coder, and decodes them.

    Returns:
      A row for each: name, encode_mb_per_cpu_s, decode_mb_per_cpu_s (10^6 symbols), bits_per_symbol
      and lossless.
    """
    blocks = np.split(symbols, range(block_size, len(symbols), block_size))
    with progress.bar("Measuring", 2 * len(coders) * (rounds + 1), "pass") as bar:
        encoded = speed.median_seconds(
            [functools.partial(coder.encode, blocks) for coder in coders], rounds, bar.update
        )
        decoded = speed.median_seconds(
            [
                functools.partial(coder.decode, codes)
                for coder, (_, codes) in zip(coders, encoded, strict=True)
            ],
            rounds,
            bar.update,
        )
    return [
        {
            "name": coder.name,
            "encode_mb_per_cpu_s": len(symbols) / _MEGA / encode_seconds,
            "decode_mb_per_cpu_s": len(symbols) / _MEGA / decode_seconds,
            "bits_per_symbol": coder.count_bits(codes) / len(symbols),
            "lossless": np.array_equal(np.concatenate(back), symbols),
        }
        for coder, (encode_seconds, codes), (decode_seconds, back) in zip(
            coders, encoded, decoded, strict=True
        )
    ]
