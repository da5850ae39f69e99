"""What decoding is held to: the arithmetic of predictions and bars, by hand."""

import pytest

from eiw.evaluation import inference_bars


def row(method, **changes):
    made = {
        "size": "113m",
        "params": 113_246_208,
        "method": method,
        "batch": 1,
        "is_compiled": False,
        "bytes_per_step": 1.0,
        "bytes_per_s": 50.0,
        "weight_bytes_per_step": 400,
        "weight_bytes_per_s": 20_000.0,
        "detokenise_share": 0.01,
    }
    return made | changes


WINDOWS = {
    "is_compiled": True,
    "bytes_per_step": 4.0,
    "bytes_per_s": 150.0,
    "weight_bytes_per_step": 500,
}


def test_time_goes_with_the_weights_that_are_read():
    # Four times the text in 500 / 400 of the time.
    assert inference_bars.predicted_bytes_per_s(row("w", **WINDOWS), row("bytes")) == 160.0


def test_rows_are_compared_with_the_bytes_row_of_their_size_and_batch():
    rows = [
        row("bytes"),
        row("w", **WINDOWS),
        row("bytes", batch=4, bytes_per_s=100.0),
        row("w", batch=4, **WINDOWS),
        row("w", size="3m", **WINDOWS),
    ]
    inference_bars.compare(rows, 40_000.0)
    assert [each["times_bytes"] for each in rows] == [1.0, 3.0, 1.0, 1.5, None]
    assert rows[0]["of_prediction"] == 1.0
    assert rows[1]["of_prediction"] == pytest.approx(150 / 160)
    assert rows[3]["predicted_bytes_per_s"] == 320.0
    assert rows[4]["of_prediction"] is None
    assert {each["of_memory_bandwidth"] for each in rows} == {0.5}


def bars_of(*rows, on_cpu=True):
    inference_bars.compare(rows, 40_000.0)
    return [(bar.name, bar.method, bar.is_met) for bar in inference_bars.bars(rows, on_cpu=on_cpu)]


def test_large_models_are_held_to_the_prediction_and_windows_to_a_lead():
    slow = row("pieces", bytes_per_step=4.0, bytes_per_s=0.84 * 200)
    assert bars_of(row("bytes"), row("w", **WINDOWS), slow) == [
        ("detokenise_share", "w", True),
        ("of_prediction", "w", True),
        ("times_bytes", "w", True),
        ("of_prediction", "pieces", False),
    ]
    assert ("times_bytes", "w", False) in bars_of(
        row("bytes"), row("w", **WINDOWS | {"bytes_per_s": 99.0})
    )
    small = {"params": 3_145_728, "size": "3m", "batch": 4}
    assert bars_of(row("bytes", **small), row("w", **WINDOWS, **small)) == [
        ("detokenise_share", "w", True)
    ]


def test_the_small_model_is_held_to_the_bandwidth_of_memory():
    rows = [row("bytes", size="3m", params=3_145_728)]
    assert bars_of(*rows) == [("of_memory_bandwidth", "bytes", True)]
    rows[0]["weight_bytes_per_s"] = 19_999.0
    assert bars_of(*rows) == [("of_memory_bandwidth", "bytes", False)]
    assert bars_of(*rows, on_cpu=False) == []


def test_bars_are_json():
    bar = inference_bars.Bar("detokenise_share", "3m", "w", 1, 0.06, 0.05, True)
    assert bar.to_dict() == {
        "name": "detokenise_share",
        "size": "3m",
        "method": "w",
        "batch": 1,
        "value": 0.06,
        "at_most": 0.05,
        "is_met": False,
    }
