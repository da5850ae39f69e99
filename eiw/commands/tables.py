"""Tables of results on a terminal."""

from collections.abc import Sequence
from typing import Any


def rounded(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with floats as text of four digits."""
    return [
        {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    ]


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Aligned columns: names to the left, numbers to the right."""
    lines = [list(columns), *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
