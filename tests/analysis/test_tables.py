import dataclasses

import pytest

from eiw.analysis import tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.50"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (999.4, "999"),
        (999.6, "1.00 k"),
        (1_000, "1.00 k"),
        (12_345, "12.3 k"),
        (1_234_567, "1.23 M"),
        (26_214_400_000, "26.2 G"),
        (138e12, "138 T"),
    ],
)
def test_short_number(value, text):
    assert tables.short_number(value) == text


def test_short_number_takes_a_unit():
    assert tables.short_number(2_500_000, "B") == "2.50 MB"
    assert tables.short_number(2, "B") == "2.00 B"


def test_table_has_a_line_for_each_row_and_a_cell_for_each_header(smoke_rows):
    headers, body = tables.table_cells(smoke_rows)
    assert len(body) == len(smoke_rows)
    assert all(len(cells) == len(headers) for cells in body)
    assert "seed" not in headers
    ac = dict(zip(headers, body[3], strict=True))
    assert ac["method"] == "AC[v=256]"
    assert ac["bits/byte"] == "2.660 ± 0.012"
    assert ac["FLOPs/byte"] == "1.25 M"
    assert ac["of it M1"] == "1.00 M (80%)"
    assert ac["exact FLOPs/byte"] == "654 k"
    assert ac["bytes/token"] == ac["bytes/step"] == "2.00"
    assert ac["bytes seen"] == "102 kB"


def test_what_was_not_measured_is_not_a_number(make_row):
    row = make_row(
        standard_error=None,
        uniform_bits_per_byte=None,
        unigram_bits_per_byte=None,
        exact_flops_per_byte=None,
        lost_documents=None,
    )
    headers, (cells,) = tables.table_cells([row])
    found = dict(zip(headers, cells, strict=True))
    assert found["bits/byte"] == "2.000"
    assert found["uniform bits/byte"] == found["exact FLOPs/byte"] == tables.NOT_MEASURED
    assert found["lossless"] == "yes, not checked"


@pytest.mark.parametrize(
    ("lossless", "lost", "text"),
    [
        (True, 0, "yes, 0 lost"),
        (True, 3, "BROKEN, 3 lost"),
        (False, 0, "NO, 0 lost"),
        (False, 1_234, "NO, 1,234 lost"),
    ],
)
def test_a_promise_that_was_broken_shows(make_row, lossless, lost, text):
    headers, (cells,) = tables.table_cells([make_row(lossless=lossless, lost_documents=lost)])
    assert cells[headers.index("lossless")] == text


def test_variants_and_seeds_are_told_where_they_differ(make_row):
    rows = [make_row(variant="exact"), make_row(variant="greedy", seed=1), make_row("AC")]
    headers, body = tables.table_cells(rows)
    assert [cells[0] for cells in body] == ["Bytes, exact", "Bytes, greedy", "AC"]
    assert [cells[headers.index("seed")] for cells in body] == ["0", "1", "0"]
    assert tables.series_label(rows[0], rows[:1]) == "Bytes"


def test_newest_row_of_a_run_counts_and_methods_keep_their_order(make_row):
    old, other = make_row("B", seconds=1.0), make_row("A", params=9)
    small = dataclasses.replace(other, params=3, size="small")
    new = dataclasses.replace(old, seconds=2.0)
    assert tables.current_rows([old, other, small, new]) == [new, small, other]
    longer = dataclasses.replace(old, steps=200)
    assert tables.current_rows([old, longer]) == [old, longer]


def test_runs_that_differ_in_what_rows_do_not_tell_both_count(make_row):
    """As those of two optimizers at one learning rate."""
    runs = [make_row(run=name, bits_per_byte=bits) for name, bits in (("a", 2.0), ("b", 2.5))]
    assert tables.current_rows(runs) == runs
    headers, body = tables.table_cells(runs)
    assert [cells[headers.index("run")] for cells in body] == ["a", "b"]
    again = dataclasses.replace(runs[0], seconds=runs[0].seconds + 1)
    assert tables.current_rows([*runs, again]) == [again, runs[1]]
    assert "run" not in tables.table_cells(runs[:1])[0]


def test_rows_of_a_sweep_are_told_apart_and_the_best_rate_is_tuned(make_row):
    rates = {0.5: 2.0, 1.0: 1.9, 2.0: 2.1}
    rows = [
        make_row(learning_rate=rate, bits_per_byte=bits, settings="paper" if rate == 1 else "own")
        for rate, bits in rates.items()
    ]
    alone = make_row(learning_rate=1.0, settings="own", size="113m")
    again = dataclasses.replace(rows[0], seconds=rows[0].seconds + 1)
    current = tables.current_rows([*rows, alone, again])
    assert [row.learning_rate for row in current if row.size != "113m"] == sorted(rates)
    headers, body = tables.table_cells(current)
    found = [dict(zip(headers, cells, strict=True)) for cells in body]
    assert {
        cells["learning rate"]: cells["settings"] for cells in found if cells["size"] != "113m"
    } == {
        "0.5": "own",
        "1": "tuned: best of 3 learning rates",
        "2": "own",
    }
    assert [cells["settings"] for cells in found if cells["size"] == "113m"] == ["own"]
