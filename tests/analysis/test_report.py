import html.parser
import re

import numpy as np
import pytest

from eiw import errors
from eiw.analysis import report
from eiw.evaluation import document_scores


class Page(html.parser.HTMLParser):
    """Collects tags, their attributes and text; refuses tags that do not close."""

    VOID = frozenset({"meta", "img", "source", "wbr"})

    def __init__(self, text: str):
        super().__init__()
        self.open, self.attributes, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_every_method_is_in_every_file(tmp_path, smoke_rows):
    report.write_report(tmp_path, smoke_rows)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    for row in smoke_rows[1:]:
        assert f"| {row.method} |" in markdown
        assert row.method in page.text
    for text in (markdown, page.text):
        assert "ab" * 32 in text  # the corpus
        assert "9b" * 32 in text  # M1's fingerprint
        assert "0123abcd" in text
        assert "2 x CPU" in text
        assert "2.700 ± 0.012 held-out bits/byte" in text  # M1's own
        assert "Lowest bits/byte: SentencePiece[8k] at 2.100 ± 0.012." in text
        assert "AC[v=256] learned next to nothing" in text
        assert "EqualInfoAC[b=16, v=65k] did not give back 1,234" in text
    tables = [line.count("|") for line in markdown.splitlines() if line.startswith("|")]
    assert len(tables) == 2 + 4
    assert len(set(tables)) == 1


def test_figures_lie_where_markdown_looks_for_them(tmp_path, smoke_rows):
    report.write_report(tmp_path, smoke_rows)
    named = re.findall(r"!\[.*?\]\((.*?)\)", (tmp_path / "report.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(
        str(path.relative_to(tmp_path)) for path in (tmp_path / "figures").iterdir()
    )
    assert len(named) == 2
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)


def test_page_needs_nothing_else(tmp_path, smoke_rows):
    report.write_report(tmp_path, smoke_rows)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    sources = [value for _, name, value in page.attributes if name in ("src", "srcset", "href")]
    assert len(sources) == 4  # two figures, each for light and for dark screens
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert "<script" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_text_of_rows_is_no_markup(tmp_path, make_row):
    evil = '<img src=x onerror="alert(1)">|&amp;\nend'
    row = make_row(evil, device="<b>", git_commit="</dd>", m1_fingerprint="<i>")
    report.write_report(tmp_path, [row])
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert evil in page.text
    assert not [attribute for attribute in page.attributes if attribute[1] == "onerror"]
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<" not in markdown
    (line,) = [line for line in markdown.splitlines() if line.startswith("| &lt;img")]
    assert line.replace("\\|", "").count("|") == 19


def test_a_report_replaces_an_older_one(tmp_path, make_row):
    report.write_report(tmp_path, [make_row("old[v=1]")])
    report.write_report(tmp_path, [make_row("new[v=1]")])
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "new[v=1]" in text.replace("<wbr>", "")
        assert "old[v=1]" not in text.replace("<wbr>", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "figures",
        "report.html",
        "report.md",
    ]


def keep_scores(folder, row, bits, stride=16, sizes=(10, 30, 20, 40)):
    nats = np.log(2) * np.array(bits) * sizes
    counts = np.ones(len(sizes), np.int64), np.array(sizes)
    score = document_scores.Score(nats, *counts, "ab" * 32, length=16, stride=stride)
    document_scores.save(folder / row.document_scores, score)


def test_documents_scores_make_tests_and_columns(tmp_path, make_row):
    rows = [make_row(name, document_scores=f"{name}/scores") for name in ("Bytes", "AC", "Other")]
    rows.append(make_row("None kept", paper_bits_per_byte=1.875))
    for row, bits in zip(rows, ([2.1, 2, 2.2, 2], [2.3, 2.5, 2.4, 2.4], [2, 2, 2]), strict=False):
        keep_scores(tmp_path / "run", row, bits, sizes=(10, 30, 20, 40)[: len(bits)])
    keep_scores(tmp_path / "run", rows[0], [1.5] * 4, stride=4)
    report.write_report(tmp_path / "report", rows, tmp_path / "run")
    markdown = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    (tested,) = [line for line in markdown.splitlines() if line.startswith("- **AC**")]
    assert re.fullmatch(r"- \*\*AC\*\*: \+0\.3\d+ ± 0\.0\d+, p = 0\.0\d+, by documents", tested)
    assert "- **Other**: Other and Bytes: These scores are of different documents" in markdown
    assert "None kept**" not in markdown
    assert "Against Bytes" in page.text and tested.partition(": ")[2] in page.text
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<code>eiw evaluate compare</code>" in html and "`" not in page.text
    lines = [line.split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    table = {cells[0].removeprefix("| "): cells for cells in lines}
    assert table["method"][3:5] == ["bits/byte, stride 4", "paper's bits/byte"]
    assert table["Bytes"][3:5] == ["1.500 ± 0.000", "–"]
    assert table["None kept"][3:5] == ["–", "1.875"]


def test_without_documents_scores_nothing_is_tested(tmp_path, smoke_rows, make_row):
    # Rows may have been copied without the folders that they name.
    report.write_report(tmp_path, [*smoke_rows, make_row("A", document_scores="no/such")])
    assert "Against Bytes" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_rows_of_different_corpora_are_warned_of(tmp_path, make_row):
    report.write_report(tmp_path, [make_row("A"), make_row("B", corpus_sha256="cd" * 32)])
    assert "do not compare them" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_nothing_to_report_is_told(tmp_path, smoke_rows):
    with pytest.raises(errors.InputError, match="no row of kind m2"):
        report.write_report(tmp_path, smoke_rows[:1])
