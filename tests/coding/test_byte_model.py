import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import errors
from eiw.coding import byte_model

TEXT = b"the cat sat on the mat; the rat sat on the cat. " * 20
MODELS = {
    "static": byte_model.StaticByteModel(np.bincount(np.frombuffer(TEXT, np.uint8), minlength=257)),
    "bytes_only": byte_model.StaticByteModel(np.arange(256), precision=12),
    "ngram": byte_model.NgramByteModel.fit([TEXT, b"", b"the"]),
    "order_0": byte_model.NgramByteModel.fit([TEXT], order=0, precision=16),
    "nothing_seen": byte_model.NgramByteModel.fit([]),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def cdf_after(model, prefix):
    state, cdfs = model.start(1)
    for symbol in prefix:
        state, cdfs = model.advance(state, np.array([symbol]))
    return cdfs[0]


def test_cdfs_are_cdfs(model):
    state, cdfs = model.start(3)
    for symbols in ([116, 0, 255], [104, 104, 104], [101, 9, 240]):
        assert cdfs.dtype == np.uint32
        assert cdfs.shape == (3, model.alphabet_size + 1)
        assert (cdfs[:, 0] == 0).all()
        assert (cdfs[:, -1] == 1 << model.precision).all()
        assert (np.diff(cdfs.astype(np.int64)) >= 1).all()
        state, cdfs = model.advance(state, np.array(symbols))


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=5), st.data())
def test_rows_see_their_prefix_only(prefixes, data):
    model = MODELS["ngram"]
    state, cdfs = model.start(len(prefixes))
    order = list(range(len(prefixes)))
    for place in range(4):
        for row, index in enumerate(order):
            assert (cdfs[row] == cdf_after(model, prefixes[index][:place])).all()
        rows = data.draw(
            st.lists(st.integers(0, len(order) - 1), min_size=1, max_size=6), label="rows"
        )
        taken = model.take(state, np.array(rows))
        order = [order[row] for row in rows]
        state, cdfs = model.advance(taken, np.array([prefixes[index][place] for index in order]))


def test_take_leaves_the_state(model):
    state, _ = model.start(2)
    state, _ = model.advance(state, np.array([116, 99]))
    model.take(state, np.array([1, 1, 0]))
    _, cdfs = model.advance(state, np.array([104, 97]))
    assert (cdfs[0] == cdf_after(model, b"th")).all()
    assert (cdfs[1] == cdf_after(model, b"ca")).all()


def test_ngrams_predict():
    cdf = cdf_after(MODELS["ngram"], b"sat on th").astype(int)
    assert cdf[ord("e") + 1] - cdf[ord("e")] > 0.95 * 2**14


def test_longer_contexts_compress_better():
    bits = []
    for order in range(4):
        model = byte_model.NgramByteModel.fit([TEXT], order=order)
        state, cdfs = model.start(1)
        held = []
        for symbol in TEXT[:200]:
            held.append(int(cdfs[0, symbol + 1]) - int(cdfs[0, symbol]))
            state, cdfs = model.advance(state, np.array([symbol]))
        bits.append(-np.log2(np.array(held) / 2**14).sum())
    assert bits == sorted(bits, reverse=True)


def test_order_out_of_range():
    with pytest.raises(ValueError, match="order"):
        byte_model.NgramByteModel.fit([TEXT], order=7)


def test_saved_and_loaded(model, tmp_path):
    model.save(tmp_path)
    loaded = byte_model.load_byte_model(tmp_path)
    assert loaded.fingerprint == model.fingerprint
    assert (loaded.alphabet_size, loaded.precision) == (model.alphabet_size, model.precision)
    assert (cdf_after(loaded, b"the c") == cdf_after(model, b"the c")).all()


def test_fingerprints_differ():
    assert len({model.fingerprint for model in MODELS.values()}) == len(MODELS)


def test_unknown_kind(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"kind": "oracle"}))
    with pytest.raises(errors.ArtefactError, match="oracle"):
        byte_model.load_byte_model(tmp_path)
