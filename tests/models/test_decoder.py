"""The decoder through its signature: what trainers, decoders and the byte model rely on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from flax.linen import partitioning

from eiw.models import axes, config, decoder, layer_stacking

BATCH, LENGTH, VOCAB = 3, 9, 37


def make_config(**changes) -> config.DecoderConfig:
    shape = {"embed_dim": 16, "num_heads": 2, "num_layers": 2, "mlp_dim": 24, "head_dim": 8}
    # Few buckets, so that nine tokens reach the coarse ones. Unrolled: it compiles faster here.
    small = {"vocab_size": VOCAB, "relative_buckets": 6, "relative_max_distance": 8}
    return config.DecoderConfig(**(shape | small | {"scan_layers": False} | changes))


@functools.cache
def model_and_params(**changes):
    """Parameters by numpy, of the initialisers' sizes: compiling `init` takes seconds."""
    model = decoder.Decoder(make_config(**changes))
    tokens_BT = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens_BT, tokens_BT)["params"]
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        scale = leaf.shape[-2] ** -0.5 if path[-1].key in ("kernel", "head") else 1.0
        return jnp.asarray(rng.normal(0, scale, leaf.shape), leaf.dtype)

    return model, jax.tree_util.tree_map_with_path(draw, shapes)


def make_tokens(batch=BATCH, length=LENGTH, seed=0) -> jax.Array:
    tokens_BT = np.random.default_rng(seed).integers(3, VOCAB, (batch, length))
    tokens_BT[:, 0] = 0  # the shifted input's first id
    return jnp.asarray(tokens_BT, jnp.int32)


@functools.cache
def jitted(model, **arguments):
    return jax.jit(functools.partial(model.apply, **arguments))


def logits_of(model, params, tokens_BT, **arguments) -> np.ndarray:
    logits_BTV = jitted(model)({"params": params}, tokens_BT, tokens_BT, **arguments)
    return np.asarray(logits_BTV)[..., :VOCAB]


def empty_cache(model, params, tokens_BT):
    """As T5X makes it: a full-length call with decode=True and no cache."""
    call = jitted(model, decode=True, enable_dropout=False, mutable=("cache",))
    return call({"params": params}, tokens_BT, tokens_BT)[1]["cache"]


@functools.cache
def decoder_step(model):
    @jax.jit
    def step(params, cache, token_B):
        variables = {"params": params, "cache": cache}
        token_B1 = token_B[:, None]
        logits_B1V, new = model.apply(
            variables,
            token_B1,
            token_B1,
            enable_dropout=False,
            decode=True,
            max_decode_length=LENGTH,
            mutable=["cache"],
        )
        return logits_B1V[:, 0, :VOCAB], new["cache"]

    return step


def test_gradients_reach_back_but_never_ahead():
    model, params = model_and_params()
    # One id per position, so that the embedding's gradient tells which positions were read.
    tokens_BT = jnp.arange(LENGTH, dtype=jnp.int32)[None] + 3

    @jax.jit
    @jax.grad
    def gradient(table_VD, position):
        variables = {"params": params | {"embedding": table_VD}}
        logits_BTV = model.apply(variables, tokens_BT, tokens_BT)
        return jnp.sum(jnp.sin(logits_BTV[0, position, :VOCAB]))

    for t in range(LENGTH):
        gradient_SD = np.asarray(gradient(params["embedding"], t))[3 : 3 + LENGTH]
        np.testing.assert_array_equal(np.any(gradient_SD != 0, axis=-1), np.arange(LENGTH) <= t)


def test_decoding_token_by_token_equals_the_full_pass():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    full_BTV = logits_of(model, params, tokens_BT)
    step, cache = decoder_step(model), empty_cache(model, params, tokens_BT)
    for t in range(LENGTH):
        logits_BV, cache = step(params, cache, tokens_BT[:, t])
        np.testing.assert_allclose(logits_BV, full_BTV[:, t], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scan", [True, False])
def test_in_float64_decoding_and_ragged_prefill_equal_the_full_pass(scan):
    with jax.enable_x64(True):
        model, params = model_and_params(scan_layers=scan, dtype="float64")
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float64")}
        tokens_BT = make_tokens()
        full_BTV = logits_of(model, params, tokens_BT)
        assert full_BTV.dtype == np.float64
        step, cache = decoder_step(model), empty_cache(model, params, tokens_BT)
        for t in range(LENGTH):
            logits_BV, cache = step(params, cache, tokens_BT[:, t])
            np.testing.assert_allclose(logits_BV, full_BTV[:, t], rtol=0, atol=1e-12)

        lengths = np.array([0, 4, LENGTH - 2])
        call = functools.partial(model.apply, enable_dropout=False, prefill=True, mutable=["cache"])
        logits_BTV, new = jax.jit(call)(
            {"params": params, "cache": empty_cache(model, params, tokens_BT)},
            tokens_BT,
            tokens_BT,
            prefill_lengths=jnp.asarray(lengths),
        )
        np.testing.assert_allclose(logits_BTV[..., :VOCAB], full_BTV, rtol=0, atol=1e-12)
        cache, rows = new["cache"], np.arange(BATCH)
        for t in range(LENGTH - max(lengths)):
            logits_BV, cache = step(params, cache, tokens_BT[rows, lengths + t])
            np.testing.assert_allclose(logits_BV, full_BTV[rows, lengths + t], rtol=0, atol=1e-12)


@pytest.mark.parametrize("scan", [True, False])
def test_the_cache_has_the_leaves_that_t5x_reorders_and_expands(scan):
    tokens_BT, stacked = make_tokens(), (2,) if scan else ()
    model, params = model_and_params(scan_layers=scan)
    assert model.scan_layers == scan
    cache = empty_cache(model, params, tokens_BT)
    for path, leaf in traverse_util.flatten_dict(cache).items():
        shape = stacked if path[-1] == "cache_index" else (*stacked, BATCH)
        assert leaf.shape[: len(shape)] == shape
        assert not np.any(leaf), "the allocating call must not write"

    # By name, as T5X's prefill calls it.
    call = functools.partial(model.apply, enable_dropout=False, prefill=True, mutable=["cache"])
    _, new = jax.eval_shape(
        call,
        {"params": params, "cache": cache},
        decoder_input_tokens=tokens_BT,
        decoder_target_tokens=tokens_BT,
        decoder_causal_attention=None,
        prefill_lengths=jnp.array([1, 2, 3]),
    )
    for path, leaf in traverse_util.flatten_dict(new["cache"]).items():
        assert leaf.shape[: len(stacked) + 1] == (*stacked, BATCH), path
        assert path[-1] != "cache_index" or leaf.ndim == len(stacked) + 1


def test_scanned_layers_equal_unrolled_ones():
    scanned, params = model_and_params(scan_layers=True)
    unrolled, other = model_and_params(scan_layers=False)
    unstacked = layer_stacking.unstack_layers(params)
    assert jax.tree.structure(unstacked) == jax.tree.structure(other)
    tokens_BT = make_tokens()
    np.testing.assert_allclose(
        logits_of(scanned, params, tokens_BT),
        logits_of(unrolled, unstacked, tokens_BT),
        rtol=1e-5,
        atol=1e-5,
    )
    jax.tree.map(np.testing.assert_array_equal, layer_stacking.stack_layers(unstacked), params)


def test_packed_examples_equal_separate_ones():
    model, params = model_and_params()
    first_BT, second_BT = make_tokens(length=4, seed=1), make_tokens(length=5, seed=2)
    packed_BT = jnp.concatenate([first_BT, second_BT], axis=1)
    segments_BT = jnp.asarray([[1] * 4 + [2] * 5] * BATCH)
    positions_BT = jnp.asarray([[*range(4), *range(5)]] * BATCH)
    packed = logits_of(
        model,
        params,
        packed_BT,
        decoder_segment_ids=segments_BT,
        decoder_positions=positions_BT,
    )
    separate = [logits_of(model, params, tokens_BT) for tokens_BT in (first_BT, second_BT)]
    np.testing.assert_allclose(packed, np.concatenate(separate, 1), rtol=1e-4, atol=1e-5)
    assert not np.allclose(packed[:, 4:], logits_of(model, params, packed_BT)[:, 4:], atol=1e-2)


def test_a_prefix_is_read_in_both_directions():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    prefix_BT = jnp.asarray([[1] * 4 + [0] * (LENGTH - 4)] * BATCH)
    both = logits_of(model, params, tokens_BT, decoder_causal_attention=prefix_BT)
    changed_BT = tokens_BT.at[:, 3].set(5).at[:, 8].set(6)
    changed = logits_of(model, params, changed_BT, decoder_causal_attention=prefix_BT)
    assert np.all(np.any(both[:, :8] != changed[:, :8], axis=-1))
    # The last token stands behind the prefix: nothing before it reads it.
    tail_BT = tokens_BT.at[:, 8].set(6)
    tail = logits_of(model, params, tail_BT, decoder_causal_attention=prefix_BT)
    np.testing.assert_array_equal(both[:, :8], tail[:, :8])


def test_padded_targets_change_nothing():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    padded_BT = tokens_BT.at[:, 5:].set(0)
    logits_BTV = jitted(model)({"params": params}, tokens_BT, padded_BT)[..., :VOCAB]
    np.testing.assert_array_equal(logits_BTV, logits_of(model, params, tokens_BT))


def test_remat_changes_neither_values_nor_gradients():
    tokens_BT = make_tokens()

    def loss_and_gradient(**changes):
        model, params = model_and_params(scan_layers=True, **changes)

        def loss(params):
            logits_BTV = model.apply({"params": params}, tokens_BT, tokens_BT)
            return jnp.mean(jnp.square(logits_BTV[..., :VOCAB]))

        return jax.jit(jax.value_and_grad(loss))(params)

    plain = loss_and_gradient()
    for remat in ("dots", "full"):
        again = loss_and_gradient(remat=remat)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
        jax.tree.map(close, plain, again)


def test_remat_saves_memory():
    tokens_BT = jax.ShapeDtypeStruct((8, 128), jnp.int32)

    def temporary_bytes(remat):
        model, params = model_and_params(scan_layers=True, num_layers=6, remat=remat)

        def loss(params, tokens_BT):
            return jnp.sum(model.apply({"params": params}, tokens_BT, tokens_BT))

        compiled = jax.jit(jax.grad(loss)).lower(params, tokens_BT).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    none, dots, full = map(temporary_bytes, ("none", "dots", "full"))
    # Measured: 13.9, 6.6, 3.5 MB.
    assert full < 0.5 * none
    assert full < dots < 0.8 * none


def test_bfloat16_activations_give_float32_logits():
    model, params = model_and_params(dtype="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float32")}
    tokens_BT = make_tokens()
    variables = {"params": params}
    for method, dtype in (("__call__", jnp.float32), ("hidden", jnp.bfloat16)):
        call = functools.partial(model.apply, method=method)
        assert jax.eval_shape(call, variables, tokens_BT, tokens_BT).dtype == dtype
    exact, _ = model_and_params()
    coarse, fine = logits_of(model, params, tokens_BT), logits_of(exact, params, tokens_BT)
    # bfloat16 keeps 8 bits; three layers of it stay well within 5% of the logits' spread.
    assert 0 < np.std(coarse - fine) < 0.05 * np.std(fine)


def test_padded_ids_never_win():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    head_DV = decoder.Decoder.head_kernel(params)
    assert head_DV.shape[1] == 128 > VOCAB
    params = params | {"head": head_DV.at[:, VOCAB:].set(1e6)}
    logits_BTV = jitted(model)({"params": params}, tokens_BT, tokens_BT)
    assert np.all(np.argmax(logits_BTV, axis=-1) < VOCAB)
    probabilities_BTV = jax.nn.softmax(logits_BTV)
    assert np.all(np.asarray(probabilities_BTV)[..., VOCAB:] == 0)


def test_hidden_and_the_head_make_the_logits():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    x_BTD = model.apply({"params": params}, tokens_BT, tokens_BT, method="hidden")
    logits_BTV = decoder.logits_of(x_BTD, model.head_kernel(params), model.config)
    np.testing.assert_array_equal(logits_BTV, model.apply({"params": params}, tokens_BT, tokens_BT))


@pytest.mark.parametrize("scan", [True, False])
def test_every_parameter_has_standard_axes(scan):
    model, _ = model_and_params(scan_layers=scan)
    tokens_BT = jnp.ones((2, 4), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens_BT, tokens_BT)
    names = partitioning.get_axis_names(shapes["params_axes"])
    flat_names = traverse_util.flatten_dict(dict(names))
    flat_shapes = traverse_util.flatten_dict(shapes["params"])
    assert flat_names.keys() == flat_shapes.keys()
    for path, shape in flat_shapes.items():
        assert len(flat_names[path]) == len(shape.shape), path
        assert set(flat_names[path]) <= set(axes.PARAMETER_AXES), path
        assert ("layers" in flat_names[path]) == (path[0] == "layers")
    assert set(axes.PARAMETER_AXES) <= dict(axes.MESH_RULES).keys()


def test_dropout_needs_its_flag_and_drops():
    model, params = model_and_params(dropout_rate=0.5)
    tokens_BT, variables = make_tokens(), {"params": params}
    # Without the flag no random stream is asked for.
    kept = logits_of(model, params, tokens_BT)
    rngs = {"dropout": jax.random.key(1)}
    dropped = jitted(model, enable_dropout=True)(variables, tokens_BT, tokens_BT, rngs=rngs)
    assert not np.allclose(dropped[..., :VOCAB], kept, atol=1e-2)


def test_calls_that_no_cache_allows_are_refused():
    model, params = model_and_params()
    tokens_BT = make_tokens()
    with pytest.raises(ValueError, match="Initialize without decode"):
        model.init(jax.random.key(0), tokens_BT, tokens_BT, decode=True)
    variables = {"params": params, "cache": empty_cache(model, params, tokens_BT[:, :4])}
    call = functools.partial(model.apply, variables, tokens_BT, tokens_BT, mutable=["cache"])
    with pytest.raises(ValueError, match="one token a row"):
        call(decode=True)
    with pytest.raises(ValueError, match="does not fit 4"):
        call(prefill=True)
    with pytest.raises(ValueError, match="either decodes or prefills"):
        call(decode=True, prefill=True)
