"""Draws: their mass, their limits, and that each row has a key of its own."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eiw import errors
from eiw.inference import sampling

LOGITS = st.lists(st.integers(-800, 800), min_size=9, max_size=9, unique=True).map(
    lambda values: jnp.asarray([values], jnp.float32) / 100
)


# A loop is compiled at each call, unless the call is.
keep_top_k, keep_top_p = map(jax.jit, (sampling.keep_top_k, sampling.keep_top_p))
drawn_by = jax.jit(sampling.draw, static_argnames="kind")


def draw(keys_B, logits_BN, **settings):
    how = sampling.Sampling(**settings)
    return drawn_by(keys_B, logits_BN, how.kind, how.numbers)


def kept(logits_BN):
    return np.isfinite(np.asarray(logits_BN[0]))


@hypothesis.settings(max_examples=50)
@hypothesis.given(LOGITS, st.integers(1, 8))
def test_top_k_keeps_the_k_highest(logits_BN, k):
    keeps = kept(keep_top_k(logits_BN, k))
    assert keeps.sum() == k
    values = np.asarray(logits_BN[0])
    assert values[keeps].min() > values[~keeps].max()


@hypothesis.settings(max_examples=50)
@hypothesis.given(LOGITS, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_with_the_mass(logits_BN, p):
    keeps = kept(keep_top_p(logits_BN, p))
    mass = np.asarray(jax.nn.softmax(logits_BN)[0], np.float64)
    assert mass[keeps].sum() >= p - 1e-5
    lowest = mass[keeps].min()
    assert mass[keeps].sum() - lowest < p + 1e-5
    assert not (mass[~keeps] > lowest).any()


def test_what_ties_is_kept():
    logits_BN = jnp.asarray([[1.0, 0.0, 1.0, 1.0]])
    assert kept(keep_top_k(logits_BN, 2)).tolist() == [True, False, True, True]
    assert kept(keep_top_p(logits_BN, 0.1)).tolist() == [True, False, True, True]


@hypothesis.settings(max_examples=20)
@hypothesis.given(LOGITS, st.integers(0, 99))
def test_greedy_is_the_limit_of_low_temperatures(logits_BN, seed):
    keys = jax.random.split(jax.random.key(seed), 1)
    # The two highest are a hundredth apart, or more.
    greedy = draw(keys, logits_BN, temperature=0.0)
    low = draw(keys, logits_BN, temperature=1e-4)
    assert greedy[0] == low[0] == np.argmax(logits_BN[0])
    one = draw(keys, logits_BN, top_k=1)
    assert one[0] == greedy[0]


@pytest.mark.parametrize("extreme", [1e-320, 1e-40, 1e39, 1e300])
def test_temperatures_beyond_float32_are_its_extremes(extreme):
    logits_BN = jnp.broadcast_to(jnp.asarray([0.0, -jnp.inf, 2.0, 3.0]), (2000, 4))
    keys = jax.random.split(jax.random.key(0), 2000)
    drawn = draw(keys, logits_BN, temperature=extreme)
    shares = np.bincount(drawn, minlength=4) / 2000
    p = np.array([0, 0, 0, 1]) if extreme < 1 else np.array([1, 0, 1, 1]) / 3
    assert np.abs(shares - p).max() < 5 * 0.5 / 2000**0.5 and shares[1] == 0


def test_the_least_top_p_and_the_most_top_k():
    logits_BN = jnp.asarray([[0.0, -jnp.inf, 2.0, 3.0]])
    numbers = sampling.Sampling(top_p=1e-300).numbers
    assert kept(keep_top_p(logits_BN, numbers[2])).tolist() == [False, False, False, True]
    numbers = sampling.Sampling(top_k=10**400).numbers
    assert kept(keep_top_k(logits_BN, numbers[1])).tolist() == [True, False, True, True]


def test_draws_follow_the_probabilities():
    p = np.array([0.5, 0.25, 0.125, 0.125, 0.0])
    rows = 20_000
    with np.errstate(divide="ignore"):
        logits_BN = jnp.broadcast_to(jnp.asarray(np.log(p), jnp.float32), (rows, 5))
    keys = jax.random.split(jax.random.key(0), rows)
    shares = (
        np.bincount(
            draw(
                keys,
                logits_BN,
            ),
            minlength=5,
        )
        / rows
    )
    # Five standard deviations of a share of a half.
    assert np.abs(shares - p).max() < 5 * 0.5 / rows**0.5
    cold = draw(keys, logits_BN, temperature=0.5)
    shares = np.bincount(cold, minlength=5) / rows
    assert np.abs(shares - p**2 / (p**2).sum()).max() < 5 * 0.5 / rows**0.5
    few = draw(keys, logits_BN, top_p=0.6)
    assert set(np.asarray(few).tolist()) == {0, 1}


@pytest.mark.parametrize("ways", [127, 128, 129, 1000])
def test_the_first_of_the_highest_wins_whatever_block_it_is_in(ways):
    rng = np.random.default_rng(ways)
    # Few levels, so that the highest is there several times.
    logits_BN = rng.integers(0, 4, (200, ways)).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), 200)
    greedy = draw(keys, jnp.asarray(logits_BN), temperature=0.0)
    assert np.asarray(greedy).tolist() == logits_BN.argmax(-1).tolist()


def test_draws_among_many_blocks_follow_the_probabilities():
    rng = np.random.default_rng(0)
    logits_N = rng.normal(0, 2, 700).astype(np.float32)
    # Whole blocks that cannot be drawn, and parts of others.
    logits_N[rng.random(700) < 0.3] = -np.inf
    logits_N[128:384] = -np.inf
    p = np.asarray(jax.nn.softmax(jnp.asarray(logits_N)), np.float64)
    rows = 50_000
    keys = jax.random.split(jax.random.key(1), rows)
    logits_BN = jnp.broadcast_to(jnp.asarray(logits_N), (rows, 700))
    drawn = np.asarray(draw(keys, logits_BN))
    assert np.isfinite(logits_N[drawn]).all()
    shares = np.bincount(drawn, minlength=700) / rows
    assert (np.abs(shares - p) < 5 * np.sqrt(p / rows) + 1e-12).all()


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(errors.InputError, match=next(iter(wrong))):
        sampling.Sampling(**wrong)
