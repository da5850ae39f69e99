"""Windows under a network: the same codes in any company, on any path, in another process."""

import functools
import itertools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw import byte_lm, byte_lm_lanes, compressors, errors
from eiw.compressors import equal_info, lazy_windows, neural_ac, window_dictionary
from eiw.models import config, decoder

# Short, so that an M1 that is kept rolls.
CONTEXT = 8
PROSE = b"Windows of equal information are not of equal length, and no two walks are equally far. "
RESETS = {"every": 1, "second": 2, "never": 0}
each_reset = pytest.mark.parametrize("reset_every", RESETS.values(), ids=RESETS)


@functools.cache
def m1() -> byte_lm.ByteLM:
    shape = config.DecoderConfig(
        vocab_size=259, embed_dim=16, num_heads=2, num_layers=2, mlp_dim=24, head_dim=8
    )
    tokens_BT = jnp.ones((1, 2), jnp.int32)
    params = jax.jit(decoder.Decoder(shape).init)(jax.random.key(0), tokens_BT, tokens_BT)["params"]
    # As sharp as a trained one.
    return byte_lm.ByteLM(dict(params) | {"head": 4 * params["head"]}, shape, context=CONTEXT)


def ragged_texts(count):
    generator = np.random.default_rng(count)
    sizes = generator.integers(0, 40, count)
    return [PROSE[: size // 2] + generator.bytes(size - size // 2) for size in sizes]


@each_reset
def test_batches_of_any_size(reset_every):
    texts = ragged_texts(70)
    windows = lazy_windows.LazyWindows(m1(), 32, reset_every=reset_every)
    codes = windows.encode_batch(texts)
    for count in (1, 2, 7, 64):
        # Each time with nothing known.
        fresh = lazy_windows.LazyWindows(m1(), 32, reset_every=reset_every)
        for one, expected in zip(fresh.encode_batch(texts[:count]), codes, strict=False):
            np.testing.assert_array_equal(one, expected)
        fresh = lazy_windows.LazyWindows(m1(), 32, reset_every=reset_every)
        assert fresh.decode_batch(codes[:count]) == texts[:count]
    assert windows.decode_batch(codes) == texts


@pytest.mark.parametrize("turn", range(0, 12, 3))
@pytest.mark.parametrize("method", ["feed", "keep"])
@pytest.mark.parametrize("is_done", [False, True])
def test_interrupted_and_still_good(monkeypatch, method, is_done, turn):
    texts = ragged_texts(9)
    expected = lazy_windows.LazyWindows(m1(), 32).encode_batch(texts)
    windows = lazy_windows.LazyWindows(m1(), 32)
    run, turns = getattr(byte_lm_lanes.NetworkLanes, method), itertools.count()

    def interrupted(lanes, *arguments):
        if next(turns) < turn:
            return run(lanes, *arguments)
        if is_done:
            run(lanes, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(byte_lm_lanes.NetworkLanes, method, interrupted)
        windows.encode_batch(texts)
    for one, other in zip(windows.encode_batch(texts), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@each_reset
def test_codes_of_the_reference(reset_every):
    reference = equal_info.EqualInfoWindows(m1(), 24, 16, reset_every=reset_every)
    windows = lazy_windows.LazyWindows(m1(), 24, reset_every=reset_every)
    for text in (PROSE[:40], ragged_texts(3)[2]):
        np.testing.assert_array_equal(windows.encode(text), reference.encode(text))
        assert windows.decode(reference.encode(text)) == text


def test_codes_of_the_compiled_dictionary():
    compiled = window_dictionary.compile_windows(m1(), dense=False)
    windows = lazy_windows.LazyWindows(m1(), 16)
    for text in (PROSE, *ragged_texts(3)):
        np.testing.assert_array_equal(windows.encode(text), compiled.encode(text))


def test_loaded_in_another_process(tmp_path):
    texts = {b: ragged_texts(9)[8] + PROSE for b in (24, 128)}
    for window_bits, text in texts.items():
        windows = lazy_windows.LazyWindows(m1(), window_bits, reset_every=window_bits % 5)
        np.save(tmp_path / f"{window_bits}.npy", windows.encode(text))
        windows.save(tmp_path / str(window_bits), with_trie=True)
    script = (
        "import pathlib, sys, numpy as np; from eiw import compressors\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.npy')):\n"
        "    windows, codes = compressors.load(path.with_suffix('')), np.load(path)\n"
        "    text = windows.decode(codes)\n"
        "    assert windows.encode(text).tolist() == codes.tolist()\n"
        "    sys.stdout.buffer.write(text)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True)
    assert done.stdout == texts[128] + texts[24]


@pytest.mark.parametrize("make", [neural_ac.NeuralAC, lazy_windows.LazyWindows])
def test_another_backend_is_refused_unless_asked_for(make, tmp_path, monkeypatch):
    coder = make(m1())
    coder.save(tmp_path / "coder")
    assert compressors.load(tmp_path / "coder").fingerprint == coder.fingerprint
    assert jax.__version__ in m1().backend
    monkeypatch.setattr(jax, "__version__", "0.0.1")
    with pytest.raises(errors.ArtefactError, match=r"jax 0\.0\.1.*allow the mismatch") as caught:
        compressors.load(tmp_path / "coder")
    assert "\n" not in str(caught.value)
    loaded = compressors.load(tmp_path / "coder", allow_mismatch=["backend"])
    assert loaded.m1_fingerprint == coder.m1_fingerprint
    assert loaded.fingerprint != coder.fingerprint
    assert loaded.decode(coder.encode(PROSE)) == PROSE


def test_the_backend_tells_integers_apart(monkeypatch):
    known = m1().backend
    step = byte_lm._step

    def rounded_otherwise(*args):
        cache, cdfs = step(*args)
        return cache, cdfs.at[37, 100].add(1)

    monkeypatch.setattr(byte_lm, "_step", rounded_otherwise)
    monkeypatch.delitem(m1().__dict__, "backend")
    found = m1().backend
    assert found != known
    assert found.partition(", integers ")[0] == known.partition(", integers ")[0]
