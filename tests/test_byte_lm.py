"""M1 as a byte model: the same prefix must give the same integers, always."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from eiw import byte_lm, errors, vocab
from eiw.coding import byte_model, cdf
from eiw.models import config, decoder, layer_stacking

CONTEXT = 8
# Of the program; one has a cache of another form.
each_rows = pytest.mark.parametrize("rows", [1, 2, byte_lm.ROWS])


@functools.cache
def decoder_and_params():
    shape = config.DecoderConfig(
        vocab_size=259, embed_dim=32, num_heads=2, num_layers=2, mlp_dim=48, head_dim=16
    )
    model = decoder.Decoder(shape)
    tokens_BT = jnp.ones((1, 2), jnp.int32)
    return model, jax.jit(model.init)(jax.random.key(0), tokens_BT, tokens_BT)["params"]


@functools.cache
def model(context=CONTEXT, rows=byte_lm.ROWS) -> byte_lm.ByteLM:
    net, params = decoder_and_params()
    return byte_lm.ByteLM(params, net.config, rows=rows, context=context)


def random_symbols(rows, length, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, vocab.ALPHABET_SIZE, (rows, length))


def run(lm, symbols_BT):
    """State after all symbols, and uint32[B, T + 1, A + 1] CDFs after each of them."""
    state, cdfs = lm.start(len(symbols_BT))
    all_cdfs = [cdfs]
    for symbols_B in symbols_BT.T:
        state, cdfs = lm.advance(state, symbols_B)
        all_cdfs.append(cdfs)
    return state, np.stack(all_cdfs, axis=1)


@each_rows
def test_integers_depend_on_the_prefix_alone(rows):
    # Some in turns; twice as long as the cache, so that it rolls.
    lm, most = model(rows=rows), 2 * rows + 2
    symbols_BT = random_symbols(most, 2 * CONTEXT + 1)
    _, expected = run(lm, symbols_BT)
    order = np.random.default_rng(1).permutation(most)
    for count in {1, 2, min(7, most), rows, most}:
        _, cdfs = run(lm, symbols_BT[order[:count]])
        np.testing.assert_array_equal(cdfs, expected[order[:count]])


@pytest.mark.parametrize(
    ("rows", "from_rows", "to_rows"),
    [(1, 1, 1), (1, 1, 3), (1, 4, 1), (1, 4, 3), (2, 2, 3), (2, 3, 2)]
    + [(byte_lm.ROWS, before, after) for before in (5, 100) for after in (3, 64, 90)],
)
def test_taken_rows_go_on_as_if_they_had_been_there_always(rows, from_rows, to_rows):
    lm, symbols_BT = model(rows=rows), random_symbols(from_rows, 5)
    state, _ = run(lm, symbols_BT)
    numbers = np.random.default_rng(2).integers(0, from_rows, to_rows)
    taken = lm.take(state, numbers)
    more_BT = random_symbols(to_rows, 6, seed=3)
    cdfs = []
    for symbols_B in more_BT.T:
        taken, new = lm.advance(taken, symbols_B)
        cdfs.append(new)
    _, expected = run(lm, np.concatenate([symbols_BT[numbers], more_BT], axis=1))
    np.testing.assert_array_equal(np.stack(cdfs, axis=1), expected[:, 6:])
    # The state that rows were taken from is as good as before.
    _, after = lm.advance(state, more_BT[:1, 0].repeat(from_rows))
    again, _ = run(lm, symbols_BT)
    np.testing.assert_array_equal(after, lm.advance(again, more_BT[:1, 0].repeat(from_rows))[1])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_step_copies_no_cache(rows):
    """A copy is as large as a cache, and all else that a step holds is far smaller."""
    lm = model(context=4096, rows=rows)
    state, _ = lm.start(rows)
    integers_B = np.zeros(rows, np.int32)
    compiled = byte_lm._step.lower(
        lm._model, lm._params, state.cache, integers_B, integers_B
    ).compile()
    leaf = jax.tree.leaves(state.cache)[0]
    assert leaf.nbytes == rows * 2 * 16 * 4096 * 4
    assert compiled.memory_analysis().temp_size_in_bytes < leaf.nbytes


def test_cdfs_keep_the_coders_contract():
    _, cdfs = run(model(), random_symbols(2, 3))
    assert cdfs.dtype == np.uint32
    assert cdfs.shape == (2, 4, vocab.ALPHABET_SIZE + 1)
    assert np.all(cdfs[..., 0] == 0)
    assert np.all(cdfs[..., -1] == 1 << cdf.PRECISION)
    assert np.all(np.diff(cdfs.astype(np.int64)) >= 1)


@functools.cache
def symbols_and_full_pass():
    """Symbols [B, T], and the CDFs of one pass over all of them, float sums in another order."""
    net, params = decoder_and_params()
    symbols_BT = random_symbols(3, 20)
    symbols_BT[:, 7] = vocab.EOS_SYMBOL  # read on after it, as a full pass does
    tokens_BT = np.where(symbols_BT == vocab.EOS_SYMBOL, vocab.EOS_ID, symbols_BT + 3)
    tokens_BT = np.pad(tokens_BT, ((0, 0), (1, 0)))
    logits_BTV = np.asarray(jax.jit(net.apply)({"params": params}, tokens_BT, tokens_BT))
    symbol_ids = [*range(3, 259), vocab.EOS_ID]
    probabilities_BTA = jax.nn.softmax(jnp.asarray(logits_BTV[..., symbol_ids]))
    return symbols_BT, cdf.cdf_from_probabilities(np.asarray(probabilities_BTA))


@each_rows
def test_cdfs_are_the_full_passs_probabilities(rows):
    symbols_BT, expected = symbols_and_full_pass()
    _, cdfs = run(model(context=64, rows=rows), symbols_BT)
    assert np.abs(cdfs.astype(int) - expected.astype(int)).max() <= 2
    assert not np.array_equal(cdfs[0, 8], cdfs[0, 0]), "EOS must not be a hidden restart"


@pytest.mark.parametrize("alphabet", [256, 257])
def test_cdfs_on_the_device_are_numpys(alphabet):
    logits = (
        np.random.default_rng(0).normal(0, 1, (300, alphabet)) * np.linspace(0, 40, 300)[:, None]
    )
    with jax.enable_x64(False):
        probabilities = np.asarray(jax.nn.softmax(jnp.asarray(logits, jnp.float32)))
        on_device = np.asarray(jax.jit(byte_lm._integer_cdfs)(probabilities))
    # Ties between two multiples of 2^-17 must round alike too.
    np.testing.assert_array_equal(on_device, cdf.cdf_from_probabilities(probabilities))
    ties = (np.arange(alphabet, dtype=np.float32)[None] + 0.5) / (1 << cdf.WEIGHT_BITS)
    np.testing.assert_array_equal(
        np.asarray(jax.jit(byte_lm._integer_cdfs)(ties)), cdf.cdf_from_probabilities(ties)
    )


def test_an_export_comes_back_whole(tmp_path):
    net, params = decoder_and_params()
    exported = byte_lm.export(params, net.config, tmp_path / "m1", context=CONTEXT)
    loaded = byte_model.load_byte_model(tmp_path / "m1")
    assert loaded.fingerprint == exported.fingerprint == model().fingerprint
    symbols_BT = random_symbols(2, CONTEXT + 2)
    np.testing.assert_array_equal(run(loaded, symbols_BT)[1], run(model(), symbols_BT)[1])
    (tmp_path / "copy").mkdir()
    loaded.save(tmp_path / "copy")
    assert byte_lm.ByteLM.load(tmp_path / "copy").fingerprint == loaded.fingerprint


def test_the_fingerprint_covers_what_decides_the_integers(tmp_path):
    net, params = decoder_and_params()
    flat = traverse_util.flatten_dict(params)
    fingerprints = {model().fingerprint, model(context=64).fingerprint}
    for path in (("head",), ("layers", "attention", "relative_bias", "rel_embedding")):
        first = (0,) * flat[path].ndim
        changed = flat | {path: flat[path].at[first].multiply(1 + 2.0**-22)}
        other = byte_lm.ByteLM(traverse_util.unflatten_dict(changed), net.config, context=CONTEXT)
        fingerprints.add(other.fingerprint)
    byte_lm.export(params, net.config, tmp_path / "m1")
    fingerprints.add(byte_lm.ByteLM.load(tmp_path / "m1", rows=32).fingerprint)
    assert len(fingerprints) == 5
    # But not the form that the parameters were trained in.
    unrolled = layer_stacking.unstack_layers(params)
    assert byte_lm.ByteLM(unrolled, net.config, context=8).fingerprint == model().fingerprint


def damage_arrays(folder):
    path = folder / "arrays.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate_arrays(folder):
    path = folder / "arrays.npz"
    path.write_bytes(path.read_bytes()[:1000])


def alter_config(folder):
    path = folder / "config.json"
    header = json.loads(path.read_text())
    header["config"]["context"] += 1
    path.write_text(json.dumps(header))


def change_kind(folder):
    byte_model.StaticByteModel(np.ones(257, np.int64)).save(folder)


def remove_config(folder):
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    "harm", [damage_arrays, truncate_arrays, alter_config, change_kind, remove_config]
)
def test_damaged_and_foreign_folders_are_refused(tmp_path, harm):
    net, params = decoder_and_params()
    byte_lm.export(params, net.config, tmp_path / "m1")
    harm(tmp_path / "m1")
    with pytest.raises(errors.ArtefactError) as error:
        byte_lm.ByteLM.load(tmp_path / "m1")
    assert "\n" not in str(error.value)


def test_what_is_no_m1_is_refused():
    net, params = decoder_and_params()
    with pytest.raises(errors.InputError, match="diverged"):
        byte_lm.ByteLM(params | {"head": params["head"] * jnp.nan}, net.config)
    with pytest.raises(errors.InputError, match="context=0 must be at least 1"):
        byte_lm.ByteLM(params, net.config, context=0)
    other = config.DecoderConfig(**(net.config.to_dict() | {"vocab_size": 300}))
    with pytest.raises(errors.InputError, match="259 ids"):
        byte_lm.ByteLM(params, other)
    other = config.DecoderConfig(**(net.config.to_dict() | {"mlp_dim": 40}))
    with pytest.raises(ValueError, match="not the parameters"):
        byte_lm.ByteLM(params, other)


def test_wrong_calls_are_refused():
    state, _ = model().start(3)
    with pytest.raises(ValueError, match="3 rows"):
        model().advance(state, np.zeros(2, int))
    for symbol in (-1, 257):
        with pytest.raises(ValueError, match="outside"):
            model().advance(state, np.full(3, symbol))
        with pytest.raises(IndexError, match="outside"):
            model().take(state, np.array([symbol]))


@each_rows
def test_lanes_have_the_integers_of_states(rows):
    # More lanes than rows; each goes its own way, starts afresh now and then, and rolls.
    lm, count = model(rows=rows), rows + 6
    generator = np.random.default_rng(4)
    lanes = lm.open_lanes(count)
    prefixes = [[] for _ in range(count)]
    known = {}
    for _ in range(3 * CONTEXT):
        chosen = generator.permutation(count)[: generator.integers(1, count + 1)]
        symbols = generator.integers(0, vocab.ALPHABET_SIZE, len(chosen))
        fresh = np.array([not prefixes[lane] or generator.random() < 0.05 for lane in chosen])
        cdfs = lanes.feed(chosen, symbols, fresh)
        for lane, symbol, is_fresh, row in zip(chosen, symbols, fresh, cdfs, strict=True):
            prefixes[lane] = [*([] if is_fresh else prefixes[lane]), symbol]
            known[tuple(prefixes[lane])] = row
    by_length = {}
    for prefix in known:
        by_length.setdefault(len(prefix), []).append(prefix)
    assert max(by_length) > CONTEXT
    for prefixes_of_one in by_length.values():
        _, expected = run(lm, np.array(prefixes_of_one))
        found = np.stack([known[prefix] for prefix in prefixes_of_one])
        np.testing.assert_array_equal(found, expected[:, -1])


@each_rows
def test_lanes_go_on_from_what_the_bank_keeps(rows):
    lm = model(rows=rows)
    symbols_BT = random_symbols(rows, 5)
    _, expected = run(lm, symbols_BT)
    lanes, numbers = lm.open_lanes(rows), np.arange(rows)
    entries_BT = numbers[:, None] * 3 + np.arange(3)
    for place in range(3):
        lanes.feed(numbers, symbols_BT[:, place], np.full(rows, place == 0))
        lanes.keep(numbers, entries_BT[:, place])
    # In other lanes, which have read on since, behind two symbols or three.
    lanes.feed(numbers, symbols_BT[:, 4], np.zeros(rows, bool))
    counts = 2 + numbers % 2
    of_B = numbers[::-1]
    padded = np.pad(entries_BT[of_B], ((0, 0), (0, lanes.bank_depth - 3)))
    lanes.resume(numbers, padded, counts)
    cdfs = lanes.feed(numbers, symbols_BT[of_B, counts], np.zeros(rows, bool))
    np.testing.assert_array_equal(cdfs, expected[of_B, counts + 1])
