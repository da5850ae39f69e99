"""What decoding is held to, and how far measured rows are from it.

A decoder step of a few rows reads every weight once, and does little with each: so time should go
with the bytes read. Methods of equal parameters differ in the output head, which is as wide as
their vocabulary, and in the bytes of text that a step stands for.
"""

import dataclasses
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


def predicted_bytes_per_s(row: dict[str, Any], reference: dict[str, Any]) -> float:
    """Bytes/s that `row` should have, were time in proportion to the weights that are read.

    Args:
      row: "bytes_per_step", "weight_bytes_per_step" (M1's among them, where it runs).
      reference: the same and "bytes_per_s": another method of the same size and batch.
    """
    text = row["bytes_per_step"] / reference["bytes_per_step"]
    read = row["weight_bytes_per_step"] / reference["weight_bytes_per_step"]
    return reference["bytes_per_s"] * text / read


def compare(rows: Sequence[dict[str, Any]], memory_bytes_per_s: float) -> None:
    """Adds to each row how it stands beside the Bytes row of its size and batch, and to memory.

    New keys: "predicted_bytes_per_s", "of_prediction" and "times_bytes" (None without a Bytes row);
    "of_memory_bandwidth".
    """
    references = {(row["size"], row["batch"]): row for row in rows if row["method"] == REFERENCE}
    for row in rows:
        row["of_memory_bandwidth"] = row["weight_bytes_per_s"] / memory_bytes_per_s
        reference = references.get((row["size"], row["batch"]))
        if reference is None:
            row |= {"predicted_bytes_per_s": None, "of_prediction": None, "times_bytes": None}
            continue
        predicted = predicted_bytes_per_s(row, reference)
        row["predicted_bytes_per_s"] = predicted
        row["of_prediction"] = row["bytes_per_s"] / predicted
        row["times_bytes"] = row["bytes_per_s"] / reference["bytes_per_s"]


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
