"""The decoder driven as T5X's `DecoderOnlyModel` and its samplers drive a network.

T5X itself is not on PyPI, so what it does is done here: the same calls by the same names, in the
same order, with what it assumes of the cache between them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from flax.core import freeze

from eiw.models import config, decoder

VOCAB, LENGTH, DECODES = 23, 8, 2
# Prompts of 3, 1 and 4 ids, shifted right, then zeros; as T5X counts, the first id is no input.
INPUTS_BT = np.array(
    [[0, 5, 6, 7, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0], [0, 4, 8, 3, 20, 0, 0, 0]]
)
LENGTHS_B = (INPUTS_BT[:, 1:] != 0).sum(-1)


def make_model(scan: bool):
    shape = config.DecoderConfig(
        vocab_size=VOCAB, embed_dim=16, num_heads=2, num_layers=2, mlp_dim=24, scan_layers=scan
    )
    module = decoder.Decoder(shape)
    # T5X initializes with ones of the features' shape, in float32 unless it is told a type.
    ones_BT = jnp.ones(INPUTS_BT.shape, jnp.float32)
    variables = freeze(
        jax.jit(lambda key: module.init(key, ones_BT, ones_BT, enable_dropout=False))(
            jax.random.key(0)
        )
    )
    assert set(variables) == {"params", "params_axes"}
    return module, variables["params"]


def prefilled_cache(module, params, both_ways: bool):
    inputs_BT = jnp.asarray(INPUTS_BT)
    # One more than the inputs: the position that reads the last of them.
    is_input_BT = jnp.arange(LENGTH)[None] <= jnp.asarray(LENGTHS_B)[:, None]
    _, allocated = module.apply(
        {"params": params},
        jnp.ones_like(inputs_BT),
        jnp.ones_like(inputs_BT),
        enable_dropout=False,
        decode=True,
        mutable=["cache"],
    )
    _, filled = module.apply(
        {"params": params, "cache": allocated["cache"]},
        decoder_input_tokens=inputs_BT,
        decoder_target_tokens=is_input_BT.astype(jnp.int32),
        decoder_causal_attention=is_input_BT.astype(jnp.int32) if both_ways else None,
        mutable=["cache"],
        enable_dropout=False,
        prefill=True,
        prefill_lengths=jnp.asarray(LENGTHS_B),
    )
    return filled["cache"]


def expanded(cache, offset: int):
    """Each row once for each of its decodes: every leaf alike, the index too."""
    flat = traverse_util.flatten_dict(cache)
    return traverse_util.unflatten_dict(
        {path: jnp.repeat(leaf, DECODES, axis=offset) for path, leaf in flat.items()}
    )


@pytest.mark.parametrize(("scan", "both_ways"), [(True, True), (False, False)])
def test_prompts_of_many_lengths_are_continued_as_by_full_passes(scan, both_ways):
    module, params = make_model(scan)
    assert module.scan_layers == scan
    cache = jax.jit(lambda params: prefilled_cache(module, params, both_ways))(params)
    cache = expanded(cache, offset=1 if scan else 0)

    @jax.jit
    def step(cache, token_B1):
        return module.apply(
            {"params": params, "cache": cache},
            token_B1,
            token_B1,
            enable_dropout=False,
            decode=True,
            max_decode_length=LENGTH,
            mutable=["cache"],
        )

    @jax.jit
    def full_pass(sequence_BT, is_input_BT):
        return module.apply(
            {"params": params},
            sequence_BT,
            sequence_BT,
            decoder_segment_ids=None,
            decoder_positions=None,
            decoder_causal_attention=is_input_BT if both_ways else None,
            rngs=None,
            decode=False,
            enable_dropout=False,
        )

    lengths_B = np.repeat(LENGTHS_B, DECODES)
    sequence_BT = np.repeat(INPUTS_BT, DECODES, axis=0)
    is_input_BT = (np.arange(LENGTH) <= lengths_B[:, None]).astype(np.int32)
    rows = np.arange(len(sequence_BT))
    draw = np.random.default_rng(0)
    for n in range(LENGTH - max(lengths_B)):
        place_B = lengths_B + n
        logits_B1V, new = step(cache, jnp.asarray(sequence_BT[rows, place_B])[:, None])
        cache = new["cache"]
        full_BTV = full_pass(jnp.asarray(sequence_BT), jnp.asarray(is_input_BT))
        np.testing.assert_allclose(logits_B1V[:, 0], full_BTV[rows, place_B], rtol=1e-4, atol=1e-5)
        # Any ids will do, other ones for each decode.
        inside = place_B + 1 < LENGTH
        sequence_BT[rows[inside], place_B[inside] + 1] = draw.integers(3, VOCAB, inside.sum())


def test_training_calls_are_differentiable_with_a_random_stream():
    module, params = make_model(scan=True)
    batch = {
        "decoder_input_tokens": jnp.asarray(INPUTS_BT),
        "decoder_target_tokens": jnp.asarray(np.roll(INPUTS_BT, -1, axis=1)),
    }

    @jax.jit
    def gradient(params, key):
        def loss(params):
            logits_BTV = module.apply(
                {"params": params},
                batch["decoder_input_tokens"],
                batch["decoder_target_tokens"],
                decoder_segment_ids=batch.get("decoder_segment_ids"),
                decoder_positions=batch.get("decoder_positions"),
                decoder_causal_attention=None,
                rngs={"dropout": key},
                decode=False,
                enable_dropout=True,
                mutable=False,
            )
            # T5X multiplies logits by a one-hot: a masked logit must not make NaN of its zero.
            targets_BTV = jax.nn.one_hot(batch["decoder_target_tokens"], logits_BTV.shape[-1])
            return -jnp.mean(jnp.sum(jax.nn.log_softmax(logits_BTV) * targets_BTV, axis=-1))

        return jax.grad(loss)(params)

    gradients = gradient(params, jax.random.key(1))
    flat = traverse_util.flatten_dict(dict(gradients))
    for path, leaf in flat.items():
        assert np.all(np.isfinite(leaf)), path
        assert np.any(leaf != 0), path

    # Each layer has a bias of its own, and uses a bucket for each of these short distances.
    path = ("layers", "attention", "relative_bias", "rel_embedding")
    for table_LHR in (flat[path], traverse_util.flatten_dict(dict(params))[path]):
        used_LHR = np.asarray(table_LHR)[..., :LENGTH]
        assert used_LHR.shape == (2, 2, LENGTH)
        assert len(np.unique(used_LHR)) == used_LHR.size
