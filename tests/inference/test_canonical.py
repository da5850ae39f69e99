"""What an encoder can emit, against the encoder itself; a prompt's last window does not show."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import toy_codes as toy

from eiw.inference import canonical, ways

SEEDS = st.integers(0, 2**32 - 1)


def parses_of(compressor):
    return canonical.CanonicalParses(compressor.texts())


@hypothesis.settings(max_examples=20)
@hypothesis.given(SEEDS)
def test_allowed_codes_are_those_that_the_encoder_can_emit(seed):
    compressor = toy.dictionary(seed)
    parses = parses_of(compressor)
    codes = [compressor.encode(text) for text in toy.all_texts(5)[1:]]
    likely = sorted({code for row in codes for code in row.tolist()})
    frontier = [((), ())]
    for _ in range(3):
        following = []
        for prefix, walks in frontier:
            mask = parses.allowed(walks)
            assert mask[-1]
            candidates = [*likely, ord("x")]
            texts = compressor.decode_batch([np.array([*prefix, code]) for code in candidates])
            again = compressor.encode_batch(texts)
            for code, row in zip(candidates, again, strict=True):
                assert mask[code] == (tuple(row.tolist()) == (*prefix, code))
                if mask[code]:
                    following.append(((*prefix, code), parses.walks_after(walks, code)))
        frontier = following[:: max(1, len(following) // 12)]


@hypothesis.settings(max_examples=20)
@hypothesis.given(SEEDS)
def test_the_longest_entry_is_the_encoders(seed):
    compressor = toy.dictionary(seed)
    parses = parses_of(compressor)
    for text in toy.all_texts(6)[1:]:
        assert parses.longest(text) == compressor.encode(text)[0]


@hypothesis.settings(max_examples=20)
@hypothesis.given(SEEDS)
def test_where_a_prompt_ends_in_a_window_does_not_show(seed):
    """The way on from every prompt, weighed as it is drawn, gives the true distribution."""
    compressor = toy.dictionary(seed)
    parses = parses_of(compressor)
    model = toy.TableModel(compressor, seed)
    for prompt in toy.all_texts(5):
        codes = compressor.encode(prompt).tolist()
        boundaries = parses.boundaries(codes)
        paths = [tuple(codes[: each.codes]) for each in boundaries]
        forks = parses.forks(boundaries, codes)
        assert toy.distance_to_truth(model, prompt, paths, forks) < 1e-9


def test_cutting_before_the_last_code_is_among_the_ways():
    """The case that only the trie's nodes without a code make: after "ab" of "abab" and "a"."""
    single = [bytes([byte]) for byte in range(256)]
    parses = canonical.CanonicalParses([*single, b"abab"])
    boundaries = parses.boundaries([ord("a"), ord("b")])
    assert [each.left_over for each in boundaries] == [b"ab", b"", b""]
    assert [each.node >= 0 for each in boundaries] == [True, False, True]
    log_p = np.log(np.full((3, 258), 1 / 258))
    weights = ways.log_weights(parses.forks(boundaries, [ord("a"), ord("b")]), log_p)
    assert np.flatnonzero(np.isfinite(weights[0])).tolist() == [256]
    assert np.isfinite(weights[2]).sum() == 257
    # "ab" as two codes cannot be followed by the code of "a" and then that of "b".
    walks = parses.walks_after(boundaries[2].walks, ord("a"))
    assert not parses.allowed(walks)[ord("b")]
    assert parses.allowed(walks)[ord("a")]


def test_covering_codes_begin_with_the_left_over_bytes():
    parses = parses_of(toy.dictionary(1))
    for boundary in itertools.chain.from_iterable(
        parses.boundaries([ord("a"), ord("b")] * count) for count in (0, 1, 2)
    ):
        if boundary.node >= 0:
            mask = parses.covering(boundary)
            for code in np.flatnonzero(mask[:-1]):
                assert parses.texts[code].startswith(boundary.left_over)
                assert len(parses.texts[code]) > len(boundary.left_over)
