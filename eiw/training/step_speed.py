"""How fast a train step is, beside the fastest matrix product that the same machine makes.

Everything is measured in one process, in turns, so that a busy machine slows all of it alike.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eiw import progress, vocab
from eiw.models import config, decoder, flops
from eiw.training import optimizer, sharding, state, step

# A backward pass has two products for each one of the forward pass.
_PASSES = 3
# Sides of the square products whose rate counts as the machine's best.
_MATMUL_SIDES = {"cpu": (512, 768, 1024), "gpu": (4096, 8192), "tpu": (4096, 8192)}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A compiled train step, ours or another trainer's, with what it starts from.

    Attributes:
      step: (state, batch) -> (state, anything); consumes the state.
      state: the first one.
      batch: the same at every step.
    """

    step: Callable[[Any, Any], tuple[Any, Any]]
    state: Any
    batch: Any


def random_batch(shape: tuple[int, int], vocab_size: int) -> dict[str, np.ndarray]:
    """A batch of [B, T] random ids, all of which count."""
    tokens = np.random.default_rng(0).integers(vocab.NUM_SPECIAL_IDS, vocab_size, shape)
    return {
        "decoder_input_tokens": tokens.astype(np.int32),
        "decoder_target_tokens": tokens.astype(np.int32),
        "decoder_loss_weights": np.ones(shape, np.float32),
    }


def measure_train_step(
    model: config.DecoderConfig,
    batch_size: int,
    length: int,
    *,
    microbatches: int | None = None,
    rounds: int = 7,
    rival: Subject | None = None,
) -> dict[str, float | int | str]:
    """Times Adafactor's train step of `model` on one device.

    Args:
      model: the decoder.
      batch_size: rows.
      length: tokens of a row.
      microbatches: see `step.make_train_step`.
      rounds: times that everything is measured, after one round that is not; 0 to compile only,
        for what depends on no time: memory.
      rival: another trainer's step of an equal model, to stand beside ours.

    Returns:
      ms_median, ms_min: of a step, wall time.
      cpu_ms_median: of a step, summed over the process's threads.
      tokens_per_s: at the median.
      model_flops: of a step by `flops.exact_flops_per_token`, masked attention counted in full.
      matmul_peak_flops_per_s: best rate of a square matrix product in the model's dtype.
      matmul_fraction: the step's rate over that one.
      peak_bytes: memory of the compiled step: arguments, results and what it needs between.
      compile_s: lowering and compiling.
      device: in words.
      rival_cpu_ms_median, cpu_ratio_to_rival: only with `rival`; the ratio is the median of those
        of each round.
    """
    mesh = sharding.make_mesh({"data": 1})
    tokens = batch_size * length
    with jax.set_mesh(mesh):
        blueprint = state.blueprint(decoder.Decoder(model), optimizer.Adafactor(), mesh)
        batch = sharding.put_batch(mesh, random_batch((batch_size, length), model.vocab_size))
        started = time.perf_counter()
        train_step = step.make_train_step(blueprint, microbatches=microbatches)
        compiled = train_step.lower(blueprint.shapes, batch).compile()
        forward = flops.exact_flops_per_token(model, length, causal=False).total
        results = {
            "model_flops": _PASSES * tokens * forward,
            "peak_bytes": _peak_bytes(compiled),
            "compile_s": time.perf_counter() - started,
            "device": jax.devices()[0].device_kind,
        }
        if not rounds:
            return results
        subjects = {"ours": Subject(compiled, blueprint.init(0), batch)}
        if rival is not None:
            subjects["rival"] = rival
        wall, cpu, peak = _measure(subjects, model.dtype, rounds)
    seconds = statistics.median(wall["ours"])
    results |= {
        "ms_median": 1e3 * seconds,
        "ms_min": 1e3 * min(wall["ours"]),
        "cpu_ms_median": 1e3 * statistics.median(cpu["ours"]),
        "tokens_per_s": tokens / seconds,
        "matmul_peak_flops_per_s": peak,
        "matmul_fraction": results["model_flops"] / seconds / peak,
    }
    if rival is not None:
        ratios = [ours / theirs for ours, theirs in zip(cpu["ours"], cpu["rival"], strict=True)]
        results["rival_cpu_ms_median"] = 1e3 * statistics.median(cpu["rival"])
        results["cpu_ratio_to_rival"] = statistics.median(ratios)
    return results


def _measure(
    subjects: dict[str, Subject], dtype: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], float]:
    """Wall and CPU seconds of a step, by subject and round; the best FLOP/s of a product."""
    states = {name: subject.state for name, subject in subjects.items()}
    wall: dict[str, list[float]] = {name: [] for name in subjects}
    cpu: dict[str, list[float]] = {name: [] for name in subjects}
    products = _products(dtype)
    peak = 0.0
    for number in progress.track(range(rounds + 1), "Timing train steps"):
        for name, subject in subjects.items():
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            states[name], _ = subject.step(states[name], subject.batch)
            jax.block_until_ready(states[name])
            if number:
                wall[name].append(time.perf_counter() - wall_start)
                cpu[name].append(time.process_time() - cpu_start)
        for product, x in products:
            start = time.perf_counter()
            jax.block_until_ready(product(x))
            if number:
                peak = max(peak, 2 * x.shape[0] ** 3 / (time.perf_counter() - start))
    return wall, cpu, peak


def _products(dtype: str) -> list[tuple[Callable[[jax.Array], jax.Array], jax.Array]]:
    product = jax.jit(lambda x: x @ x)
    sides = _MATMUL_SIDES[jax.default_backend()]
    return [(product, jnp.ones((side, side), dtype)) for side in sides]


def _peak_bytes(compiled: Any) -> int:
    """Bytes that a compiled program holds at most; aliased arguments are counted once."""
    memory = compiled.memory_analysis()
    return (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes
    )
