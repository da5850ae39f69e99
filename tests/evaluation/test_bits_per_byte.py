import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw import errors, vocab
from eiw.compressors import base
from eiw.data import token_files
from eiw.evaluation import bits_per_byte
from eiw.inference.contexts import Contexts
from eiw.models import config, decoder

VOCAB = 140  # not a multiple of 128: the head has padding
DOCUMENT_BYTES = [20, 0, 31, 64, 5]
DOCUMENT_TOKENS = [8, 1, 12, 23, 3]  # every third byte, then EOS


@dataclasses.dataclass
class EveryThirdByte(base.Compressor):
    """Codes of a vocabulary's size, three bytes each; nobody decodes them here."""

    vocab_size: int = VOCAB - vocab.NUM_SPECIAL_IDS
    name: str = "third"
    fingerprint: str = "f"
    decode_batch = save = None

    def encode_batch(self, texts: list[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(text, np.uint8)[::3] % self.vocab_size for text in texts]


@pytest.fixture
def tokens(tmp_path) -> token_files.TokenFile:
    rng = np.random.default_rng(0)
    return token_files.write_tokens(tmp_path, EveryThirdByte(), map(rng.bytes, DOCUMENT_BYTES))


@functools.cache
def make_model():
    shape = {"embed_dim": 16, "num_heads": 2, "num_layers": 2, "mlp_dim": 24, "head_dim": 8}
    model = decoder.Decoder(config.DecoderConfig(vocab_size=VOCAB, **shape))
    tokens_BT = jnp.ones((1, 2), jnp.int32)
    params = jax.jit(model.init)(jax.random.key(1), tokens_BT, tokens_BT)["params"]
    # A sharper head, so that contexts matter.
    return model, {**params, "head": 3 * params["head"]}


def nats_by_full_logits(tokens: token_files.TokenFile, length: int) -> np.ndarray:
    """float64[ids]: each context on its own, all logits at once, in float64 behind the model."""
    model, params = make_model()
    call = jax.jit(model.apply)
    nats = []
    for start in range(0, len(tokens.ids), length):
        targets = tokens.ids[start : start + length].astype(np.int32)
        inputs = np.concatenate([[0], targets[:-1]]).astype(np.int32)
        logits = call({"params": params}, inputs[None], targets[None])[0]
        logits = np.asarray(logits, np.float64)[:, :VOCAB]
        log_z = np.log(np.exp(logits).sum(axis=1))
        nats.append(log_z - logits[np.arange(len(targets)), targets])
    return np.concatenate(nats)


@pytest.mark.parametrize("length", [8, 64])
def test_every_id_is_scored_once_and_for_its_document(tokens, length):
    score = bits_per_byte.score(*make_model(), tokens, Contexts(length, batch_size=3))
    nats = nats_by_full_logits(tokens, length)
    wanted = [part.sum() for part in np.split(nats, tokens.offsets[1:-1])]
    np.testing.assert_allclose(score.document_nats, wanted, rtol=1e-5)
    assert score.document_tokens.tolist() == DOCUMENT_TOKENS
    assert score.document_bytes.tolist() == DOCUMENT_BYTES
    assert score.nats == pytest.approx(nats.sum(), rel=1e-6)
    assert (score.tokens, score.bytes) == (47, 120)
    assert score.bits_per_byte == pytest.approx(nats.sum() / math.log(2) / 120, rel=1e-6)


@pytest.mark.parametrize("batch_size", [1, 50])
def test_batches_change_nothing(tokens, batch_size):
    alone = bits_per_byte.score(*make_model(), tokens, Contexts(8, None, 3))
    found = bits_per_byte.score(*make_model(), tokens, Contexts(8, None, batch_size))
    np.testing.assert_allclose(found.document_nats, alone.document_nats, rtol=1e-6)


def test_uniform_model_pays_log2_of_its_ids_for_each_token(tokens):
    model, params = make_model()
    params = {**params, "head": jnp.zeros_like(params["head"])}
    score = bits_per_byte.score(model, params, tokens, Contexts(8, None, 3))
    assert score.bits_per_byte == pytest.approx(math.log2(VOCAB) * 47 / 120, rel=1e-6)
    # The paper's examples cost as much a token, and EOS is a byte.
    by_paper = bits_per_byte.paper_score(model, params, tokens, Contexts(8, None, 3), 2)
    assert by_paper == pytest.approx(math.log2(VOCAB) * 47 / (120 + 5), rel=1e-6)


@pytest.mark.parametrize("max_examples", [1, 3, 100])
def test_the_papers_score_is_of_the_first_examples(tokens, max_examples):
    contexts = Contexts(8, 2, batch_size=2)
    found = bits_per_byte.paper_score(*make_model(), tokens, contexts, max_examples)
    nats = nats_by_full_logits(tokens, 8)[: 8 * max_examples]
    assert found == pytest.approx(nats.mean() / math.log(2) * 47 / (120 + 5), rel=1e-6)


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_sliding_contexts_pay_the_same_ids(tokens, stride):
    contexts = Contexts(8, stride, batch_size=3)
    score = bits_per_byte.score(*make_model(), tokens, contexts)
    assert score.document_tokens.tolist() == DOCUMENT_TOKENS
    assert score.document_bytes.tolist() == DOCUMENT_BYTES
    assert (score.length, score.stride) == (8, stride)
    whole = bits_per_byte.score(*make_model(), tokens, Contexts(8, None, 3))
    assert (score.nats == whole.nats) == (stride == 8)


def test_what_cannot_be_scored_is_refused(tokens, tmp_path):
    model, params = make_model()
    empty = token_files.write_tokens(tmp_path / "empty", EveryThirdByte(), [b"", b""])
    with pytest.raises(errors.InputError, match="no bytes"):
        bits_per_byte.score(model, params, empty, Contexts(8, None, 3))
    foreign = token_files.write_tokens(tmp_path / "foreign", EveryThirdByte(250), [b"some text"])
    with pytest.raises(errors.InputError, match="another compressor"):
        bits_per_byte.score(model, params, foreign, Contexts(8, None, 3))
    diverged = {**params, "head": params["head"] * jnp.nan}
    with pytest.raises(errors.InputError, match="diverged"):
        bits_per_byte.score(model, diverged, tokens, Contexts(8, None, 3))
    with pytest.raises(errors.InputError, match="diverged"):
        bits_per_byte.paper_score(model, diverged, tokens, Contexts(8, None, 3), 9)
    with pytest.raises(errors.InputError, match="no bytes"):
        bits_per_byte.paper_score(model, params, empty, Contexts(8, None, 3), 9)
