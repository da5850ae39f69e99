"""Windows under a running M1: code for code those of the reference, however they are run."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.coding import byte_model
from eiw.compressors import artefact, equal_info, lazy_windows, window_dictionary, window_jobs

FORMS = {
    "16_16": {"window_bits": 16},
    "24_16": {"window_bits": 24},
    "32_8": {"window_bits": 32, "token_bits": 8},
    "64_16": {"window_bits": 64},
    "128_16": {"window_bits": 128},
    "128_8_roundest": {"window_bits": 128, "token_bits": 8, "own_cell": "roundest"},
    "24_16_shallow": {"window_bits": 24, "max_depth": 3},
    "32_16_one_deep": {"window_bits": 32, "max_depth": 1, "own_cell": "roundest"},
    "64_16_small_trie": {"window_bits": 64, "max_nodes": 3},
    "16_8_reset2": {"window_bits": 16, "token_bits": 8, "reset_every": 2},
    "24_16_reset3": {"window_bits": 24, "reset_every": 3},
    "32_16_reset0": {"window_bits": 32, "reset_every": 0},
    "128_16_reset0_shallow": {"window_bits": 128, "reset_every": 0, "max_depth": 4},
    "32_16_delay": {"window_bits": 32, "window_end": "delay"},
    "128_8_delay": {"window_bits": 128, "token_bits": 8, "window_end": "delay"},
    "24_16_reset2_delay": {"window_bits": 24, "reset_every": 2, "window_end": "delay"},
    "32_16_greedy": {"window_bits": 32, "window_end": "greedy"},
    "128_16_greedy": {"window_bits": 128, "window_end": "greedy"},
}
LOSSLESS = [form for form in FORMS if not form.endswith("greedy")]
each_form = pytest.mark.parametrize("form", FORMS)
each_lossless_form = pytest.mark.parametrize("form", LOSSLESS)


def reference_of(model, form):
    options = {"token_bits": 16} | FORMS[form]
    options.pop("max_nodes", None)
    return equal_info.EqualInfoWindows(model, **options)


@pytest.fixture(scope="module")
def lazy(ngrams):
    return {form: lazy_windows.LazyWindows(ngrams, **FORMS[form]) for form in FORMS}


def any_text(text):
    """Prose cut anywhere, any bytes, and both, one after the other."""
    places = st.integers(0, len(text) - 1)
    prose = st.builds(lambda first, size: text[first : first + size], places, st.integers(0, 40))
    return st.lists(prose | st.binary(max_size=20), max_size=4).map(b"".join)


def same_codes(one, other):
    return [codes.tolist() for codes in one] == [codes.tolist() for codes in other]


@each_form
@settings(max_examples=10)
@given(data=st.data())
def test_codes_of_the_reference(lazy, ngrams, text, form, data):
    texts = data.draw(st.lists(any_text(text), max_size=4))
    reference = reference_of(ngrams, form)
    codes = lazy[form].encode_batch(texts)
    assert all(one.dtype == np.int32 for one in codes)
    assert same_codes(codes, reference.encode_batch(texts))
    assert lazy[form].decode_batch(codes) == reference.decode_batch(codes)
    assert lazy[form].decode_batch(codes) == texts or not lazy[form].lossless


@settings(max_examples=150)
@given(data=st.data())
def test_random_models_and_settings(random_byte_model, data):
    # Wider alphabets and finer CDFs than whole tries can be enumerated for.
    precision = data.draw(st.integers(1, 15))
    alphabet = data.draw(st.integers(2, min(1 << precision, 40)))
    shape = data.draw(st.sampled_from(["dyadic", "peaked", "even", "uniform"]))
    model = random_byte_model(data.draw(st.integers(0, 999)), alphabet, precision, shape)
    window_end = data.draw(st.sampled_from(["exact", "exact", "delay", "greedy"]))
    options = {
        "window_bits": data.draw(
            st.sampled_from([16, 24, 32, 64, 128]) | st.integers(precision, 130)
        ),
        "token_bits": 1,
        "window_end": window_end,
        "max_depth": data.draw(st.sampled_from([1, 2, 5, 1024])),
        "reset_every": 1 if window_end == "greedy" else data.draw(st.integers(0, 3)),
    }
    if window_end == "exact":
        options["own_cell"] = data.draw(st.sampled_from(["smallest", "roundest"]))
    reference = equal_info.EqualInfoWindows(model, **options)
    windows = lazy_windows.LazyWindows(model, **options, max_nodes=data.draw(st.integers(1, 50)))
    texts = data.draw(
        st.lists(st.lists(st.integers(0, alphabet - 1), max_size=40).map(bytes), max_size=3)
    )
    codes = windows.encode_batch(texts)
    assert same_codes(codes, reference.encode_batch(texts))
    assert windows.decode_batch(codes) == reference.decode_batch(codes)
    # Cells that no encoder wrote.
    foreign = np.array(
        data.draw(st.lists(st.integers(0, 1), min_size=0, max_size=3)) * options["window_bits"]
    )
    assert decoded(windows, foreign) == decoded(reference, foreign)


def decoded(windows, codes):
    try:
        return windows.decode(codes)
    except errors.InputError as error:
        assert "\n" not in str(error)
        return None


def test_codes_of_the_compiled_dictionary(lazy, ngrams, text):
    texts = [text[:900], text[77:700], b"", np.random.default_rng(0).bytes(300)]
    for window_end in ("exact", "greedy", "delay"):
        compiled = window_dictionary.compile_windows(ngrams, dense=False, window_end=window_end)
        windows = lazy_windows.LazyWindows(ngrams, 16, window_end=window_end)
        codes = compiled.encode_batch(texts)
        assert same_codes(windows.encode_batch(texts), codes)
        assert windows.decode_batch(codes) == compiled.decode_batch(codes)


@each_form
def test_lost_windows_are_counted(lazy, ngrams, text, form):
    data = text[:150] + bytes(range(40))
    lost, windows = lazy[form].count_lost(data)
    assert (lost, windows) == reference_of(ngrams, form).count_lost(data)
    assert (lost > 0) == (not lazy[form].lossless)
    assert lazy[form].count_lost(b"") == (0, 0)


@each_lossless_form
def test_long_texts_in_pieces(lazy, text, form):
    # Many pieces each, of which every one begins at a guess; in every order and company.
    generator = np.random.default_rng(0)
    mixed = text[:900] + generator.bytes(100) + b"\0" * 200 + text[5:400]
    texts = [mixed, mixed[1:], text[:900], b"", b"x", generator.bytes(300)]
    codes = lazy[form].encode_batch(texts)
    assert lazy[form].decode_batch(codes) == texts
    assert same_codes(lazy[form].encode_batch(texts[::-1])[::-1], codes)
    for one, data in zip(codes, texts, strict=True):
        np.testing.assert_array_equal(lazy[form].encode(data), one)
        assert lazy[form].decode(one) == data


@each_lossless_form
def test_pieces_do_not_show(ngrams, text, form, monkeypatch):
    data = text[:600] + np.random.default_rng(1).bytes(60)
    whole = reference_of(ngrams, form).encode(data)
    monkeypatch.setattr(window_jobs, "_MAX_PIECE_BYTES", 23)
    monkeypatch.setattr(window_jobs, "_MAX_PIECE_WINDOWS", 2)
    monkeypatch.setattr(window_jobs, "_LOG", 3)
    windows = lazy_windows.LazyWindows(ngrams, **FORMS[form])
    np.testing.assert_array_equal(windows.encode(data), whole)
    assert windows.decode(whole) == data


@each_form
def test_every_single_byte_and_nothing(lazy, form):
    texts = [b"", *(bytes([byte]) for byte in range(256)), b""]
    if lazy[form].lossless:
        assert lazy[form].decode_batch(lazy[form].encode_batch(texts)) == texts
    assert lazy[form].encode(b"").tolist() == []
    assert lazy[form].decode(np.zeros(0, np.int32)) == b""


@pytest.mark.slow
@each_lossless_form
def test_many_texts_come_back(lazy, form, check_round_trips):
    check_round_trips(lazy[form], 100_000)


def test_longest_chains(peaked):
    for window_bits, reset_every in [(24, 1), (128, 1), (64, 0), (32, 2)]:
        windows = lazy_windows.LazyWindows(peaked, window_bits, reset_every=reset_every)
        data = b"a" * 9000 + b"b" + b"a" * 500
        assert windows.decode(windows.encode(data)) == data


def test_the_trie_is_shared_and_bounded(ngrams, text):
    windows = lazy_windows.LazyWindows(ngrams, 32, max_nodes=200)
    codes = windows.encode(text)
    assert windows.num_nodes == 200
    roomy = lazy_windows.LazyWindows(ngrams, 32)
    np.testing.assert_array_equal(roomy.encode(text), codes)
    known = roomy.num_nodes
    assert known > 200
    roomy.encode_batch([text, text])
    assert roomy.decode(codes) == text
    assert roomy.num_nodes == known


class CountingModel(byte_model.StaticByteModel):
    """Counts the rows that it is asked for."""

    rows = 0

    def advance(self, state, symbols):
        self.rows += len(symbols)
        return super().advance(state, symbols)


def test_m1_reads_each_byte_about_once(text):
    model = CountingModel(np.bincount(np.frombuffer(text, np.uint8), minlength=256))
    data = np.random.default_rng(0).permutation(np.frombuffer(text, np.uint8)).tobytes()
    lazy_windows.LazyWindows(model, 64, reset_every=0).encode(data)
    assert model.rows == len(data)
    model.rows = 0
    windows = lazy_windows.LazyWindows(model, 24, max_nodes=1)
    codes = windows.encode(data)
    # Walks from wrong guesses, and bytes that a text without a code gives back.
    assert model.rows < 1.5 * len(data)
    model.rows = 0
    assert windows.decode(codes) == data
    assert model.rows == len(data)
    windows = lazy_windows.LazyWindows(model, 24)
    windows.encode(data)
    model.rows = 0
    assert windows.decode(codes) == data
    windows.encode(data)
    assert model.rows == 0


@each_form
def test_damaged_codes(lazy, text, form):
    windows = lazy[form]
    reference = reference_of(windows._model, form)
    codes = windows.encode(text[:80])
    generator = np.random.default_rng(0)
    for place in generator.integers(0, len(codes), 5):
        damaged = codes.copy()
        damaged[place] ^= 1 << int(generator.integers(windows.format.token_bits))
        # Perhaps the same text's: it can own more than one cell.
        assert decoded(windows, damaged) == decoded(reference, damaged)
    for length in range(len(codes)):
        # Whole windows that are missing leave no trace; parts of windows do.
        found = decoded(windows, codes[:length])
        is_whole = length * windows.format.token_bits % windows.window_bits
        if is_whole >= windows.format.token_bits:
            assert found is None
        elif windows.lossless:
            assert found is None or text.startswith(found)


@each_form
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(0, 20))
def test_foreign_codes(lazy, ngrams, form, seed, length):
    codes = np.random.default_rng(seed).integers(0, lazy[form].vocab_size, length)
    assert decoded(lazy[form], codes) == decoded(reference_of(ngrams, form), codes)


@pytest.mark.parametrize("codes", [[-1], [1 << 16], [0.5], [[1, 2]]])
def test_no_codes(lazy, codes):
    with pytest.raises(errors.InputError, match="Codes must be"):
        lazy["24_16"].decode(np.array(codes))


def test_refused_and_still_good(lazy, text):
    # A window with EOS somewhere in the batch: nothing of it is left behind.
    windows = lazy["32_16_greedy"]
    with pytest.raises(errors.InputError, match="no text of bytes"):
        windows.decode(np.full(64, 12345))
    expected = reference_of(windows._model, "32_16_greedy").encode(text[:90])
    np.testing.assert_array_equal(windows.encode(text[:90]), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"window_bits": 13},
        {"reset_every": -1},
        {"reset_every": 2, "window_end": "greedy"},
        {"max_depth": 0},
        {"window_end": "late"},
    ],
)
def test_settings_that_cannot_be(ngrams, options):
    with pytest.raises(errors.InputError, match="=") as caught:
        lazy_windows.LazyWindows(ngrams, **options)
    assert "\n" not in str(caught.value)


def test_too_fine_a_model(random_byte_model):
    with pytest.raises(errors.InputError, match="precision"):
        lazy_windows.LazyWindows(random_byte_model(0, 3, 16, "even"), 32)


def test_names(lazy):
    assert {form: (windows.name, windows.variant) for form, windows in lazy.items()} | {
        "16_16": ("equal_info_b16_v65k", ""),
        "24_16": ("equal_info_b24_v65k", ""),
        "32_8": ("equal_info_b32_v256", ""),
        "16_8_reset2": ("equal_info_b16_v256_reset2", "reset2"),
        "32_16_reset0": ("equal_info_b32_v65k_reset0", "reset0"),
        "128_8_delay": ("equal_info_b128_v256_delay", "delay"),
        "24_16_reset2_delay": ("equal_info_b24_v65k_reset2_delay", "reset2_delay"),
    } == {form: (windows.name, windows.variant) for form, windows in lazy.items()}
    fingerprints = {windows.fingerprint for windows in lazy.values()}
    # How much is remembered decides no codes.
    assert len(fingerprints) == len(FORMS) - 1


def test_threads_take_turns(ngrams, text):
    windows = lazy_windows.LazyWindows(ngrams, 32)
    expected = reference_of(ngrams, "32_8").encode(text[:900])
    found = []

    def work(start):
        pair = windows.encode_batch([text[start:], text[:900]])
        found.append(windows.decode_batch(pair) == [text[start:], text[:900]])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4
    assert windows.decode(windows.encode(text[:900])) == text[:900]
    assert len(expected) == 2 * len(windows.encode(text[:900]))


@each_form
def test_saved_and_loaded(lazy, tmp_path, text, form):
    lazy[form].save(tmp_path / "windows")
    loaded = compressors.load(tmp_path / "windows", expect_fingerprint=lazy[form].fingerprint)
    assert (loaded.name, loaded.format) == (lazy[form].name, lazy[form].format)
    np.testing.assert_array_equal(loaded.encode(text[:99]), lazy[form].encode(text[:99]))


def test_loaded_in_another_process(ngrams, tmp_path, text):
    for form in ("24_16", "128_8_roundest", "16_8_reset2"):
        windows = lazy_windows.LazyWindows(ngrams, **FORMS[form])
        codes = windows.encode(text[:500])
        windows.save(tmp_path / form, with_trie=form != "128_8_roundest")
        np.save(tmp_path / form / "codes.npy", codes)
    script = (
        "import pathlib, sys, numpy as np; from eiw import compressors\n"
        "for folder in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    windows, codes = compressors.load(folder), np.load(folder / 'codes.npy')\n"
        "    text = windows.decode(codes)\n"
        "    assert windows.encode(text).tolist() == codes.tolist()\n"
        "    sys.stdout.buffer.write(text)\n"
        "assert not {'jax', 'tensorflow', 'sentencepiece'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True)
    assert done.stdout == 3 * text[:500]


def test_a_saved_trie_spares_m1(ngrams, tmp_path, text, monkeypatch):
    windows = lazy_windows.LazyWindows(ngrams, 32)
    codes = windows.encode(text)
    windows.save(tmp_path / "windows", with_trie=True)
    loaded = compressors.load(tmp_path / "windows", expect_fingerprint=windows.fingerprint)
    assert loaded.num_nodes == windows.num_nodes
    with monkeypatch.context() as context:
        context.setattr(byte_model.NgramByteModel, "advance", None)  # never called
        np.testing.assert_array_equal(loaded.encode(text), codes)
        assert loaded.decode(codes) == text
    # It is checked as all is, and is not the compressor's.
    path = tmp_path / "windows" / "trie" / "arrays.npz"
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)
    with pytest.raises(errors.ArtefactError, match="truncated or altered"):
        compressors.load(tmp_path / "windows")


def test_another_m1_is_refused_unless_asked_for(ngrams, tmp_path, text):
    windows = lazy_windows.LazyWindows(ngrams, 32)
    windows.encode(text)
    windows.save(tmp_path / "windows", with_trie=True)
    other = byte_model.NgramByteModel.fit([text[:999]], order=2)
    other.save(tmp_path / "windows" / "byte_model")
    with pytest.raises(errors.ArtefactError, match=r"another M1.*'m1'"):
        compressors.load(tmp_path / "windows")
    with pytest.raises(errors.ArtefactError, match="another M1"):
        compressors.load(tmp_path / "windows", allow_mismatch=["backend"])
    loaded = compressors.load(tmp_path / "windows", allow_mismatch=["m1"])
    # It is what it is, and its trie is not the other's.
    assert loaded.m1_fingerprint == other.fingerprint
    assert loaded.num_nodes == 1
    expected = lazy_windows.LazyWindows(other, 32)
    assert loaded.fingerprint == expected.fingerprint != windows.fingerprint
    np.testing.assert_array_equal(loaded.encode(text[:99]), expected.encode(text[:99]))
    with pytest.raises(errors.InputError, match="knows m1, backend, not dtype"):
        compressors.load(tmp_path / "windows", allow_mismatch=["dtype"])


def test_another_backend_is_refused_unless_asked_for(tmp_path, text, monkeypatch):
    # n-grams that say they are a network's.
    monkeypatch.setattr(byte_model.NgramByteModel, "backend", "gpu, jax 9, integers 01")
    windows = lazy_windows.LazyWindows(byte_model.NgramByteModel.fit([text], order=2), 32)
    windows.save(tmp_path / "windows")
    assert compressors.load(tmp_path / "windows").fingerprint == windows.fingerprint
    monkeypatch.setattr(byte_model.NgramByteModel, "backend", "cpu, jax 9, integers 02")
    for allowed in ((), ("m1",)):
        with pytest.raises(errors.ArtefactError, match=r"\[gpu.*01\].*\[cpu.*02\].*'backend'"):
            compressors.load(tmp_path / "windows", allow_mismatch=allowed)
    loaded = compressors.load(tmp_path / "windows", allow_mismatch=("backend",))
    assert loaded.fingerprint != windows.fingerprint
    assert artefact.read_artefact(tmp_path / "windows", "lazy_windows").config["m1_backend"]
