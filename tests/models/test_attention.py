"""Attention and its relative bias against loops over queries and keys."""

import jax
import jax.numpy as jnp
import numpy as np

from eiw.models import attention, relative_bias


def test_buckets_are_exact_then_grow():
    # By hand: 8 buckets up to 16 tokens: four of one distance, then factors of 4^(1/4).
    expected = [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7]
    np.testing.assert_array_equal(relative_bias.distance_buckets(18, 8, 16), expected)


def test_buckets_are_t5s():
    buckets = relative_bias.distance_buckets(1_000, 32, 128)
    assert buckets.dtype == np.int32
    np.testing.assert_array_equal(buckets[:17], np.arange(17))
    assert np.all(np.diff(buckets) >= 0)
    assert set(buckets) == set(range(32))
    # Bucket 16 + i begins at 16 * 8^(i / 16) tokens, rounded up.
    first = [int(np.argmax(buckets == bucket)) for bucket in range(16, 32)]
    assert first == [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]


def make_inputs(batch=2, length=7, heads=3, width=4):
    rng = np.random.default_rng(0)
    shape = (batch, length, heads, width)
    query, key, value = (rng.normal(size=shape).astype(np.float32) for _ in range(3))
    return query, key, value, rng.normal(size=(heads, length + 2)).astype(np.float32)


def read_in_loops(query, key, value, bias, visible):
    """float64; the bias of a later token is that of distance zero."""
    read = np.zeros(query.shape)
    batch, length, heads, _ = query.shape
    for b, t, h in np.ndindex(batch, length, heads):
        seen = [s for s in range(length) if visible(b, t, s)]
        scores = [query[b, t, h] @ key[b, s, h] + bias[h, max(t - s, 0)] for s in seen]
        weights = np.exp(np.array(scores, np.float64))
        read[b, t, h] = weights @ value[b, seen, h] / weights.sum()
    return read


def test_causal_attention_equals_loops():
    inputs = make_inputs()
    expected = read_in_loops(*inputs, lambda b, t, s: s <= t)
    np.testing.assert_allclose(attention.causal_attention(*inputs), expected, rtol=1e-5, atol=1e-6)


def test_segments_and_a_two_way_prefix_equal_loops():
    inputs = make_inputs()
    segments = np.array([[1, 1, 1, 1, 2, 2, 0], [1, 1, 2, 2, 2, 2, 2]])
    prefix = np.array([[1, 1, 0, 0, 1, 1, 0], [1, 0, 1, 1, 1, 0, 0]])

    def visible(b, t, s):
        return segments[b, t] == segments[b, s] and (s <= t or (prefix[b, t] and prefix[b, s]))

    expected = read_in_loops(*inputs, visible)
    read = attention.causal_attention(*inputs, jnp.asarray(segments), jnp.asarray(prefix))
    np.testing.assert_allclose(read, expected, rtol=1e-5, atol=1e-6)


def test_the_biass_gradient_sums_over_its_diagonal():
    query, key, value, bias = make_inputs(batch=1)

    @jax.jit
    def loss(bias):
        return jnp.sum(jnp.sin(attention.causal_attention(query, key, value, bias)))

    gradient = np.asarray(jax.jit(jax.grad(loss))(bias))
    for distance in (0, 3, 6):
        step = np.zeros_like(bias)
        step[1, distance] = 1e-2
        slope = (loss(bias + step) - loss(bias - step)) / 2e-2
        np.testing.assert_allclose(gradient[1, distance], slope, rtol=1e-2, atol=1e-3)
    assert np.all(gradient[:, 7:] == 0)


def test_a_rolling_cache_reads_its_last_slots():
    query, key, value, bias = make_inputs(length=7)
    # Token 6 over four slots: tokens 4, 5, 6, 3 lie in slots 0, 1, 2, 3.
    order = [4, 5, 6, 3]
    distance_BS = jnp.asarray([[2, 1, 0, 3]])
    read = attention.cached_attention(
        query[:, 6],
        key[:, order].transpose(0, 2, 3, 1),
        value[:, order].transpose(0, 2, 1, 3),
        bias,
        distance_BS,
        jnp.ones((1, 4), bool),
    )
    expected = read_in_loops(query, key, value, bias, lambda b, t, s: t - 4 < s <= t)
    np.testing.assert_allclose(read, expected[:, 6], rtol=1e-5, atol=1e-6)
