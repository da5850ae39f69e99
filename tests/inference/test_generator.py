"""Generation: what it draws, how it goes on with prompts, and what it refuses."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_codes as toy

from eiw import errors, inference, vocab
from eiw.coding import byte_model
from eiw.compressors.ans import ANS
from eiw.compressors.equal_text import EqualText
from eiw.compressors.huffman import Huffman
from eiw.compressors.lazy_windows import LazyWindows
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.parse import Parse
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.tunstall import Tunstall
from eiw.compressors.tunstall_fit import fit_tunstall
from eiw.compressors.window_dictionary import compile_windows
from eiw.inference import code_texts, emission, generator, sampling, ways
from eiw.models import config, decoder, relative_bias

DOCUMENTS = [b"the text that a model is trained on, " * 5, b"and some more of it"]
CONTEXT = 32
GREEDY = sampling.Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def ngrams():
    return byte_model.NgramByteModel.fit(DOCUMENTS, order=3)


@pytest.fixture(scope="module")
def windows(ngrams):
    return compile_windows(ngrams)


def make(compressor, seed=0, **changes):
    shape = {"embed_dim": 16, "num_heads": 2, "num_layers": 1, "mlp_dim": 24, "head_dim": 8}
    num_ids = compressor.vocab_size + vocab.NUM_SPECIAL_IDS
    model = decoder.Decoder(config.DecoderConfig(vocab_size=num_ids, **(shape | changes)))
    tokens_BT = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens_BT, tokens_BT)["params"]
    rng = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), leaf.dtype), shapes
    )
    return generator.Generator(model, params, compressor, CONTEXT), model, params


@functools.partial(jax.jit, static_argnums=0)
def full_pass(model, params, tokens_BT):
    return model.apply({"params": params}, tokens_BT, tokens_BT)


def logits_after(model, params, ids):
    """float64[T, V]: one program for all lengths."""
    tokens_BT = (
        jnp.zeros((1, CONTEXT), jnp.int32).at[0, : len(ids)].set(jnp.asarray(ids, jnp.int32))
    )
    return np.array(full_pass(model, params, tokens_BT)[0, : len(ids)], float)


def joined(pieces):
    return [b"".join(row) for row in zip(*pieces, strict=True)]


def run(made, prompts, **arguments):
    return joined(made.generate(prompts, **arguments))


def test_cached_decoding_is_a_pass_over_everything():
    made, model, params = make(RawBytes(), num_layers=2)
    prompt = b"a prompt"
    (text,) = run(made, [prompt], max_bytes=12, how=GREEDY)
    ids = [0, *(np.frombuffer(prompt, np.uint8) + vocab.NUM_SPECIAL_IDS)]
    expected = []
    while len(expected) < len(text):
        logits_V = logits_after(model, params, ids)[-1]
        logits_V[[vocab.PAD_ID, vocab.UNK_ID]] = -np.inf
        ids.append(int(logits_V.argmax()))
        expected.append(ids[-1] - vocab.NUM_SPECIAL_IDS)
    assert text and list(text) == expected


def test_a_row_does_not_depend_on_the_others(windows):
    made, *_ = make(windows)
    prompts = [b"the text", b"", b"a model that is longer than the others \xff"]
    together = run(made, prompts, max_bytes=40, seed=3)
    assert together[0] == run(made, prompts[:1], max_bytes=40, seed=3)[0]
    assert together == run(made, prompts, max_bytes=40, seed=3)
    assert together != run(made, prompts, max_bytes=40, seed=4)
    assert len(set(map(len, together))) >= 1
    assert all(len(text) <= 40 for text in together)


def test_what_is_far_behind_is_not_read():
    made, *_ = make(RawBytes())
    (text,) = run(made, [b"x" * 100], max_bytes=3 * CONTEXT, seed=1)
    assert text == run(made, [b"y" * 20 + b"x" * 80], max_bytes=3 * CONTEXT, seed=1)[0]


@pytest.mark.parametrize("prompt", [b"", b"a prompt that is longer than what the network can read"])
def test_beyond_the_context_every_code_reads_the_last_of_it(prompt, monkeypatch):
    """A pass over everything at once, in which nothing that is further back is seen."""
    made, model, params = make(RawBytes(), num_layers=2)
    (text,) = run(made, [prompt], max_bytes=2 * CONTEXT, how=GREEDY)
    assert len(text) == 2 * CONTEXT and len(set(text)) > 8
    known = prompt[-(CONTEXT - 1) :]
    whole = relative_bias.RelativeBias.__call__

    def of_a_context(self, length):
        return jnp.where(jnp.arange(length)[None] < CONTEXT, whole(self, length), -1e9)

    monkeypatch.setattr(relative_bias.RelativeBias, "__call__", of_a_context)
    tokens_BT = np.append(0, np.frombuffer(known + text, np.uint8) + vocab.NUM_SPECIAL_IDS)[None]
    logits_TV = np.array(model.apply({"params": params}, tokens_BT, tokens_BT)[0])
    logits_TV[:, [vocab.PAD_ID, vocab.UNK_ID]] = -np.inf
    expected = logits_TV[len(known) : -1].argmax(axis=1) - vocab.NUM_SPECIAL_IDS
    assert expected.tolist() == list(text)


def test_prompts_that_end_in_windows_draw_the_true_distribution():
    """Ways on, as the generator weighs them, under a network: the sum over all whole parses."""
    compressor = toy.dictionary(5, entries=10)
    made, model, params = make(compressor)

    def q(codes):
        """log of the probability of a sequence of codes, EOS not included."""
        ids = np.array([0, *[code + vocab.NUM_SPECIAL_IDS for code in codes]])
        logits_TV = logits_after(model, params, ids)
        total, walks = 0.0, ()
        for place, code in enumerate(codes):
            row = made._log_p(logits_TV[place : place + 1])[0]
            allowed = np.where(made._parses.allowed(walks), row, -np.inf)
            total += allowed[code] - np.log(np.exp(allowed).sum())
            walks = made._parses.walks_after(walks, code)
        return total

    prompt = b"abbabaab"
    way = made._ways.after(prompt, CONTEXT - 1)
    assert len([fork for fork in way.forks if fork.ends.any()]) > 1
    (ids,) = way.reads(CONTEXT - 1)
    _, logits = made._network.prefill([np.array(ids) + vocab.NUM_SPECIAL_IDS], len(way.forks))
    weights = ways.log_weights(way.forks, made._log_p(logits[0]))
    base = q(way.sure)
    found = 0
    for number in range(len(way.forks)):
        for code in np.flatnonzero(np.isfinite(weights[number, :-1]))[:40]:
            codes = [*way.sure, *way.path(number), int(code)]
            assert weights[number, code] + base == pytest.approx(q(codes), abs=1e-4)
            text = compressor.decode(np.array(codes))
            assert text.startswith(prompt) and len(text) > len(prompt)
            assert compressor.encode(text).tolist() == codes
            found += 1
    assert found > 40


@pytest.mark.parametrize("name", ["fewest", "ac", "equal_text"])
def test_forks_are_weighed_and_gone_on_from_as_a_whole_pass_says(ngrams, name, monkeypatch):
    """Forks on several lines, read side by side: the best way, and what is best behind it."""
    compressor = {
        "fewest": lambda: fit_tunstall(ngrams, 300).with_parse(Parse("fewest")),
        "ac": lambda: NeuralAC(ngrams, 8),
        "equal_text": lambda: EqualText(ngrams, 8, 4),
    }[name]()
    made, model, params = make(compressor)
    prompts = [b"some mo", b"and", b"some mo", b"the text that"]
    allowed_C1 = made._has_text_C1

    def log_p(codes):
        ids = [0, *[code + vocab.NUM_SPECIAL_IDS for code in codes]]
        return made._log_p(logits_after(model, params, ids)[-1:])[0]

    _, drawn_B, forks = made._begin(prompts, jax.random.split(jax.random.key(0), 4), GREEDY)
    steps, step = [], made._network.step
    monkeypatch.setattr(
        made._network,
        "step",
        lambda *rest: steps.append((rest[1].copy(), step(*rest))) or steps[-1][1],
    )
    list(made.generate(prompts, max_bytes=9, how=GREEDY))
    lines = 0
    for row, (way, chosen) in enumerate(forks):
        lines += len(way.reads(CONTEXT - 1)) > 1
        best = -np.inf
        for number, fork in enumerate(way.forks):
            path = way.path(number)
            before = sum(log_p([*way.sure, *path[:place]])[code] for place, code in enumerate(path))
            answer = np.where(fork.ends & allowed_C1, log_p([*way.sure, *path]), -np.inf)
            if before + answer.max() > best:
                best, expected = before + answer.max(), (number, int(answer.argmax()))
        code = expected[1]
        is_eos = code == compressor.vocab_size
        first_id = vocab.EOS_ID if is_eos else code + vocab.NUM_SPECIAL_IDS
        assert (chosen, int(drawn_B[row])) == (expected[0], first_id)
        if not is_eos:
            ids_B, next_B = steps[0]
            assert ids_B[row] == first_id
            following = np.where(allowed_C1, log_p([*way.sure, *way.path(chosen), code]), -np.inf)
            found = int(following.argmax())
            is_eos = found == compressor.vocab_size
            assert next_B[row] == (vocab.EOS_ID if is_eos else found + vocab.NUM_SPECIAL_IDS)
    assert lines


def test_what_the_prompt_ruled_out_stays_ruled_out():
    """After "ab" as two codes, "ab" again would have been one code with the first: "abab"."""
    entries = [*(bytes([byte]) for byte in range(256)), b"abab"]
    made, *_ = make(Tunstall(entries, Parse(), ""))
    way = made._ways.after(b"ab", CONTEXT - 1)
    row = emission.Emission(made._texts, made.compressor, 9, made._parses)
    row.begin(way, len(way.forks) - 1)
    first_code = vocab.NUM_SPECIAL_IDS
    a, b, c = (ord(letter) + first_code for letter in "abc")
    assert made._masks([row])[0, [a, b, c]].tolist() == [True, True, True]
    assert row.take(a) == b"a"
    assert made._masks([row])[0, [a, b, c]].tolist() == [True, False, True]
    assert row.take(c) == b"c"
    assert made._masks([row])[0, [a, b, c]].tolist() == [True, True, True]


@pytest.mark.parametrize("name", ["fewest", "ac", "raw_bits", "huffman", "equal_text", "wide"])
def test_every_method_goes_on_with_a_prompt(ngrams, name):
    compressor = {
        "fewest": lambda: fit_tunstall(ngrams, 300).with_parse(Parse("fewest", "start")),
        "ac": lambda: NeuralAC(ngrams, 8),
        "raw_bits": lambda: NeuralAC(ngrams, 1),
        "huffman": lambda: Huffman(ngrams, 16),
        "equal_text": lambda: EqualText(ngrams, 8, 5),
        "wide": lambda: LazyWindows(ngrams, 40, 16),
    }[name]()
    made, *_ = make(compressor)
    assert not made.approximation
    prompts = [b"some more of the text"[:size] for size in (3, 10, 10, 19)]
    texts = run(made, prompts, max_bytes=40, seed=2)
    assert any(texts) and all(len(text) <= 40 for text in texts)


def test_codes_without_a_text_are_never_drawn(ngrams):
    sparse = compile_windows(ngrams, dense=False)
    made, *_ = make(sparse)
    assert made._allowed_1V.sum() == len(sparse.texts()) + 1
    assert run(made, [b"the t"], max_bytes=20, seed=1)[0]


@pytest.mark.parametrize("window_end", ["greedy", "delay"])
@pytest.mark.parametrize("dense", [False, True])
def test_codes_of_the_papers_windows_have_the_text_they_decode_to(ngrams, window_end, dense):
    compressor = compile_windows(ngrams, window_end=window_end, dense=dense)
    texts = code_texts.texts_of_codes(compressor)
    codes = compressor.encode(DOCUMENTS[0] + b"\x00\xff some other text")
    assert b"".join(texts[code] for code in codes) == compressor.decode(codes)
    named = [code for code, text in enumerate(texts) if text][:100]
    decoded = compressor.decode_batch([np.array([code]) for code in named])
    assert decoded == [texts[code] for code in named]
    assert not code_texts.takes_longest(compressor)


def test_windows_come_as_they_are_whole(ngrams):
    compressor = LazyWindows(ngrams, window_bits=24, token_bits=8)
    made, *_ = make(compressor)
    assert made.is_streamed
    pieces = [row[0] for row in made.generate([b""], max_bytes=10, seed=1)]
    assert b"" in pieces[:2]
    assert sum(map(len, pieces)) <= 10


def test_block_streams_come_as_they_are_sure(ngrams):
    made, *_ = make(NeuralAC(ngrams, token_bits=8))
    assert made.is_streamed
    pieces = [row[0] for row in made.generate([b""], max_bytes=20, seed=1)]
    assert any(pieces[:-1]) and 0 < len(b"".join(pieces)) <= 20


def test_ans_comes_at_the_end_and_goes_on_with_nothing(ngrams):
    made, *_ = make(ANS(ngrams, token_bits=8))
    assert not made.is_streamed
    pieces = [row[0] for row in made.generate([b""], max_bytes=20, seed=1)]
    assert not any(pieces[:-1])
    with pytest.raises(errors.InputError, match="from its end to its beginning"):
        list(made.generate([b"a prompt"]))


def test_a_score_is_what_the_codes_cost(windows):
    made, model, params = make(windows)
    text = b"the text that a model is trained on"
    ids = np.append(windows.encode(text) + vocab.NUM_SPECIAL_IDS, vocab.EOS_ID)
    log_p = jax.nn.log_softmax(logits_after(model, params, [0, *ids[:-1]]))
    assert made.score(text) == pytest.approx(-float(log_p[np.arange(len(ids)), ids].sum()), 1e-5)
    assert made.score(text * 20) > made.score(text)
    # Sliding contexts see more before each code; as long as the context they are the same.
    assert made.score(text * 20, stride=CONTEXT) == made.score(text * 20)
    assert made.score(text * 20, stride=3) != made.score(text * 20)
    with pytest.raises(errors.InputError, match="stride"):
        made.score(text, stride=CONTEXT + 1)


def test_a_compressor_of_other_size_is_refused(windows):
    _, model, params = make(RawBytes())
    with pytest.raises(errors.ArtefactError, match="needs"):
        generator.Generator(model, params, windows, CONTEXT)


def test_a_folder_without_checkpoint_is_refused(tmp_path):
    with pytest.raises(errors.ArtefactError, match="no checkpoint"):
        generator.Generator.load(tmp_path, tmp_path)
    (tmp_path / "checkpoints" / "step_00000001").mkdir(parents=True)
    (tmp_path / "config.json").write_text(json.dumps({"model": {}}))
    with pytest.raises(errors.ArtefactError, match="does not say compressor"):
        generator.Generator.load(tmp_path, tmp_path)


def test_a_network_drives_a_coder(windows):
    made, *_ = make(windows)
    coder = NeuralAC(made.byte_model(), token_bits=1)
    text = b"the text that a model is trained on, and more than one context of it: \x00\xff " * 3
    assert len(windows.encode(text)) > CONTEXT
    (coded,) = coder.encode_batch([text])
    assert coder.decode_batch([coded]) == [text]
    assert 0 < len(coded) <= 1.01 * made.score(text) / np.log(2)


def test_only_longest_entries_have_exact_bytes(ngrams):
    compressor = fit_tunstall(ngrams, 300).with_parse(Parse("fewest"))
    with pytest.raises(errors.InputError, match="longest entries"):
        make(compressor)[0].byte_model()


def test_the_folder_names_what_its_users_want():
    assert inference.Generator is generator.Generator
    with pytest.raises(AttributeError, match="Generater"):
        inference.Generater  # noqa: B018
