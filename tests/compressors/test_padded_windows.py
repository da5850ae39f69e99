"""The paper's greedy and delayed windows, by enumeration, and compiled against the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import equal_info, padded_windows, window_dictionary

ENDS = ["greedy", "delay"]
each_end = pytest.mark.parametrize("window_end", ENDS)


@pytest.fixture(scope="module")
def compiled(ngrams):
    return {end: window_dictionary.compile_windows(ngrams, window_end=end) for end in ENDS}


@pytest.fixture(scope="module")
def sparse(ngrams):
    return {
        (end, token_bits): window_dictionary.compile_windows(
            ngrams, 16, token_bits, dense=False, window_end=end
        )
        for end, token_bits in [("greedy", 16), ("delay", 16), ("delay", 8)]
    }


@given(st.integers(0, 2**12), st.integers(1, 2**12))
def test_code_is_the_shortest_string_of_bits(first, size):
    code = padded_windows.padded_code(range(first, first + size))
    parts = [
        (length, start)
        for zeros in range(14)
        for length, start in [(14 - zeros, -(-first >> zeros) << zeros)]
        if start + (1 << zeros) <= first + size
    ]
    assert code == min(parts)[1]


def test_drawn_example():
    assert padded_windows.padded_code(range(3, 7)) == 4


def check_model(random_byte_model, seed):
    generator = np.random.default_rng(seed)
    window_bits = int(generator.integers(3, 9))
    precision = int(generator.integers(1, min(window_bits, 9) + 1))
    alphabet = int(generator.integers(2, min(1 << precision, 6) + 1))
    shape = ["dyadic", "peaked", "even", "uniform"][seed % 4]
    model = random_byte_model(seed, alphabet, precision, shape)
    windows = {
        end: equal_info.EqualInfoWindows(model, window_bits, window_end=end, max_depth=12)
        for end in ENDS
    }
    for length in (1, 7, 60):
        symbols = generator.integers(0, alphabet, length).tolist()
        cells = windows["delay"].encode_symbols(symbols)
        decoded = [windows["delay"].decode_cells([cell]) for cell in cells]
        assert [symbol for window in decoded for symbol in window] == symbols
        # Greedy takes the same first text, and decodes to one that begins with what delay emits.
        first = windows["greedy"].encode_symbols(symbols)[0]
        assert first == cells[0]
        assert windows["greedy"].decode_cells([first])[: len(decoded[0])] == decoded[0]


@pytest.mark.parametrize("seed", range(60))
def test_delay_is_exact(random_byte_model, seed):
    check_model(random_byte_model, seed)


@pytest.mark.slow
def test_delay_is_exact_for_many_models(random_byte_model):
    for seed in range(1000, 4000):
        check_model(random_byte_model, seed)


@pytest.mark.parametrize("window_bits", [16, 24, 64])
@given(data=st.binary(max_size=30))
def test_any_bytes_come_back_by_delay(ngrams, window_bits, data):
    windows = equal_info.EqualInfoWindows(ngrams, window_bits, 8, window_end="delay")
    assert windows.decode(windows.encode(data)) == data


@given(data=st.binary())
def test_compiled_delay_gives_any_bytes_back(compiled, data):
    assert compiled["delay"].decode(compiled["delay"].encode(data)) == data


@pytest.mark.slow
@pytest.mark.parametrize("token_bits", [8, 16])
def test_many_texts_come_back(sparse, token_bits, check_round_trips):
    check_round_trips(sparse["delay", token_bits], 100_000)


@each_end
def test_compiled_is_the_reference(ngrams, sparse, window_end, text):
    generator = np.random.default_rng(0)
    texts = [text[:200], text[37:150], b"", b"\0", b"\xff\xfe", generator.bytes(30)]
    for token_bits in (8, 16) if window_end == "delay" else (16,):
        reference = equal_info.EqualInfoWindows(ngrams, 16, token_bits, window_end=window_end)
        for data in texts:
            codes = reference.encode(data)
            np.testing.assert_array_equal(sparse[window_end, token_bits].encode(data), codes)
            assert sparse[window_end, token_bits].decode(codes) == reference.decode(codes)
    for data in texts[:3]:
        assert sparse[window_end, 16].count_lost(data) == reference.count_lost(data)


@each_end
def test_dense_codes_are_the_used_cells(compiled, sparse, window_end, text):
    cells = sparse[window_end, 16].encode(text)
    codes = compiled[window_end].encode(text)
    assert 15_000 < compiled[window_end].vocab_size < 1 << 16
    assert (np.diff(cells) == 0).tolist() == (np.diff(codes) == 0).tolist()
    assert compiled[window_end].decode(codes) == sparse[window_end, 16].decode(cells)
    assert len(compiled[window_end].texts()) == compiled[window_end].vocab_size


def test_greedy_loses_windows_and_says_how_many(compiled, text):
    lost, windows = compiled["greedy"].count_lost(text)
    assert type(lost) is int  # goes into JSON
    assert 0 < lost < windows / 2
    assert windows == len(compiled["greedy"].encode(text))
    assert compiled["greedy"].decode(compiled["greedy"].encode(text)) != text
    assert not compiled["greedy"].lossless
    assert compiled["delay"].lossless
    assert compiled["delay"].count_lost(text)[0] == 0


def test_delay_takes_more_windows(ngrams, compiled, text):
    exact = window_dictionary.compile_windows(ngrams)
    counts = [len(coder.encode(text)) for coder in (compiled["greedy"], exact, compiled["delay"])]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


@each_end
def test_codes_of_no_text(ngrams, sparse, window_end):
    known = set(sparse[window_end, 16]._cells.tolist())
    unknown = next(cell for cell in range(1 << 16) if cell not in known)
    with pytest.raises(errors.InputError, match="No text"):
        sparse[window_end, 16].decode(np.array([unknown]))
    with pytest.raises(errors.InputError, match=r"No text|EOS"):
        equal_info.EqualInfoWindows(ngrams, 16, window_end=window_end).decode(np.array([unknown]))


@each_end
@given(data=st.lists(st.integers(0, 65535), max_size=20))
def test_foreign_codes(sparse, window_end, data):
    try:
        text = sparse[window_end, 16].decode(np.array(data, np.int32))
    except errors.InputError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(text, bytes)


@each_end
def test_saved_and_loaded(ngrams, compiled, window_end, tmp_path, text):
    reference = equal_info.EqualInfoWindows(ngrams, window_end=window_end)
    for windows in (compiled[window_end], reference):
        windows.save(tmp_path / "windows")
        loaded = compressors.load(tmp_path / "windows", expect_fingerprint=windows.fingerprint)
        assert loaded.name == f"equal_info_b16_v65k_{window_end}"
        assert (loaded.variant, loaded.lossless) == (window_end, window_end == "delay")
        assert loaded.encode(text[:50]).tolist() == windows.encode(text[:50]).tolist()


@pytest.mark.parametrize(
    "settings", [{"window_end": "late"}, {"window_end": "delay", "own_cell": "roundest"}]
)
def test_settings_that_cannot_be(ngrams, settings):
    with pytest.raises(errors.InputError, match="window_end"):
        equal_info.EqualInfoWindows(ngrams, **settings)
