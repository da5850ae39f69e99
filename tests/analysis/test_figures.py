import io

import numpy as np
import pytest
from matplotlib import image

from eiw.analysis import figures


def pixels(png: bytes) -> np.ndarray:
    """float32[height, width, 3], 0 to 1."""
    return image.imread(io.BytesIO(png), format="png")[..., :3]


def share_of(colour: str, shown: np.ndarray) -> float:
    """The share of pixels that are `colour`, `#rrggbb`."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float(np.mean(np.all(np.abs(shown - wanted) < 0.01, axis=-1)))


@pytest.mark.parametrize("theme", [figures.LIGHT, figures.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("draw", [figures.flops_figure, figures.steps_figure])
def test_each_method_is_drawn_in_its_colour(smoke_rows, draw, theme):
    rows = smoke_rows[1:]
    png = draw(rows, theme)
    assert png.startswith(b"\x89PNG")
    shown = pixels(png)
    assert shown.shape[0] >= 800
    assert shown.shape[1] >= 1200
    assert share_of(theme.ground, shown) > 0.8
    for colour in theme.series[: len(rows)]:
        assert share_of(colour, shown) > 1e-4
    for colour in theme.series[len(rows) :]:
        assert share_of(colour, shown) == 0


def test_a_method_with_several_sizes_is_a_line(make_row):
    rows = [
        make_row(bits_per_byte=bits, size=str(params), params=params, flops_per_byte=2.0 * params)
        for bits, params in ((2.4, 1_000), (2.0, 100_000))
    ]
    line = pixels(figures.flops_figure(rows))
    middle = line[:, line.shape[1] // 3 : line.shape[1] // 2]
    bluish = middle[..., 2] - middle[..., 0] > 0.2
    assert np.all(bluish.any(axis=0))  # it crosses every column between its points


def test_latency_lies_across(make_row):
    """The faster method stands to the left: its colour's columns come first."""
    rows = [make_row("slow", 2.0), make_row("fast", 2.2)]
    shown = pixels(figures.latency_figure(rows, [20.0, 5.0]))
    places = []
    for colour in figures.LIGHT.series[:2]:
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        drawn = np.all(np.abs(shown - wanted) < 0.01, axis=-1)
        places.append(np.flatnonzero(drawn.any(axis=0)).min())
    assert places[1] < places[0]


def test_same_rows_make_the_same_bytes(smoke_rows):
    assert figures.steps_figure(smoke_rows) == figures.steps_figure(smoke_rows)


def test_more_methods_than_colours_can_be_drawn(make_row):
    rows = [make_row(f"method {i}", 2 + i / 50, flops_per_byte=1e6 + i) for i in range(9)]
    assert share_of("#ffffff", pixels(figures.flops_figure(rows))) < 0.999
