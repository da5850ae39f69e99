"""The table of a report, as plain cells: markdown and HTML print the same ones."""

from collections.abc import Callable, Mapping, Sequence

from eiw import rows as rows_lib
from eiw.evaluation import document_scores

NOT_MEASURED = "–"


def current_rows(rows: Sequence[rows_lib.Row]) -> list[rows_lib.Row]:
    """The newest row of each run, methods in the order of their first rows, small sizes first.

    A run that was resumed after its row was written appends that row again: two rows are of one
    run if they agree in its name, method, size, learning rate, seed, steps and corpus.
    """
    newest = {
        (
            *_settings_told(row),
            row.kind,
            row.m1_fingerprint,
            row.corpus_sha256,
            row.run,
        ): row
        for row in rows
    }
    order = list(dict.fromkeys((row.kind, row.method, row.variant) for row in rows))
    return sorted(
        newest.values(),
        key=lambda row: (
            *(order.index((row.kind, row.method, row.variant)), row.params),
            *(row.learning_rate or 0, row.seed),
        ),
    )


def series_label(row: rows_lib.Row, rows: Sequence[rows_lib.Row]) -> str:
    """The method, with its variant where `rows` hold that method in several variants."""
    variants = {other.variant for other in rows if other.method == row.method}
    return f"{row.method}, {row.variant}" if len(variants) > 1 and row.variant else row.method


def short_number(value: float, unit: str = "") -> str:
    """Three digits and a thousands sign: `1.23 M`, with a unit `1.23 MB`."""
    for scale, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale * 0.9995:
            return f"{_three_digits(value / scale)} {sign}{unit}"
    return f"{_three_digits(value)} {unit}".rstrip()


def table_cells(
    rows: Sequence[rows_lib.Row],
    scores: Mapping[rows_lib.Row, Mapping[int | None, document_scores.Score]] | None = None,
) -> tuple[list[str], list[list[str]]]:
    """Headers, and one list of cells for every row, both without any markup.

    Args:
      rows: to be shown.
      scores: what was kept of their documents, by stride, where something was.
    """
    scores = scores or {}
    strides = sorted({stride for kept in scores.values() for stride in kept if stride is not None})

    def sliding(stride: int) -> Callable[[rows_lib.Row], str]:
        return lambda row: bits_with_error(scores.get(row, {}).get(stride))

    columns: dict[str, Callable[[rows_lib.Row], str]] = {
        "method": lambda row: series_label(row, rows),
        "size": lambda row: row.size,
        "bits/byte": bits_with_error,
        **{f"bits/byte, stride {stride}": sliding(stride) for stride in strides},
        "paper's bits/byte": lambda row: _fixed(row.paper_bits_per_byte),
        "uniform bits/byte": lambda row: _fixed(row.uniform_bits_per_byte),
        "unigram bits/byte": lambda row: _fixed(row.unigram_bits_per_byte),
        "bytes/token": lambda row: f"{row.bytes_per_token:.2f}",
        "bytes/step": lambda row: f"{row.bytes_per_token:.2f}",
        "FLOPs/byte": lambda row: short_number(row.flops_per_byte),
        "of it M1": _m1_part,
        "exact FLOPs/byte": lambda row: _optional(row.exact_flops_per_byte),
        "loss nats/token": lambda row: f"{row.loss_nats:.3f}",
        "steps": lambda row: f"{row.steps:,}",
        "tokens seen": lambda row: short_number(row.tokens),
        "bytes seen": lambda row: short_number(row.bytes, "B"),
        "seconds": lambda row: f"{row.seconds:,.0f}",
        "lossless": _lossless,
        "settings": lambda row: _settings(row, rows),
    }
    if len({row.learning_rate for row in rows}) > 1:
        columns["learning rate"] = lambda row: (
            NOT_MEASURED if row.learning_rate is None else f"{row.learning_rate:g}"
        )
    if len({row.seed for row in rows}) > 1:
        columns["seed"] = lambda row: str(row.seed)
    if len(set(map(_settings_told, rows))) < len(rows):
        # As runs of two optimizers.
        columns["run"] = lambda row: row.run or NOT_MEASURED
    return list(columns), [[cell(row) for cell in columns.values()] for row in rows]


def markdown_lines(
    headers: Sequence[str], body: Sequence[Sequence[str]], names: int = 1
) -> list[str]:
    """A table in markdown: the first columns, names, to the left, the numbers to the right."""
    return [
        "| " + " | ".join(headers) + " |",
        "|" + "|".join([":---"] * names + ["---:"] * (len(headers) - names)) + "|",
        *("| " + " | ".join(cells) + " |" for cells in body),
    ]


def bits_with_error(scored: rows_lib.Row | document_scores.Score | None) -> str:
    """`2.104 ± 0.013`: bits/byte with its standard error, as far as they were measured."""
    if scored is None:
        return NOT_MEASURED
    if scored.standard_error is None:
        return f"{scored.bits_per_byte:.3f}"
    return f"{scored.bits_per_byte:.3f} ± {scored.standard_error:.3f}"


def _settings_told(row: rows_lib.Row) -> tuple:
    """What a line of the table says of how its model was made."""
    return row.method, row.variant, row.size, row.learning_rate, row.seed, row.steps


def _three_digits(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{digits}f}"
    return "0" if float(text) == 0 else text


def _fixed(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.3f}"


def _optional(value: float | None) -> str:
    return NOT_MEASURED if value is None else short_number(value)


def _m1_part(row: rows_lib.Row) -> str:
    if row.m1_flops_per_byte == 0:
        return "0"
    share = row.m1_flops_per_byte / row.flops_per_byte
    return f"{short_number(row.m1_flops_per_byte)} ({share:.0%})"


def _settings(row: rows_lib.Row, rows: Sequence[rows_lib.Row]) -> str:
    """Whether the paper fixed how it was trained, or it is the best that was tried."""

    def subject(each: rows_lib.Row) -> tuple:
        return each.method, each.variant, each.m1_fingerprint, each.size, each.corpus_sha256

    tried = [other for other in rows if subject(other) == subject(row)]
    rates = {other.learning_rate for other in tried}
    if len(rates) > 1 and row.bits_per_byte == min(other.bits_per_byte for other in tried):
        return f"tuned: best of {len(rates)} learning rates"
    return row.settings or NOT_MEASURED


def _lossless(row: rows_lib.Row) -> str:
    """What was promised, then what was found: a promise alone is not taken for a check."""
    promise = "yes" if row.lossless else "NO"
    if row.lost_documents is None:
        return f"{promise}, not checked"
    if row.lossless and row.lost_documents:
        return f"BROKEN, {row.lost_documents:,} lost"
    return f"{promise}, {row.lost_documents:,} lost"
