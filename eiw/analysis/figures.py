"""Figures from rows: bits/byte over FLOPs/byte, over bytes/step (the paper's Figs. 3, 4), and over
measured latency.

Both have logarithmic axes and labels at the points instead of a legend. A method with one size is
a point, one with several a line through them.
"""

import dataclasses
import io
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import artist, axes, figure, ticker, transforms
from matplotlib.backends import backend_agg

from eiw import rows as rows_lib
from eiw.analysis import tables


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of a figure. `series` follow Okabe and Ito's, lighter where the ground is dark."""

    ground: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]


LIGHT = Theme(
    ground="#ffffff",
    ink="#1d2330",
    muted="#667085",
    grid="#e6e9ef",
    series=("#0072b2", "#d55e00", "#009e73", "#b8559a", "#c98a00", "#3fa9e0", "#6b7280"),
)
DARK = Theme(
    ground="#171b22",
    ink="#e8ebf1",
    muted="#98a2b3",
    grid="#2a303b",
    series=("#4c9fe6", "#f58549", "#2cc297", "#e08fc4", "#f0b84a", "#a3daf7", "#a8afbb"),
)

# A second sign beside the colour, for those who see few of them and for grey prints.
_MARKERS = "osD^PXvp"
_WIDTH, _HEIGHT, _DPI = 5.9, 4.25, 240  # inches: small, so that text stays readable on a phone
_PLAIN = ticker.FuncFormatter(lambda value, _: f"{value:g}")


def flops_figure(rows: Sequence[rows_lib.Row], theme: Theme = LIGHT) -> bytes:
    """Bits/byte over FLOPs/byte (the paper's count, M1 included) as a PNG; Fig. 3."""
    return _draw(
        rows,
        theme,
        lambda row: row.flops_per_byte,
        "Bits/byte over compute",
        "FLOPs/byte of inference, M1 included",
        "↙ lower left is better",
        ticker.EngFormatter(),
    )


def steps_figure(rows: Sequence[rows_lib.Row], theme: Theme = LIGHT) -> bytes:
    """Bits/byte over bytes/step, which is latency's inverse, as a PNG; Fig. 4."""
    return _draw(
        rows,
        theme,
        lambda row: row.bytes_per_token,
        "Bits/byte over bytes/step",
        "bytes that one decoder step emits",
        "↘ lower right is better",
        _PLAIN,
    )


def latency_figure(
    rows: Sequence[rows_lib.Row], ms_per_byte: Sequence[float], theme: Theme = LIGHT
) -> bytes:
    """Bits/byte over the milliseconds that each row's model takes to generate a byte, as a PNG."""
    latencies = dict(zip(map(id, rows), ms_per_byte, strict=True))
    return _draw(
        rows,
        theme,
        lambda row: latencies[id(row)],
        "Bits/byte over latency",
        "ms a byte of generated text, one text at a time",
        "↙ lower left is better",
        _PLAIN,
    )


def _draw(
    rows: Sequence[rows_lib.Row],
    theme: Theme,
    x_of: Callable[[rows_lib.Row], float],
    title: str,
    x_label: str,
    direction: str,
    x_ticks: ticker.Formatter,
) -> bytes:
    """One PNG: a series for each method."""
    sheet = figure.Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained")
    backend_agg.FigureCanvasAgg(sheet)  # no pyplot: no global state, no window
    sheet.set_facecolor(theme.ground)
    plot = sheet.add_subplot()
    _style(plot, theme, title, x_label, direction)
    series: dict[str, list[rows_lib.Row]] = {}
    for row in rows:
        series.setdefault(tables.series_label(row, rows), []).append(row)
    labels = []
    drawn: list[tuple[float, float]] = []
    for index, (label, members) in enumerate(series.items()):
        colour = theme.series[index % len(theme.series)]
        marker = _MARKERS[(index + index // len(theme.series)) % len(_MARKERS)]
        drawn += _draw_series(plot, members, x_of, colour, marker, theme)
        # The largest size names the line; where there are several, each point says its own.
        end = max(members, key=lambda row: row.params)
        labels.append((x_of(end), end.bits_per_byte, label, colour, True))
        if len({row.size for row in members}) > 1:
            labels += [
                (x_of(row), row.bits_per_byte, row.size, theme.muted, False) for row in members
            ]
    _scale(plot, "x", [x_of(row) for row in rows], (0.15, 0.45), x_ticks)
    _scale(plot, "y", [row.bits_per_byte for row in rows], (0.15, 0.15), _PLAIN)
    # Methods first: their names are the longest.
    _place_labels(sheet, plot, drawn, sorted(labels, key=lambda label: not label[-1]))
    png = io.BytesIO()
    # No version or date in the file: the same rows make the same bytes.
    sheet.savefig(png, format="png", facecolor=theme.ground, metadata={"Software": None})
    return png.getvalue()


def _draw_series(
    plot: axes.Axes,
    members: Sequence[rows_lib.Row],
    x_of: Callable[[rows_lib.Row], float],
    colour: str,
    marker: str,
    theme: Theme,
) -> list[tuple[float, float]]:
    """Points with their standard errors, and a line if there are several sizes.

    Returns the places on the plot that labels should keep off.
    """
    points = [(x_of(row), row.bits_per_byte) for row in members]
    # A line goes through the mean of each size's seeds.
    means = [
        np.mean(
            [point for point, row in zip(points, members, strict=True) if row.params == size], 0
        )
        for size in sorted({row.params for row in members})
    ]
    plot.plot(*zip(*means, strict=True), "-", color=colour, lw=1.8, alpha=0.7)
    plot.errorbar(
        *zip(*points, strict=True),
        yerr=[row.standard_error or 0 for row in members],
        fmt=marker,
        color=colour,
        ms=9 if marker in "os" else 10.5,
        mec=theme.ground,
        mew=1,
        elinewidth=1.4,
        zorder=5,
    )
    between = np.linspace(0, 1, 24)[:, None]
    for start, end in itertools.pairwise(np.log(means)):
        points += [(x, y) for x, y in np.exp(start + between * (end - start))]
    return points


def _style(plot: axes.Axes, theme: Theme, title: str, x_label: str, direction: str) -> None:
    plot.set_facecolor(theme.ground)
    plot.set_title(title, loc="left", fontsize=12, fontweight="bold", color=theme.ink, pad=10)
    plot.set_title(direction, loc="right", fontsize=9.5, color=theme.muted, pad=10)
    plot.set_xlabel(x_label, fontsize=10, color=theme.ink)
    plot.set_ylabel("held-out bits/byte", fontsize=10, color=theme.ink)
    plot.grid(color=theme.grid, lw=0.9)
    plot.set_axisbelow(True)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        plot.spines[side].set_color(theme.grid)
    plot.tick_params(which="both", colors=theme.muted, labelsize=9, length=0)


def _scale(
    plot: axes.Axes,
    name: str,
    values: Sequence[float],
    margins: tuple[float, float],
    formatter: ticker.Formatter,
) -> None:
    """Makes axis `name` logarithmic, wider than its values by `margins` of their span."""
    low, high = np.log10(min(values)), np.log10(max(values))
    span = max(high - low, 0.15)
    low, high = low - margins[0] * span, high + margins[1] * span
    plot.set(**{f"{name}scale": "log", f"{name}lim": (10**low, 10**high)})
    axis = getattr(plot, f"{name}axis")
    # Round ticks: the finest of these series that keeps them apart.
    series = (np.arange(1, 10, 0.1), np.arange(1, 10, 0.2), np.arange(1, 10, 0.5))
    series += (np.arange(1, 10), np.array([1, 2, 3, 5]), np.array([1, 2, 5]), np.array([1, 3]))
    for steps in (*series, np.array([1])):
        ticks = np.concatenate(
            [steps * 10.0**power for power in range(int(low // 1), int(high // 1) + 1)]
        )
        ticks = ticks[(ticks >= 10**low) & (ticks <= 10**high)]
        if len(ticks) <= 8:
            break
    axis.set_major_locator(ticker.FixedLocator(np.round(ticks, 12)))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(formatter)


def _place_labels(
    sheet: figure.Figure,
    plot: axes.Axes,
    drawn: Sequence[tuple[float, float]],
    labels: Sequence[tuple[float, float, str, str, bool]],
) -> None:
    """Sets each label (x, y, text, colour, large or small) beside its point, covering least."""
    sheet.draw_without_rendering()  # settles the layout, which the places below are measured in
    sheet.set_layout_engine("none")
    renderer = sheet.canvas.get_renderer()
    half = 3.5 * _DPI / 72
    taken = [
        transforms.Bbox.from_extents(x - half, y - half, x + half, y + half)
        for x, y in plot.transData.transform(drawn)
    ]
    inside = plot.get_window_extent(renderer)
    for x, y, text, colour, large in labels:
        note = plot.annotate(
            text,
            (x, y),
            textcoords="offset points",
            xytext=(0, 0),
            color=colour,
            fontsize=9.5 if large else 7.5,
            fontweight="bold" if large else "normal",
            annotation_clip=False,
            zorder=6,
        )
        best = min(
            range(len(_PLACES)),
            # An earlier place wins a tie.
            key=lambda place: (_covered(_put(note, place), renderer, taken, inside), place),
        )
        taken.append(_put(note, best).get_window_extent(renderer))


# Offset in points and the side of the text that is tied to it.
_PLACES = (
    (8, 0, "left", "center"),
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (-8, 0, "right", "center"),
    (6, 6, "left", "bottom"),
    (6, -6, "left", "top"),
    (-6, 6, "right", "bottom"),
    (-6, -6, "right", "top"),
    (8, 12, "left", "bottom"),
    (8, -12, "left", "top"),
    (-8, 12, "right", "bottom"),
    (-8, -12, "right", "top"),
    (0, 20, "center", "bottom"),
    (0, -20, "center", "top"),
)


def _put(note, place: int):
    """Moves an annotation to one of `_PLACES` and returns it."""
    across, up, horizontal, vertical = _PLACES[place]
    note.set_position((across, up))
    note.set_horizontalalignment(horizontal)
    note.set_verticalalignment(vertical)
    return note


def _covered(
    note: artist.Artist, renderer, taken: Sequence[transforms.Bbox], inside: transforms.Bbox
) -> float:
    """Square pixels of a label that lie over something, those outside the plot counted tenfold."""
    box = note.get_window_extent(renderer)
    outside = box.width * box.height - _common(box, inside)
    return round(10 * outside + sum(_common(box, other) for other in taken))


def _common(one: transforms.Bbox, other: transforms.Bbox) -> float:
    both = transforms.Bbox.intersection(one, other)
    return both.width * both.height if both is not None else 0.0
