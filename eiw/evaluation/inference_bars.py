"""What decoding is held to, and how far measured rows are from it.

A decoder step of a few rows reads every weight once, and does little with each: so time should go
with the bytes read. Methods of equal parameters differ in the output head, which is as wide as
their vocabulary, and in the bytes of text that a step stands for.
"""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

# Share of the time of generation that codes may take on their way back to text.
MOST_DETOKENISING = 0.05
# Of the bytes/s that the Bytes row predicts, and times the Bytes row, from this size on.
LEAST_OF_PREDICTION = 0.85
LEAST_TIMES_BYTES = 2.0
LARGE_PARAMS = 113_000_000
# Of the bandwidth of memory, by the weights of this size.
LEAST_OF_BANDWIDTH = 0.5
SMALL_SIZE = "3m"

REFERENCE = "bytes"


@dataclasses.dataclass(frozen=True)
class Bar:
    """One comparison: `value` against `limit`."""

    name: str
    size: str
    method: str
    batch: int
    value: float
    limit: float
    is_most: bool

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit if self.is_most else self.value >= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        side = "at_most" if self.is_most else "at_least"
        names = ("name", "size", "method", "batch", "value")
        named = {name: getattr(self, name) for name in names}
        return named | {side: self.limit, "is_met": self.is_met}


def predicted_times(row: dict[str, Any], reference: dict[str, Any]) -> float:
    """How many times the bytes/s of `reference` a row has, if time goes with the weights read.

    Both have "bytes_per_step" and "weight_bytes_per_step" (M1's among them, where it runs).
    """
    text = row["bytes_per_step"] / reference["bytes_per_step"]
    return text * reference["weight_bytes_per_step"] / row["weight_bytes_per_step"]


def compare(rows: Sequence[dict[str, Any]]) -> None:
    """Adds to each row how it stands beside the Bytes row of its size and batch, and to memory.

    Ratios are those within a turn of all methods ("turns": what was measured in each), of which the
    median counts, so that a machine that is busy for a while is so for both sides.

    New keys: "times_bytes", "predicted_times_bytes" and "of_prediction", the former over the latter
    (None without a Bytes row); "of_memory_bandwidth".
    """
    references = {(row["size"], row["batch"]): row for row in rows if row["method"] == REFERENCE}
    for row in rows:
        row["of_memory_bandwidth"] = statistics.median(
            turn["weight_bytes_per_s"] / turn["memory_bytes_per_s"] for turn in row["turns"]
        )
        names = ("times_bytes", "predicted_times_bytes", "of_prediction")
        reference = references.get((row["size"], row["batch"]))
        if reference is None:
            row |= dict.fromkeys(names)
            continue
        times = statistics.median(
            ours["bytes_per_s"] / theirs["bytes_per_s"]
            for ours, theirs in zip(row["turns"], reference["turns"], strict=True)
        )
        predicted = predicted_times(row, reference)
        row |= dict(zip(names, (times, predicted, times / predicted), strict=True))


def bars(rows: Sequence[dict[str, Any]], *, on_cpu: bool) -> list[Bar]:
    """The comparisons that rows, after `compare`, allow.

    Detokenising counts where windows are compiled; the prediction and the lead over bytes for large
    models; the bandwidth for the small one at batch 1, on a CPU.
    """
    found = []

    def add(name: str, row: dict[str, Any], value: float, limit: float, is_most: bool) -> None:
        where = (row["size"], row["method"], row["batch"])
        found.append(Bar(name, *where, value, limit, is_most))

    for row in rows:
        if row["is_compiled"]:
            add("detokenise_share", row, row["detokenise_share"], MOST_DETOKENISING, True)
        if row["params"] >= LARGE_PARAMS and row["of_prediction"] is not None:
            if row["method"] != REFERENCE:
                add("of_prediction", row, row["of_prediction"], LEAST_OF_PREDICTION, False)
            if row["is_compiled"]:
                add("times_bytes", row, row["times_bytes"], LEAST_TIMES_BYTES, False)
        if row["size"] == SMALL_SIZE and row["batch"] == 1 and on_cpu:
            share = row["of_memory_bandwidth"]
            add("of_memory_bandwidth", row, share, LEAST_OF_BANDWIDTH, False)
    return found
