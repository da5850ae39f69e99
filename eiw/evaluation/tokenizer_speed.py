"""How fast tokenizers are, side by side in one process."""

import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

from eiw import compressors, progress
from eiw.evaluation import speed

_MEGA = 1e6
# Batches that two threads share: enough that they end at about the same time, and each of so much
# text that handing it to a thread, which wakes that thread, is little beside it.
_THREAD_BATCHES = 16
_THREAD_BATCH_BYTES = 2_000_000
_MOST_REPEATS = 50
_HASHED_BYTES = 4_000_000


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """What is measured.

    Attributes:
      name: for the table.
      vocab_size: number of ids.
      encode: from several documents to the ids of each.
      decode: back.
      takes_text: whether its documents are str, not bytes. Making them is not measured.
      runs_m1: whether a network runs, so that little text must do.
      is_ours: whether it is one of this package.
    """

    name: str
    vocab_size: int
    encode: Callable[[Sequence], Sequence]
    decode: Callable[[Sequence], Sequence]
    takes_text: bool = False
    runs_m1: bool = False
    is_ours: bool = False


def compressor_tokenizer(name: str, compressor: compressors.Compressor) -> Tokenizer:
    """One of ours."""
    return Tokenizer(
        name,
        compressor.vocab_size,
        compressor.encode_batch,
        compressor.decode_batch,
        runs_m1=compressor.runs_m1,
        is_ours=True,
    )


def measure(
    tokenizers: Sequence[Tokenizer], documents: Sequence[bytes], rounds: int
) -> list[dict[str, Any]]:
    """Encodes and decodes all documents with each, once to warm up and then `rounds` times.

    Returns:
      A row for each: name, encode_mb_per_cpu_s, decode_mb_per_cpu_s (10^6 bytes of UTF-8),
      bytes_per_token, vocab_size, lossless, is_ours, text_bytes and rounds.
    """
    text_bytes = sum(map(len, documents))
    texts = [document.decode(errors="replace") for document in documents]
    with progress.bar("Measuring", 2 * len(tokenizers) * (rounds + 1), "pass") as bar:
        encoded = speed.median_seconds(
            [
                functools.partial(one.encode, texts if one.takes_text else documents)
                for one in tokenizers
            ],
            rounds,
            bar.update,
        )
        decoded = speed.median_seconds(
            [
                functools.partial(one.decode, ids)
                for one, (_, ids) in zip(tokenizers, encoded, strict=True)
            ],
            rounds,
            bar.update,
        )
    return [
        {
            "name": one.name,
            "encode_mb_per_cpu_s": text_bytes / _MEGA / encode_seconds,
            "decode_mb_per_cpu_s": text_bytes / _MEGA / decode_seconds,
            "bytes_per_token": text_bytes / sum(map(len, ids)),
            "vocab_size": one.vocab_size,
            "lossless": _as_bytes(back) == list(documents),
            "is_ours": one.is_ours,
            "text_bytes": text_bytes,
            "rounds": rounds,
        }
        for one, (encode_seconds, ids), (decode_seconds, back) in zip(
            tokenizers, encoded, decoded, strict=True
        )
    ]


def measure_threads(
    tokenizers: Sequence[Tokenizer], documents: Sequence[bytes], rounds: int
) -> list[dict[str, Any]]:
    """How much sooner two threads are done with batches of documents than one, by the clock.

    They share 16 batches of about 2 MB, for which the documents come several times. The fastest
    round of each counts: two threads need two cores that nothing else uses.

    Returns:
      A row for each: name, encode_speedup and decode_speedup. First one of a hash function, which
      has nothing to wait for: what two threads can be at best on this machine, now.
    """
    batches = _batches(documents)
    with (
        progress.bar("Measuring threads", len(tokenizers), "tokenizer") as bar,
        futures.ThreadPoolExecutor(1) as one,
        futures.ThreadPoolExecutor(2) as two,
    ):
        hashed = [bytes(_HASHED_BYTES)] * _THREAD_BATCHES
        best = _speedup(one, two, lambda data: hashlib.blake2b(data).digest(), hashed, rounds)
        rows = [{"name": "(two cores)", "encode_speedup": best, "decode_speedup": best}]
        for tokenizer in tokenizers:
            encoded = [tokenizer.encode(batch) for batch in batches]
            rows.append(
                {
                    "name": tokenizer.name,
                    "encode_speedup": _speedup(one, two, tokenizer.encode, batches, rounds),
                    "decode_speedup": _speedup(one, two, tokenizer.decode, encoded, rounds),
                }
            )
            bar.update(1)
    return rows


def _batches(documents: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The documents, repeated until there is enough text of them, in batches of as many each."""
    wanted = _THREAD_BATCHES * _THREAD_BATCH_BYTES
    repeats = min(-(-wanted // max(1, sum(map(len, documents)))), _MOST_REPEATS)
    repeated = [*documents] * repeats
    size = -(-len(repeated) // _THREAD_BATCHES)
    return [repeated[first : first + size] for first in range(0, len(repeated), size)]


def _speedup(
    one: futures.Executor, two: futures.Executor, work: Callable, batches: Sequence, rounds: int
) -> float:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for executor, measured in zip((one, two), seconds, strict=True):
            started = time.perf_counter()
            # Results are dropped as they come: memory that stays would be new for every batch.
            for _ in executor.map(work, batches):
                pass
            measured.append(time.perf_counter() - started)
    return min(seconds[0]) / min(seconds[1])


def _as_bytes(documents: Sequence[bytes | str]) -> list[bytes]:
    return [
        document.encode(errors="replace") if isinstance(document, str) else bytes(document)
        for document in documents
    ]
