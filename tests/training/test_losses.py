"""The chunked loss against one that holds all logits, in value and in gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw.training import losses

VOCAB_SIZE = 121
PADDED = 128


def naive(hidden, kernel, targets, weights, z_loss):
    """All logits at once; padded columns are cut off, not masked."""
    logits = (hidden @ kernel)[..., :VOCAB_SIZE]
    log_z = jax.scipy.special.logsumexp(logits, axis=-1)
    nats = log_z - jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return jnp.sum(weights * nats), jnp.sum(weights * z_loss * log_z**2)


def inputs(dtype=np.float32, batch=3, length=10, embed=16):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(batch, length, embed)).astype(dtype)
    kernel = rng.normal(size=(embed, PADDED)).astype(dtype)
    targets = rng.integers(0, VOCAB_SIZE, (batch, length)).astype(np.int32)
    weights = rng.integers(0, 2, (batch, length)).astype(dtype)
    return jnp.asarray(hidden), jnp.asarray(kernel), jnp.asarray(targets), jnp.asarray(weights)


@pytest.mark.parametrize("chunk_length", [1, 3, 5, 10, 64])
def test_equals_the_naive_loss_and_gradient(chunk_length):
    with jax.enable_x64(True):
        hidden, kernel, targets, weights = inputs(np.float64)

        def chunked(hidden, kernel):
            total, sums = losses.cross_entropy(
                hidden,
                kernel,
                targets,
                weights,
                vocab_size=VOCAB_SIZE,
                z_loss=1e-2,
                chunk_length=chunk_length,
            )
            return 0.5 * total, sums  # a factor, so that the cotangent is not 1

        def expected(hidden, kernel):
            nats, z_loss = naive(hidden, kernel, targets, weights, 1e-2)
            return 0.5 * (nats + z_loss), (nats, z_loss, jnp.sum(weights))

        value_and_grad = jax.value_and_grad(chunked, argnums=(0, 1), has_aux=True)
        (total, sums), gradients = jax.jit(value_and_grad)(hidden, kernel)
        value_and_grad = jax.value_and_grad(expected, argnums=(0, 1), has_aux=True)
        (want_total, want_sums), want_gradients = value_and_grad(hidden, kernel)
        assert total.dtype == np.float64
        np.testing.assert_allclose(total, want_total, rtol=1e-13)
        np.testing.assert_allclose(tuple(sums), want_sums, rtol=1e-13)
        for got, want in zip(gradients, want_gradients, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


def test_float32_is_within_rounding_and_evaluation_equals_training():
    hidden, kernel, targets, weights = inputs()

    def loss(hidden):
        return losses.cross_entropy(
            hidden, kernel, targets, weights, vocab_size=VOCAB_SIZE, chunk_length=4
        )

    nats, z_loss = naive(hidden, kernel, targets, weights, 1e-4)
    _, sums = loss(hidden)
    np.testing.assert_allclose((sums.nats, sums.z_loss), (nats, z_loss), rtol=1e-6)
    (_, trained), _ = jax.value_and_grad(loss, has_aux=True)(hidden)
    np.testing.assert_array_equal(tuple(sums), tuple(trained))


def test_bfloat16_activations_sum_in_float32():
    hidden, kernel, targets, weights = inputs()
    hidden = hidden.astype(jnp.bfloat16)

    def loss(hidden, kernel):
        return losses.cross_entropy(hidden, kernel, targets, weights, vocab_size=VOCAB_SIZE)[0]

    total, (d_hidden, d_kernel) = jax.value_and_grad(loss, argnums=(0, 1))(hidden, kernel)
    assert (total.dtype, d_hidden.dtype, d_kernel.dtype) == (
        jnp.float32,
        jnp.bfloat16,
        jnp.float32,
    )
    rounded = kernel.astype(jnp.bfloat16).astype(jnp.float32)
    want = sum(naive(hidden.astype(jnp.float32), rounded, targets, weights, 1e-4))
    np.testing.assert_allclose(total, want, rtol=1e-6)


def test_padded_columns_get_no_probability_and_no_gradient():
    hidden, kernel, targets, weights = inputs()
    kernel = kernel.at[:, VOCAB_SIZE:].set(1e3)  # would win every softmax

    def loss(kernel):
        return losses.cross_entropy(hidden, kernel, targets, weights, vocab_size=VOCAB_SIZE)[0]

    total, gradient = jax.value_and_grad(loss)(kernel)
    want = sum(naive(hidden, kernel, targets, weights, 1e-4))
    np.testing.assert_allclose(total, want, rtol=1e-6)
    assert np.all(gradient[:, VOCAB_SIZE:] == 0)
    assert np.all(gradient[:, :VOCAB_SIZE] != 0)


def test_never_holds_all_logits():
    batch, length, embed, vocab = 4, 64, 8, 4096
    shapes = (
        jax.ShapeDtypeStruct((batch, length, embed), jnp.float32),
        jax.ShapeDtypeStruct((embed, vocab), jnp.float32),
        jax.ShapeDtypeStruct((batch, length), jnp.int32),
        jax.ShapeDtypeStruct((batch, length), jnp.float32),
    )

    def temporary_bytes(chunk_length):
        def loss(hidden, kernel, targets, weights):
            return losses.cross_entropy(
                hidden, kernel, targets, weights, vocab_size=vocab, chunk_length=chunk_length
            )[0]

        step = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(*shapes).compile()
        return step.memory_analysis().temp_size_in_bytes

    all_logits = batch * length * vocab * 4
    assert temporary_bytes(length) > all_logits
    assert temporary_bytes(4) < all_logits / 2


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="does not fit a head"):
        losses.cross_entropy(*inputs(), vocab_size=PADDED + 1)
    with pytest.raises(ValueError, match="chunk_length"):
        losses.cross_entropy(*inputs(), vocab_size=VOCAB_SIZE, chunk_length=0)
