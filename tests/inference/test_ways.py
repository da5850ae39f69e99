"""Ways on from prompts: all texts that begin with one take them, each one way, and no others do."""

import functools
import io

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import sentencepiece
import toy_codes as toy

from eiw import errors
from eiw.coding import byte_model
from eiw.compressors.ans import ANS
from eiw.compressors.equal_info import EqualInfoWindows
from eiw.compressors.equal_text import EqualText
from eiw.compressors.gzip_bits import GZip
from eiw.compressors.huffman import Huffman
from eiw.compressors.lazy_windows import LazyWindows
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.parse import Parse
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.sentence_piece import SentencePiece
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.compressors.window_dictionary import compile_windows
from eiw.inference import canonical, code_texts, ways_on

LETTERS = b"a b"
ROOM = 999


@functools.cache
def documents():
    rng = np.random.default_rng(0)
    return [bytes(rng.choice(list(b"aab  b"), 200).tolist()) for _ in range(20)]


@functools.cache
def ngrams(precision=11):
    return byte_model.NgramByteModel.fit(documents(), order=3, precision=precision)


@functools.cache
def static():
    return byte_model.StaticByteModel.fit(documents())


MAKERS = {
    "bytes": RawBytes,
    "ac": lambda: NeuralAC(ngrams(), 8),
    "ac_16": lambda: NeuralAC(ngrams(), 16, block_bytes=5),
    "ac_raw_bits": lambda: NeuralAC(ngrams(), 1, block_bytes=6),
    "static_ac": lambda: NeuralAC(static(), 8, block_bytes=40),
    "huffman": lambda: Huffman(ngrams(), 8, block_bytes=5),
    "huffman_raw_bits": lambda: Huffman(static(), 1),
    "huffman_16": lambda: Huffman(static(), 16),
    "equal_text": lambda: EqualText(ngrams(), 8, 4),
    "equal_text_delimited": lambda: EqualText(ngrams(), 8, 3, delimiters=True),
    "equal_info": lambda: EqualInfoWindows(ngrams(), 12, 5),
    "equal_info_delay": lambda: EqualInfoWindows(ngrams(), 11, 11, window_end="delay"),
    "equal_info_reset2": lambda: EqualInfoWindows(ngrams(), 11, 8, reset_every=2),
    "lazy": lambda: LazyWindows(ngrams(), 24, 16),
    "lazy_wide": lambda: LazyWindows(ngrams(), 48, 8, reset_every=0),
    "lazy_delay": lambda: LazyWindows(ngrams(), 20, 8, window_end="delay"),
    "windows": lambda: compile_windows(ngrams(), 12),
    "windows_in_parts": lambda: compile_windows(ngrams(), 12, 4, dense=False),
    "windows_delay": lambda: compile_windows(ngrams(), 12, window_end="delay"),
    "windows_delay_in_parts": lambda: compile_windows(
        ngrams(), 12, 6, window_end="delay", dense=False
    ),
    "sentencepiece": lambda: SentencePiece.train(documents(), 300),
} | {
    how.variant or "tunstall": functools.partial(
        lambda how: fit_tunstall(ngrams(), 300, how=how), how
    )
    for how in [
        Parse(cut, words)
        for cut in ("greedy", "fewest")
        for words in ("ignore", "prefer", "start", "never")
    ]
}


@functools.cache
def made(name):
    """A compressor, and what knows its ways."""
    compressor = MAKERS[name]()
    return compressor, ways_of(compressor)


def ways_of(compressor):
    texts = code_texts.texts_of_codes(compressor)
    parses = None if texts is None else canonical.CanonicalParses(texts)
    return ways_on.ways_on(compressor, parses)


def taken(way, codes):
    """Which ways a sequence of codes takes: pairs of a fork and an end."""
    assert codes[: len(way.sure)] == way.sure
    found = []
    for number, fork in enumerate(way.forks):
        path = [*way.sure, *way.path(number)]
        if codes[: len(path)] == path and fork.ends[codes[len(path)]]:
            found.append((number, codes[len(path)]))
    return found


# Windows with EOS, and some that are delayed, are no text's.
MAY_STOP_SHORT = {name for name in MAKERS if name.startswith(("equal_info", "lazy"))} | {
    "windows_delay_in_parts"
}
PROMPTS = st.text("aab  b", max_size=30).map(str.encode) | st.binary(max_size=12)


@pytest.mark.parametrize("name", MAKERS)
@hypothesis.settings(max_examples=15)
@hypothesis.given(prompt=PROMPTS, ending=PROMPTS)
def test_a_text_that_begins_with_the_prompt_takes_one_way(name, prompt, ending):
    compressor, from_here = made(name)
    assert ways_on.takes_prompts(compressor)
    codes = [*compressor.encode(prompt + ending).tolist(), compressor.vocab_size]
    assert len(taken(from_here.after(prompt, ROOM), codes)) == 1


@pytest.mark.parametrize("name", MAKERS)
@hypothesis.settings(max_examples=15)
@hypothesis.given(prompt=PROMPTS.filter(bool), seed=st.integers(0, 2**32 - 1))
def test_whatever_follows_a_way_the_text_begins_with_the_prompt(name, prompt, seed):
    compressor, from_here = made(name)
    way = from_here.after(prompt, ROOM)
    rng = np.random.default_rng(seed)
    pairs = np.argwhere([fork.ends for fork in way.forks])
    fork, code = pairs[rng.integers(len(pairs))].tolist()
    codes = [*way.sure, *way.path(fork)]
    stream = code_texts.CodeStream(compressor, code_texts.texts_of_codes(compressor))
    # What was left out in front is decoded apart, and is a beginning of the prompt.
    front = prompt[: len(prompt) - way.repeats]
    left_out = codes[: way.fresh - (name == "equal_text_delimited" and way.fresh > 0)]
    assert compressor.decode(np.array(left_out, np.int32)) == front
    following = rng.integers(0, compressor.vocab_size, 12).tolist()
    text = front
    try:
        for each in [
            *codes[way.fresh :],
            *([code] if code < compressor.vocab_size else []),
            *following,
        ]:
            text += stream.push(each)
        text += stream.finish()
    except errors.InputError:
        pass  # not all codes are a text's
    if name in MAY_STOP_SHORT:
        text += prompt[len(text) :]
    assert text.startswith(prompt)


@pytest.mark.parametrize("name", MAKERS)
@hypothesis.settings(max_examples=15)
@hypothesis.given(text=PROMPTS)
def test_codes_become_text_one_after_another(name, text):
    compressor, _ = made(name)
    stream = code_texts.CodeStream(compressor, code_texts.texts_of_codes(compressor))
    pieces = [stream.push(code) for code in compressor.encode(text).tolist()]
    assert b"".join([*pieces, stream.finish()]) == text
    if stream.is_streamed and "lazy" not in name and "equal_info" not in name:
        assert b"".join(pieces) == text


@pytest.mark.parametrize(
    "name",
    [name for name in MAKERS if name not in ("bytes", "windows", "tunstall", "lazy_wide")],
)
def test_where_a_prompt_ends_does_not_show(name):
    """The ways on from every prompt, weighed as they are drawn, give the true distribution."""
    compressor, from_here = made(name)
    model = toy.TableModel(compressor, 7, LETTERS[:2])
    for prompt in toy.all_texts(4, LETTERS[:2]):
        way = from_here.after(prompt, ROOM)
        paths = [(*way.sure, *way.path(number)) for number in range(len(way.forks))]
        assert toy.distance_to_truth(model, prompt, paths, way.forks) < 1e-9


@pytest.mark.parametrize(
    "how",
    [Parse(cut, words) for cut in ("greedy", "fewest") for words in ("prefer", "start", "never")],
)
@hypothesis.settings(max_examples=5)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_dictionaries_of_any_entries(how, seed):
    """Entries whose beginnings are none, which no fit makes."""
    compressor = toy.dictionary(seed, how=how, letters=b"a ")
    from_here = ways_of(compressor)
    for text in toy.all_texts(7, b"a ")[::5]:
        codes = [*compressor.encode(text).tolist(), compressor.vocab_size]
        for size in range(len(text) + 1):
            assert len(taken(from_here.after(text[:size], ROOM), codes)) == 1


@pytest.mark.parametrize(
    "compressor",
    [
        GZip(),
        ANS(byte_model.StaticByteModel.fit([b"a"])),
        NeuralAC(byte_model.StaticByteModel(np.ones(256, int))),
    ],
    ids=["gzip", "ans", "ac_without_eos"],
)
def test_codes_that_depend_on_all_of_the_text_have_no_ways(compressor):
    from_here = ways_of(compressor)
    assert not ways_on.takes_prompts(compressor)
    assert from_here.after(b"", ROOM).forks[0].ends.all()
    with pytest.raises(errors.InputError, match="empty prompt"):
        from_here.after(b"a prompt", ROOM)


def test_what_loses_text_is_approximate():
    greedy = compile_windows(ngrams(), 12, window_end="greedy")
    from_here = ways_of(greedy)
    assert "do not always decode" in from_here.approximation
    for prompt in toy.all_texts(5, LETTERS):
        way = from_here.after(prompt, ROOM)
        for number, fork in enumerate(way.forks):
            path = [*way.sure, *way.path(number)]
            for code in np.flatnonzero(fork.ends[:-1])[:50].tolist():
                text = greedy.decode(np.array([*path, code][way.fresh :], np.int32))
                assert text.startswith(prompt[len(prompt) - way.repeats :])
    lazy = LazyWindows(ngrams(), 20, 8, window_end="greedy")
    assert ways_of(lazy).approximation == from_here.approximation
    assert ways_of(lazy).after(b"ab b", ROOM).forks


def test_pieces_of_a_foreign_model_go_on_behind_the_prompts():
    from_here = ways_of(SentencePiece(_foreign_model(), exact=False))
    assert from_here.approximation
    way = from_here.after(b"a bab", ROOM)
    assert way.repeats > 0 and way.fresh == 0 and way.forks[0].ends.all()


def _foreign_model():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(document.decode() for document in documents()),
        model_writer=model,
        vocab_size=20,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    return model.getvalue()


def test_a_delimiter_or_the_end_follows_a_full_window():
    compressor, from_here = made("equal_text_delimited")
    for prompt in (b"aab", b"aab ba"):
        (fork,) = from_here.after(prompt, ROOM).forks
        assert np.flatnonzero(fork.ends).tolist() == [compressor.delimiter, compressor.vocab_size]


def test_forks_lie_no_deeper_than_the_room():
    _, from_here = made("ac_raw_bits")
    assert max(len(from_here.after(b"ab ", 5).path(number)) for number in range(4)) <= 5
    assert max(map(len, from_here.after(b"ab ", 5).reads(5))) <= 5
