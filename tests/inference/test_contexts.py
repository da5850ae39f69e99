"""Streams of ids in contexts, against one forward pass an id, all in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw import errors
from eiw.inference import contexts
from eiw.models import config, decoder

VOCAB, LENGTH = 140, 8


@pytest.fixture(scope="module", autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def network(float64):
    shape = {"embed_dim": 16, "num_heads": 2, "num_layers": 2, "mlp_dim": 24, "head_dim": 8}
    model = decoder.Decoder(config.DecoderConfig(vocab_size=VOCAB, dtype="float64", **shape))
    tokens_BT = jnp.ones((1, 2), jnp.int32)
    params = jax.jit(model.init)(jax.random.key(1), tokens_BT, tokens_BT)["params"]
    # A sharper head, so that contexts matter.
    return model, {**params, "head": 3 * params["head"]}


@pytest.fixture(scope="module")
def log_p(network):
    """log_p(ids): of the last id, given those before it and "begin"."""
    model, params = network
    call = jax.jit(model.apply)

    def of_last(ids: np.ndarray) -> float:
        # One shape for all: what stands behind the last id is not seen.
        inputs = np.zeros((1, LENGTH), np.int32)
        inputs[0, 1 : len(ids)] = ids[:-1]
        logits = np.asarray(call({"params": params}, inputs, inputs))[0, len(ids) - 1, :VOCAB]
        return logits[ids[-1]] - np.log(np.exp(logits).sum())

    return of_last


def make_ids(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, VOCAB, count).astype(np.uint16)


def score(network, ids: np.ndarray, *settings) -> np.ndarray:
    return np.concatenate(
        list(contexts.stream_nats(*network, ids, contexts.Contexts(LENGTH, *settings)))
    )


@pytest.mark.parametrize("count", [1, 7, 8, 9, 30])
@pytest.mark.parametrize("stride", [1, 2, 3, 7, 8])
def test_every_id_is_scored_once_at_the_end_of_its_context(network, log_p, count, stride):
    ids = make_ids(count)
    found = score(network, ids, stride, 3)
    assert found.shape == (count,)
    for place in range(count):
        end = (place // stride + 1) * stride
        context = ids[max(0, end - LENGTH) : place + 1].astype(np.int32)
        np.testing.assert_allclose(found[place], -log_p(context), rtol=1e-12)


def test_a_whole_stride_is_contexts_one_after_another(network):
    ids = make_ids(30)
    alone = score(network, ids)
    assert (score(network, ids, LENGTH) == alone).all()
    parts = [score(network, ids[start : start + LENGTH]) for start in range(0, 30, LENGTH)]
    np.testing.assert_allclose(alone, np.concatenate(parts), rtol=1e-12)


def test_the_first_context_is_scored_whole(network):
    ids = make_ids(30)
    np.testing.assert_allclose(score(network, ids, 2)[:LENGTH], score(network, ids)[:LENGTH])


@pytest.mark.parametrize("batch_size", [2, 50])
def test_batches_change_nothing(network, batch_size):
    ids = make_ids(30)
    np.testing.assert_allclose(
        score(network, ids, 3, batch_size), score(network, ids, 3, 1), rtol=1e-12
    )


@pytest.mark.parametrize("chunk_tokens", [1, 9])  # chunks of one and of three positions
@pytest.mark.parametrize("stride", [5, 8])
def test_chunks_change_nothing(monkeypatch, network, stride, chunk_tokens):
    ids = make_ids(30)
    whole = score(network, ids, stride, 3)
    monkeypatch.setattr(contexts, "_CHUNK_TOKENS", chunk_tokens)
    np.testing.assert_allclose(score(network, ids, stride, 3), whole, rtol=1e-12)


def test_no_ids_have_no_nats(network):
    assert list(contexts.stream_nats(*network, make_ids(0), contexts.Contexts(LENGTH))) == []


@pytest.mark.parametrize("settings", [(0,), (8, 0), (8, 9), (8, None, 0)])
def test_what_is_no_context_is_refused(settings):
    with pytest.raises(errors.InputError):
        contexts.Contexts(*settings)
