"""The benchmark of a train step: the numbers belong together."""

import jax
import pytest
import tiny_run

from eiw.training import step_speed

CONFIG = tiny_run.tiny_model().config


def test_numbers_belong_together():
    found = step_speed.measure_train_step(CONFIG, batch_size=2, length=8, rounds=3)
    assert 0 < found["ms_min"] <= found["ms_median"]
    assert found["tokens_per_s"] == pytest.approx(16e3 / found["ms_median"])
    # Forward: 2 operations a kernel parameter, all 8 keys of 32 wide heads in 2 layers, the head.
    forward = 16 * 2 * (CONFIG.kernel_params() + 2 * 2 * 8 * 32 + 32 * 384)
    assert found["model_flops"] == 3 * forward
    rate = found["model_flops"] / found["ms_median"] * 1e3
    assert found["matmul_fraction"] == pytest.approx(rate / found["matmul_peak_flops_per_s"])
    # The parameters and their new values share memory; they are the least that is needed.
    assert found["peak_bytes"] > 4 * CONFIG.kernel_params()


def test_a_rival_is_measured_beside():
    @jax.jit
    def nothing(state, batch):
        return state + 1, None

    rival = step_speed.Subject(nothing, jax.numpy.zeros(()), None)
    found = step_speed.measure_train_step(CONFIG, 2, 8, rounds=3, rival=rival)
    assert found["rival_cpu_ms_median"] > 0
    assert found["cpu_ratio_to_rival"] > 1


def test_memory_is_known_without_a_step():
    found = step_speed.measure_train_step(CONFIG, batch_size=2, length=8, rounds=0)
    assert set(found) == {"model_flops", "peak_bytes", "compile_s", "device"}


@pytest.mark.slow
def test_logits_of_a_whole_batch_never_exist():
    wide = tiny_run.tiny_model(vocab_size=30_000).config
    found = step_speed.measure_train_step(wide, 16, 512, microbatches=1, rounds=0)
    parameters = 4 * 2 * wide.padded_vocab_size * wide.embed_dim
    logits = 4 * 16 * 512 * wide.padded_vocab_size
    # A chunk of 2^25 logits is an eighth of them.
    assert found["peak_bytes"] < parameters + logits
