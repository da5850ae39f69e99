"""How fast tokenizers are, side by side in one process.

Every round measures all of them, one after another, so that whatever else the machine does hits all
alike; of several rounds the median counts. Rates are per second of CPU time of the process, all its
threads together, so that threads are no advantage.
"""

import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

from eiw import compressors, progress

_MEGA = 1e6
# Batches that two threads share: enough that they end at about the same time.
_THREAD_BATCHES = 16


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
    """

    name: str
    vocab_size: int
    encode: Callable[[Sequence], Sequence]
    decode: Callable[[Sequence], Sequence]
    takes_text: bool = False
    runs_m1: bool = False


def compressor_tokenizer(name: str, compressor: compressors.Compressor) -> Tokenizer:
    """One of ours."""
    return Tokenizer(
        name,
        compressor.vocab_size,
        compressor.encode_batch,
        compressor.decode_batch,
        runs_m1=compressor.runs_m1,
    )


def measure(
    tokenizers: Sequence[Tokenizer], documents: Sequence[bytes], rounds: int
) -> list[dict[str, Any]]:
    """Encodes and decodes all documents with each, once to warm up and then `rounds` times.

    Returns:
      A row for each: name, encode_mb_per_cpu_s, decode_mb_per_cpu_s (10^6 bytes of UTF-8),
      bytes_per_token, vocab_size, lossless, text_bytes and rounds.
    """
    text_bytes = sum(map(len, documents))
    texts = [document.decode(errors="replace") for document in documents]
    inputs = [texts if tokenizer.takes_text else documents for tokenizer in tokenizers]
    with progress.bar("Measuring", 2 * len(tokenizers) * (rounds + 1), "pass") as bar:

        def seconds(work: Callable, *arguments: Any) -> float:
            bar.update(1)
            return _cpu_seconds(work, *arguments)

        encoded, decoded = [], []
        for tokenizer, given in zip(tokenizers, inputs, strict=True):
            encoded.append(tokenizer.encode(given))
            decoded.append(tokenizer.decode(encoded[-1]))
            bar.update(2)
        encode_seconds = [
            [seconds(one.encode, given) for one, given in zip(tokenizers, inputs, strict=True)]
            for _ in range(rounds)
        ]
        decode_seconds = [
            [seconds(one.decode, ids) for one, ids in zip(tokenizers, encoded, strict=True)]
            for _ in range(rounds)
        ]
    return [
        {
            "name": tokenizer.name,
            "encode_mb_per_cpu_s": text_bytes / _MEGA / statistics.median(encode_column),
            "decode_mb_per_cpu_s": text_bytes / _MEGA / statistics.median(decode_column),
            "bytes_per_token": text_bytes / sum(map(len, ids)),
            "vocab_size": tokenizer.vocab_size,
            "lossless": _as_bytes(back) == list(documents),
            "text_bytes": text_bytes,
            "rounds": rounds,
        }
        for tokenizer, ids, back, encode_column, decode_column in zip(
            tokenizers,
            encoded,
            decoded,
            zip(*encode_seconds, strict=True),
            zip(*decode_seconds, strict=True),
            strict=True,
        )
    ]


def measure_threads(
    tokenizers: Sequence[Tokenizer], documents: Sequence[bytes], rounds: int
) -> list[dict[str, Any]]:
    """How much sooner two threads are done with batches of documents than one, by the clock.

    Returns:
      A row for each: name, encode_speedup and decode_speedup.
    """
    rows = []
    batches = _batches(documents)
    with (
        progress.bar("Measuring threads", len(tokenizers), "tokenizer") as bar,
        futures.ThreadPoolExecutor(1) as one,
        futures.ThreadPoolExecutor(2) as two,
    ):
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
    size = -(-len(documents) // _THREAD_BATCHES)
    return [documents[first : first + size] for first in range(0, len(documents), size)]


def _speedup(
    one: futures.Executor, two: futures.Executor, work: Callable, batches: Sequence, rounds: int
) -> float:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for executor, measured in zip((one, two), seconds, strict=True):
            started = time.perf_counter()
            results = list(executor.map(work, batches))
            measured.append(time.perf_counter() - started)
            del results
    # The first round warms up.
    return statistics.median(seconds[0][1:]) / statistics.median(seconds[1][1:])


def _cpu_seconds(work: Callable, *arguments: Any) -> float:
    """CPU time of one call. What it returns is dropped after the clock has stopped."""
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        result = work(*arguments)
        elapsed = time.process_time() - started
    finally:
        gc.enable()
    del result
    # A clock of coarse steps may see nothing of a tiny text.
    return max(elapsed, 1e-9)


def _as_bytes(documents: Sequence[bytes | str]) -> list[bytes]:
    return [
        document.encode(errors="replace") if isinstance(document, str) else bytes(document)
        for document in documents
    ]
