"""FLOPs of rows: the paper's sizes count as their names say, and M1 only where it runs."""

import pytest

from eiw import errors, model_rows, pipeline
from eiw.models import config, flops
from eiw.training import loop, optimizer

SIZES = {"3m": (256, 4, 3, 1024), "25m": (512, 8, 6, 2048)}


def make_config(size):
    embed_dim, num_heads, num_layers, mlp_dim = SIZES[size]
    return config.DecoderConfig(65_539, embed_dim, num_heads, num_layers, mlp_dim, size=size)


def fields(m1_params: int, m1_flops: float):
    run = pipeline.ModelRun(make_config("25m"), loop.TrainConfig(1), 2, 512)
    compressor = {"window_bits": 16, "variant": "exact", "m1_fingerprint": "ab", "lossless": True}
    compressor |= {"m1_params": m1_params, "m1_flops": m1_flops}
    return model_rows.model_fields(run, compressor, 65_536, (1_000, 5_310), 1.2)


def test_rows_have_the_papers_figures():
    """EqualInfoAC[b=16, v=65k] at 25m: 15.42 MFLOPs a byte, 6 of them M1's."""
    m1 = make_config("3m")
    m1_flops = flops.exact_flops_per_token(m1, 1_024).total
    running = fields(m1.kernel_params(), m1_flops)
    assert running["m1_flops_per_byte"] == 6e6
    assert running["flops_per_byte"] == pytest.approx(15.42e6, rel=0.005)
    assert running["params"] == 25_165_824
    compiled = fields(0, 0.0)
    assert compiled["m1_flops_per_byte"] == 0
    assert compiled["flops_per_byte"] == pytest.approx(running["flops_per_byte"] - 6e6)
    assert running["exact_flops_per_byte"] - compiled["exact_flops_per_byte"] == pytest.approx(
        m1_flops
    )


@pytest.mark.parametrize(
    ("steps", "changes", "settings"),
    [
        (200_000, {}, "paper"),
        (200_000, {"optimizer": optimizer.Adafactor(learning_rate=0.5)}, "own"),
        (200_000, {"optimizer": optimizer.AdamW()}, "own"),
        (1_000, {}, "own"),
    ],
)
def test_rows_say_whether_the_paper_fixed_their_settings(steps, changes, settings):
    run = pipeline.ModelRun(make_config("25m"), loop.TrainConfig(steps, **changes), 256, 512)
    compressor = {"window_bits": 0, "variant": "", "m1_fingerprint": "", "lossless": True}
    compressor |= {"m1_params": 0, "m1_flops": 0.0}
    found = model_rows.model_fields(run, compressor, 256, (10, 10), 1.2)
    assert found["settings"] == settings


@pytest.mark.parametrize(("name", "number"), [("batch_size", 0), ("length", 1.5), ("length", -3)])
def test_a_run_of_no_examples_is_refused(name, number):
    shape = {"batch_size": 2, "length": 512} | {name: number}
    with pytest.raises(errors.InputError, match=rf"ModelRun\.{name} is {number}: give a whole"):
        pipeline.ModelRun(make_config("25m"), loop.TrainConfig(1), **shape)
