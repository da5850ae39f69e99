"""The paper's tables of compression (1, 2, 3 and 12) for our text, its own figures beside ours."""

import csv
import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from eiw.analysis import tables

# Lester et al. 2024, D.5: of the sequences that the greedy rule codes, those that decode.
_PAPER_DECODABLE = 0.994
_FIGURES = pathlib.Path(__file__).with_name("paper_compression.csv")


class Row(Protocol):
    """What `eiw evaluate compression` measured of one compressor; see `evaluation.compression`."""

    name: str
    compressor_name: str
    vocab_size: int
    runs_m1: bool
    lossless: bool
    documents: int
    bytes: int
    tokens: int
    lost_documents: int
    windows: int | None
    lost_windows: int | None
    uniform_bits_per_byte: float
    unigram_bits_per_byte: float
    train_tokens: int
    train_bytes: int
    bytes_per_token: float
    bit_ratio: float


@dataclasses.dataclass(frozen=True)
class PaperFigures:
    """What the paper has of one method; None where it has nothing."""

    bytes_per_token: float | None = None
    train_tokens: float | None = None
    train_bytes: float | None = None
    uniform_bits_per_byte: float | None = None
    unigram_bits_per_byte: float | None = None


def paper_figures(compressor_name: str) -> PaperFigures:
    """The paper's figures for a compressor by its name, "equal_info_b16_v65k_delay".

    The paper's windows end greedily: its figures for them stand beside exact ones too.
    """
    with _FIGURES.open(encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    figures = {row.pop("name"): row for row in csv.DictReader(lines)}
    found = figures.get(compressor_name.removesuffix("_greedy"), {})
    return PaperFigures(**{name: float(value) for name, value in found.items() if value})


def compression_report(rows: Sequence[Row], facts: Sequence[tuple[str, str]]) -> str:
    """All tables as markdown.

    Args:
      rows: one a compressor, in the order to print.
      facts: what was measured on, name and value.
    """
    lines = ["# Compression", ""]
    lines += [f"- {name}: {value}" for name, value in facts]
    lines += [
        "",
        "## Ratios (the paper's Tables 1 and 2; its variants from 9, 10, A.1 and A.5)",
        "",
    ]
    lines += _table(
        rows,
        {
            "bytes/token": lambda row, _: f"{row.bytes_per_token:.3f}",
            "paper": lambda _, paper: _fixed(paper.bytes_per_token, 2),
            "text bits/coded bits": lambda row, _: f"{row.bit_ratio:.3f}",
            "codes": lambda row, _: f"{row.vocab_size:,}",
            "runs M1": lambda row, _: "yes" if row.runs_m1 else "no",
            "lossless": lambda row, _: "yes" if row.lossless else "NO",
            "lost documents": lambda row, _: _share(row.lost_documents, row.documents),
            "lost windows": lambda row, _: _share(row.lost_windows, row.windows),
        },
    )
    lines += ["", *_loss_lines(rows)]
    lines += ["## Models that know nothing of the order (the paper's Table 3), bits/byte", ""]
    lines += _table(
        rows,
        {
            "uniform": lambda row, _: f"{row.uniform_bits_per_byte:.3f}",
            "paper's uniform": lambda _, paper: _fixed(paper.uniform_bits_per_byte, 3),
            "unigram": lambda row, _: f"{row.unigram_bits_per_byte:.3f}",
            "paper's unigram": lambda _, paper: _fixed(paper.unigram_bits_per_byte, 3),
        },
    )
    lines += ["", "Each document's EOS is a token here, and is paid for.", ""]
    lines += ["## Training text (the paper's Table 12)", ""]
    lines += _table(
        rows,
        {
            "tokens": lambda row, _: f"{row.train_tokens:,}",
            "bytes": lambda row, _: f"{row.train_bytes:,}",
            "bytes/token": lambda row, _: f"{row.train_bytes / row.train_tokens:.3f}",
            "paper's tokens": lambda _, paper: _short(paper.train_tokens),
            "paper's bytes": lambda _, paper: _short(paper.train_bytes, "B"),
        },
    )
    lines += ["", "Tokens are codes and one EOS a document.", ""]
    lines += [
        "The paper's figures are of C4, and of an M1 of size 3m after 2.5 million steps; its "
        "windows end greedily, and stand beside exact ones here."
    ]
    return "\n".join(lines) + "\n"


def _loss_lines(rows: Sequence[Row]) -> list[str]:
    """What greedy windows lose, in words, beside what the paper says of them."""
    lines = []
    for row in rows:
        if row.windows:
            lines += [
                f"{row.name}: {row.windows - row.lost_windows:,} of {row.windows:,} windows "
                f"({1 - row.lost_windows / row.windows:.1%}) and "
                f"{row.documents - row.lost_documents:,} of {row.documents:,} documents "
                f"({1 - row.lost_documents / row.documents:.1%}) come back; the paper reports "
                f"{_PAPER_DECODABLE:.1%} of its sequences (D.5).",
                "",
            ]
    return lines


def _table(
    rows: Sequence[Row], columns: dict[str, Callable[[Row, PaperFigures], str]]
) -> list[str]:
    body = []
    for row in rows:
        paper = paper_figures(row.compressor_name)
        body.append([row.name, *(cell(row, paper) for cell in columns.values())])
    return tables.markdown_lines(["method", *columns], body)


def _fixed(value: float | None, digits: int) -> str:
    return tables.NOT_MEASURED if value is None else f"{value:.{digits}f}"


def _short(value: float | None, unit: str = "") -> str:
    return tables.NOT_MEASURED if value is None else tables.short_number(value, unit)


def _share(count: int | None, total: int | None) -> str:
    """`12 (0.3%)`; of none, `0`."""
    if count is None or not total:
        return tables.NOT_MEASURED
    return f"{count:,} ({count / total:.1%})" if count else "0"
