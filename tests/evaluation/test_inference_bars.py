"""What decoding is held to: the arithmetic of predictions and bars, by hand."""

from eiw.evaluation import inference_bars


def row(method, *rates, **changes):
    """By default bytes/s of 50 in both turns, and half of the bandwidth of memory."""
    turns = [
        {"bytes_per_s": rate, "weight_bytes_per_s": 20_000.0, "memory_bytes_per_s": 40_000.0}
        for rate in rates or (50.0, 50.0)
    ]
    made = {
        "size": "113m",
        "params": 113_246_208,
        "method": method,
        "batch": 1,
        "is_compiled": False,
        "bytes_per_step": 1.0,
        "weight_bytes_per_step": 400,
        "detokenise_share": 0.01,
        "turns": turns,
    }
    return made | changes


WINDOWS = {"is_compiled": True, "bytes_per_step": 4.0, "weight_bytes_per_step": 500}


def test_time_goes_with_the_weights_that_are_read():
    # Four times the text in 500 / 400 of the time.
    assert inference_bars.predicted_times(row("w", **WINDOWS), row("bytes")) == 3.2


def test_rows_are_compared_with_the_bytes_row_of_their_size_and_batch():
    rows = [
        row("bytes"),
        row("w", 150.0, 150.0, **WINDOWS),
        row("bytes", 100.0, 100.0, batch=4),
        row("w", 160.0, 160.0, batch=4, **WINDOWS),
        row("w", size="3m", **WINDOWS),
    ]
    inference_bars.compare(rows)
    assert [each["times_bytes"] for each in rows] == [1.0, 3.0, 1.0, 1.6, None]
    assert [each["of_prediction"] for each in rows] == [1.0, 3.0 / 3.2, 1.0, 0.5, None]
    assert {each["of_memory_bandwidth"] for each in rows} == {0.5}


def test_a_busy_machine_is_busy_for_both():
    rows = [row("bytes", 50.0, 10.0, 50.0), row("w", 150.0, 30.0, 150.0, **WINDOWS)]
    rows[1]["turns"][1] |= {"weight_bytes_per_s": 4_000.0, "memory_bytes_per_s": 8_000.0}
    inference_bars.compare(rows)
    assert rows[1]["times_bytes"] == 3.0
    assert rows[1]["of_memory_bandwidth"] == 0.5


def bars_of(*rows, on_cpu=True):
    inference_bars.compare(rows)
    return [(bar.name, bar.method, bar.is_met) for bar in inference_bars.bars(rows, on_cpu=on_cpu)]


def test_large_models_are_held_to_the_prediction_and_windows_to_a_lead():
    slow = row("pieces", 168.0, 168.0, bytes_per_step=4.0)  # of 200
    assert bars_of(row("bytes"), row("w", 150.0, 150.0, **WINDOWS), slow) == [
        ("detokenise_share", "w", True),
        ("of_prediction", "w", True),
        ("times_bytes", "w", True),
        ("of_prediction", "pieces", False),
    ]
    assert ("times_bytes", "w", False) in bars_of(row("bytes"), row("w", 99.0, 99.0, **WINDOWS))
    small = {"params": 3_145_728, "size": "3m", "batch": 4}
    assert bars_of(row("bytes", **small), row("w", **WINDOWS, **small)) == [
        ("detokenise_share", "w", True)
    ]


def test_the_small_model_is_held_to_the_bandwidth_of_memory():
    rows = [row("bytes", size="3m", params=3_145_728)]
    assert bars_of(*rows) == [("of_memory_bandwidth", "bytes", True)]
    for turn in rows[0]["turns"]:
        turn["weight_bytes_per_s"] = 19_999.0
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
