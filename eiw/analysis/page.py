"""One self-contained HTML page: no script, no font, no image from elsewhere."""

import base64
import dataclasses
import html
import re
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Section:
    """A titled part of a report: paragraphs, a bulleted list, then facts as name and value."""

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()


@dataclasses.dataclass(frozen=True)
class Picture:
    """One figure as PNG bytes for light and for dark screens; `name` is its file's, unsuffixed."""

    name: str
    caption: str
    light: bytes
    dark: bytes


def render(
    title: str,
    lead: Section,
    pictures: Sequence[Picture],
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    sections: Sequence[Section],
) -> str:
    """The page's HTML. All text is taken as plain text and escaped."""
    body = [
        f"<header><h1>{html.escape(title)}</h1></header>",
        _section(lead),
        '<div class="pictures">' + "".join(map(_picture, pictures)) + "</div>",
        "<section><h2>All runs</h2>" + _table(*table) + "</section>",
        *map(_section, sections),
    ]
    return _PAGE.format(title=html.escape(title), style=_STYLE, body="\n".join(body))


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    # A command stands in backquotes, as in markdown.
    texts = [
        re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)) for text in section.paragraphs
    ]
    parts += [f"<p>{text}</p>" for text in texts]
    if section.points:
        points = "".join(f"<li>{html.escape(text)}</li>" for text in section.points)
        parts.append(f"<ul>{points}</ul>")
    if section.facts:
        facts = "".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
            for name, value in section.facts
        )
        parts.append(f"<dl>{facts}</dl>")
    return "<section>" + "".join(parts) + "</section>"


def _picture(picture: Picture) -> str:
    caption = html.escape(picture.caption)
    return (
        "<figure><picture>"
        f'<source srcset="{_data_uri(picture.dark)}" media="(prefers-color-scheme: dark)">'
        f'<img src="{_data_uri(picture.light)}" alt="{caption}">'
        f"</picture><figcaption>{caption}</figcaption></figure>"
    )


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _table(headers: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The first column stays in sight while the others scroll beneath it."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in headers)
    lines = []
    for first, *others in body:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in others)
        # Narrow screens break `Method[b=16, ...]` before its bracket rather than anywhere.
        name = html.escape(first).replace("[", "<wbr>[")
        lines.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All runs"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

# `--card` is the ground of the figures too (figures.LIGHT and DARK), so that they have no edge.
_STYLE = """
:root {
  --page: #f5f6f9; --card: #ffffff; --ink: #1d2330; --muted: #667085; --line: #e6e9ef;
  --accent: #0072b2; --stripe: #fafbfc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1217; --card: #171b22; --ink: #e8ebf1; --muted: #98a2b3; --line: #2a303b;
    --accent: #6cb4f0; --stripe: #1b2028;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; display: grid; gap: 1.25rem; }
main > * { min-width: 0; }
h1 { font-size: clamp(1.5rem, 5vw, 2.1rem); line-height: 1.2; margin: .5rem 0 0; }
h1, h2 { letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
section, figure {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.1rem 1.25rem; margin: 0;
}
p, ul { max-width: 60rem; margin: .4rem 0; }
ul { padding-left: 1.2rem; }
li { margin: .25rem 0; }
li::marker { color: var(--accent); }
.pictures { display: grid; gap: 1.25rem; }
@media (min-width: 60rem) { .pictures { grid-template-columns: 1fr 1fr; } }
figure { padding: .75rem; }
img { display: block; width: 100%; height: auto; }
figcaption { color: var(--muted); font-size: .875rem; padding: .25rem .5rem; }
.scroll { overflow-x: auto; margin: 0 -1.25rem -1.1rem; border-top: 1px solid var(--line); }
table {
  border-collapse: separate; border-spacing: 0; width: 100%;
  font-size: .875rem; font-variant-numeric: tabular-nums;
}
th, td {
  padding: .5rem .75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line);
}
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; white-space: normal; }
tbody tr:nth-child(even) > * { background: var(--stripe); }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child {
  position: sticky; left: 0; background: var(--card); text-align: left; padding-left: 1.25rem;
}
tbody th { font-weight: 600; }
wbr { display: none; }
td:nth-child(3) { font-weight: 600; color: var(--accent); }
dl {
  display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.25rem; margin: .6rem 0 0;
}
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  main { padding: .75rem .6rem 3rem; gap: .8rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  figure { padding: .4rem; }
  th, td { padding: .4rem .55rem; }
  wbr { display: inline; }
  th:first-child {
    white-space: normal; min-width: 8.6rem; max-width: 9rem; overflow-wrap: anywhere;
    padding-left: .8rem;
  }
}
@media print { body { background: none; } section, figure { break-inside: avoid; } }
"""
