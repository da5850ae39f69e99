"""`report.md`, `report.html` and `figures/*.png`, made from rows and their documents' scores."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

from eiw import atomic, errors
from eiw import rows as rows_lib
from eiw.analysis import comparison, figures, page, tables
from eiw.evaluation import document_scores

_TITLE = "Language models over compressed text"


def write_report(
    output_dir: str | os.PathLike,
    rows: Sequence[rows_lib.Row],
    run_dir: str | os.PathLike | None = None,
) -> None:
    """Writes the report of `rows` into `output_dir`, over an older one.

    The table and the figures show rows of kind `m2`, those of kind `m1` are named in the text. Of
    rows that one run wrote twice, the newest counts (`tables.current_rows`).

    Args:
      output_dir: gets the report.
      rows: what was measured.
      run_dir: the folder of results.jsonl, from which rows name their documents' scores; default:
        `output_dir`. Where there are none, nothing is said of what only they know.

    Raises:
      InputError: there is no row of kind `m2`, or the folder cannot be written.
      ArtefactError: documents' scores are damaged.
    """
    current = tables.current_rows(rows)
    m1_rows = [row for row in current if row.kind == "m1"]
    m2_rows = [row for row in current if row.kind == "m2"]
    if not m2_rows:
        raise errors.InputError("Nothing to report: no row of kind m2. Train an M2 first.")
    pictures = _pictures(m2_rows)
    lead = page.Section("In short", points=_findings(m2_rows))
    output_dir = pathlib.Path(output_dir)
    scores = {
        row: document_scores.load(pathlib.Path(run_dir or output_dir) / row.document_scores)
        for row in m2_rows
        if row.document_scores
    }
    sections = [*_against_bytes(m2_rows, scores), _what_was_run(m1_rows, m2_rows), _HOW_TO_READ]
    table = tables.table_cells(m2_rows, scores)

    for picture in pictures:
        with atomic.replace_file(output_dir / "figures" / f"{picture.name}.png") as temporary:
            temporary.write_bytes(picture.light)
    with atomic.replace_file(output_dir / "report.md") as temporary:
        temporary.write_text(_markdown(lead, pictures, table, sections), encoding="utf-8")
    with atomic.replace_file(output_dir / "report.html") as temporary:
        html = page.render(_TITLE, lead, pictures, table, sections)
        temporary.write_text(html, encoding="utf-8")


def _pictures(rows: Sequence[rows_lib.Row]) -> list[page.Picture]:
    marks = "Bars, where longer than the mark: one standard error."
    drawn = (
        ("bits_per_byte_over_flops", figures.flops_figure, "Quality against compute."),
        ("bits_per_byte_over_bytes_per_step", figures.steps_figure, "Quality against latency."),
    )
    return [
        page.Picture(name, f"{text} {marks}", draw(rows, figures.LIGHT), draw(rows, figures.DARK))
        for name, draw, text in drawn
    ]


def _findings(rows: Sequence[rows_lib.Row]) -> list[str]:
    """What the table says, for those who will not read it."""

    def name(*found: rows_lib.Row) -> str:
        """A method, and which sizes of it where the report holds several."""
        label = tables.series_label(found[0], rows)
        sizes = ", ".join(dict.fromkeys(row.size for row in found))
        return f"{label} ({sizes})" if len({row.size for row in rows}) > 1 else label

    best = min(rows, key=lambda row: row.bits_per_byte)
    fastest = max(rows, key=lambda row: row.bytes_per_token)
    cheapest = min(rows, key=lambda row: row.flops_per_byte)
    findings = [
        f"Lowest bits/byte: {name(best)} at {tables.bits_with_error(best)}.",
        f"Most bytes/step: {tables.series_label(fastest, rows)} at {fastest.bytes_per_token:.2f}.",
        f"Fewest FLOPs/byte: {name(cheapest)} at {tables.short_number(cheapest.flops_per_byte)}.",
    ]
    series: dict[str, list[rows_lib.Row]] = {}
    for row in rows:
        series.setdefault(tables.series_label(row, rows), []).append(row)
    for members in series.values():
        if blind := [row for row in members if _learned_nothing(row)]:
            findings.append(
                f"{name(*blind)} learned next to nothing beyond how frequent each code is: "
                f"{blind[0].bits_per_byte:.3f} bits/byte against "
                f"{blind[0].unigram_bits_per_byte:.3f}."
            )
        if lossy := [row for row in members if row.lost_documents]:
            findings.append(
                f"{name(*lossy)} did not give back {lossy[0].lost_documents:,} of the held-out "
                "documents: its bits/byte are not of the text that the others are scored on."
            )
    if len({row.corpus_sha256 for row in rows}) > 1:
        findings.append("These rows are of different corpora: do not compare them.")
    return findings


def _learned_nothing(row: rows_lib.Row) -> bool:
    """Within 2% of the unigram model: one that found any structure is well below that."""
    unigram = row.unigram_bits_per_byte
    return unigram is not None and row.bits_per_byte > 0.98 * unigram


def _against_bytes(
    rows: Sequence[rows_lib.Row],
    scores: Mapping[rows_lib.Row, Mapping[int | None, document_scores.Score]],
) -> list[page.Section]:
    """Each method against M2 over bytes of its size, where both kept scores of their documents."""
    runs = [(row, kept[None]) for row in rows if None in (kept := scores.get(row, {}))]
    groups = comparison.group_runs(runs)
    facts = []
    for group in groups:
        first = group.rows[0]
        others = [each for each in groups if each.rows[0].size == first.size]
        # `eiw smoke` and `eiw train` spell it differently.
        base = next((each for each in others if each.rows[0].method.lower() == "bytes"), group)
        if base is group:
            continue
        try:
            pair = comparison.compare(group, base)
        except errors.InputError as error:
            facts.append((group.label, str(error)))
            continue
        words = f"{pair.by_documents}, by documents"
        if pair.by_seeds is not None:
            words += f"; {pair.by_seeds}, by seeds (Welch)"
        facts.append((group.label, words))
    if not facts:
        return []
    about = (
        "Bits/byte of each method minus those of M2 over bytes, on the same documents: negative "
        "where the method is better. ± is the standard error of the difference, over pairs of "
        "scores of one document, and p the chance of so great a one if there were none (Student's "
        "t). Each p is of one comparison, and says nothing about other seeds. `eiw evaluate "
        "compare` has all other pairs."
    )
    return [page.Section("Against Bytes", paragraphs=[about], facts=facts)]


def _what_was_run(m1_rows: Sequence[rows_lib.Row], m2_rows: Sequence[rows_lib.Row]) -> page.Section:
    def distinct(value_of: Callable[[rows_lib.Row], object]) -> str:
        return ", ".join(dict.fromkeys(str(value_of(row)) for row in m2_rows))

    prints = [row.m1_fingerprint for row in (*m1_rows, *m2_rows) if row.m1_fingerprint]
    facts = [
        (
            "M1",
            f"size {row.size}, {row.params:,} parameters, {row.steps:,} steps on "
            f"{tables.short_number(row.bytes, 'B')} in {row.seconds:,.0f} s, "
            f"{tables.bits_with_error(row)} held-out bits/byte",
        )
        for row in m1_rows
    ]
    facts += [
        ("M1 fingerprint", ", ".join(dict.fromkeys(prints)) or "no method used an M1"),
        ("M2", distinct(lambda row: f"size {row.size}, {row.params:,} parameters")),
        ("corpus sha256", distinct(lambda row: row.corpus_sha256)),
        (
            "held-out text",
            distinct(lambda row: f"{tables.short_number(row.eval_bytes, 'B')} scored"),
        ),
        ("seed", distinct(lambda row: row.seed)),
        ("device", distinct(lambda row: row.device)),
        ("git commit", distinct(lambda row: row.git_commit or "unknown")),
    ]
    return page.Section(
        "What was run",
        paragraphs=[
            "Each method turns the same text into codes of its own; a decoder-only transformer "
            "(M2) is trained on the codes and scored on whole held-out documents. Methods that "
            "compress neurally use a small byte model (M1) to do so."
        ],
        facts=facts,
    )


_HOW_TO_READ = page.Section(
    "How to read it",
    facts=[
        (
            "bits/byte",
            "Held-out cross-entropy in bits, the nats of every end-of-document included, over the "
            "bytes of the raw text without it: the one number that compares models over different "
            "codes. Lower is better. ± is one standard error over documents; all methods score the "
            "same documents, so their differences are surer than the two errors suggest. It says "
            "nothing about another seed. Contexts stand one after another, each begun with "
            "nothing; with a stride they slide by so many tokens, and only those are scored.",
        ),
        (
            "paper's bits/byte",
            "By the paper's protocol: 20 batches of the validation split in the size of training, "
            "whatever text they hold, nats a token over bytes a token of the whole split, where "
            "an end of document is a byte. No standard error: documents play no part in it.",
        ),
        (
            "uniform, unigram",
            "What a model would score that takes all codes as alike, or that knows only how "
            "frequent each was in training. What M2 learned is the distance below them.",
        ),
        (
            "bytes/token, bytes/step",
            "Bytes of held-out text for each token, end-of-document tokens counted. A decoder step "
            "emits one token, so it is also bytes/step: more means fewer steps for the same text.",
        ),
        (
            "FLOPs/byte",
            "The paper's count for inference: 2 x parameters of attention and feed-forward (its "
            "own sizes as their names say: 25e6 of 25m) over "
            "bytes/token, plus M1's 2 x parameters where M1 must run to compress (“of it M1”). "
            "A compiled dictionary runs no M1. “exact” counts every multiply-add, those of the "
            "head and of attention scores included.",
        ),
        (
            "tokens, bytes, seconds",
            "Seen in training, and the wall-clock time it took. Methods that compress harder see "
            "more text in the same number of tokens.",
        ),
        (
            "lossless",
            "Whether the codes give back any bytes by design, and how many held-out documents did "
            "not come back when tried.",
        ),
        (
            "settings",
            "“paper”: batch, length, steps and optimizer are those that the paper fixes, alike for "
            "every method. “tuned”: the best of several learning rates for this method and size; "
            "choosing it by this very score flatters it a little. “own”: any others.",
        ),
    ],
)


def _markdown(
    lead: page.Section,
    pictures: Sequence[page.Picture],
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    sections: Sequence[page.Section],
) -> str:
    """The same report for terminals and code hosts."""
    headers, body = table
    lines = [f"# {_TITLE}", "", *_markdown_section(lead), "## All runs", ""]
    lines += tables.markdown_lines(headers, [list(map(_escape, cells)) for cells in body])
    lines.append("")
    for picture in pictures:
        lines += [f"![{picture.caption}](figures/{picture.name}.png)", "", picture.caption, ""]
    for section in sections:
        lines += _markdown_section(section)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_section(section: page.Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    for text in section.paragraphs:
        lines += [_escape(text), ""]
    lines += [f"- {_escape(text)}" for text in section.points]
    lines += [f"- **{name}**: {_escape(value)}" for name, value in section.facts]
    return [*lines, ""]


def _escape(text: str) -> str:
    """Plain text as markdown: one line, no cell border, no HTML."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("|", "\\|")
