"""How fast Equal-Info Windows are made under a running M1, beside a plain loop over bytes."""

import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from eiw import byte_lm, errors, progress
from eiw.compressors import equal_info, lazy_windows


def measure_windows(
    m1_folder: pathlib.Path,
    documents: Sequence[bytes],
    *,
    window_bits: int = 32,
    token_bits: int = 16,
    loop_bytes: int = 300,
    repeats: int = 5,
) -> dict[str, Any]:
    """Times windows side by side and one after the other, in turns, in this process.

    The loop is the reference: one document, one byte at a time, Python's integers. It runs M1 once
    as it is exported, so that its codes are the same, and once with one row to a batch, which is
    the fastest for it ("loop_one_row").

    Args:
      m1_folder: an exported M1.
      documents: what is encoded and decoded in one batch.
      window_bits, token_bits: of the windows.
      loop_bytes: of the first documents, for the loop.
      repeats: of everything, the order kept; medians count.

    Returns:
      Rates in kB (1000 bytes) per CPU second of all threads, "_wall" per second: of the batch with
      nothing known of M1's answers ("cold"), with all of them known ("warm", M1 is not run), of all
      documents as one text ("one_text"), of the loop; `times_loop`, cold encoding over the faster
      loop, `times_loop_same_codes` over the other; `peak_rss_mb` of the process.

    Raises:
      InputError: there is no text, or the codes are not the same, or do not come back.
    """
    text = b"".join(documents)
    if not text:
        raise errors.InputError("No text to measure with: give documents.")
    m1 = byte_lm.ByteLM.load(m1_folder)
    m1_one_row = byte_lm.ByteLM.load(m1_folder, rows=1)
    short = text[:loop_bytes]
    loop = equal_info.EqualInfoWindows(m1, window_bits, token_bits)
    loop_one_row = equal_info.EqualInfoWindows(m1_one_row, window_bits, token_bits)
    warm = lazy_windows.LazyWindows(m1, window_bits, token_bits)
    codes = warm.encode_batch(documents)
    _check(warm.decode_batch(codes) == list(documents), "documents do not come back")
    _check(warm.encode(short).tolist() == loop.encode(short).tolist(), "the loop's codes differ")
    loop_one_row.encode(short[:20])  # compiles

    def cold() -> lazy_windows.LazyWindows:
        return lazy_windows.LazyWindows(m1, window_bits, token_bits)

    tasks: dict[str, tuple[int, Callable[[], Any]]] = {
        "encode_cold": (len(text), lambda: cold().encode_batch(documents)),
        "loop_one_row": (len(short), lambda: loop_one_row.encode(short)),
        "loop": (len(short), lambda: loop.encode(short)),
        "decode_cold": (len(text), lambda: cold().decode_batch(codes)),
        "encode_one_text": (len(text), lambda: cold().encode(text)),
        "encode_warm": (len(text), lambda: warm.encode_batch(documents)),
        "decode_warm": (len(text), lambda: warm.decode_batch(codes)),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in progress.track(range(repeats), "Timing windows", unit="round"):
        for name, (_, work) in tasks.items():
            began = time.process_time(), time.perf_counter()
            work()
            ended = time.process_time(), time.perf_counter()
            seconds[name].append((ended[0] - began[0], ended[1] - began[1]))
    rates = {}
    for name, (size, _) in tasks.items():
        cpu, wall = zip(*seconds[name], strict=True)
        rates[name] = size / statistics.median(cpu) / 1000
        rates[f"{name}_wall"] = size / statistics.median(wall) / 1000
    return {
        "window_bits": window_bits,
        "token_bits": token_bits,
        "m1_fingerprint": m1.fingerprint,
        "backend": m1.backend,
        "documents": len(documents),
        "text_bytes": len(text),
        "bytes_per_token": len(text) / sum(map(len, codes)),
        "nodes": warm.num_nodes,
        "kb_per_cpu_s": {name: round(rate, 4) for name, rate in rates.items()},
        "times_loop": round(rates["encode_cold"] / rates["loop_one_row"], 2),
        "times_loop_wall": round(rates["encode_cold_wall"] / rates["loop_one_row_wall"], 2),
        "times_loop_same_codes": round(rates["encode_cold"] / rates["loop"], 2),
        "peak_rss_mb": _peak_rss_mb(),
    }


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise errors.InputError(f"The measurement is void: {what}.")


def _peak_rss_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
