"""The rules of exact windows, checked against an enumeration of whole tries that shares no code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import equal_info

SHAPES = ["dyadic", "peaked", "even", "uniform"]
MAX_DEPTH = 12


def draw_model(random_byte_model, seed, widest):
    """A random model and the bits of its windows; sizes small enough to enumerate."""
    generator = np.random.default_rng(seed)
    window_bits = int(generator.integers(3, widest + 1))
    precision = int(generator.integers(1, min(window_bits, 9) + 1))
    alphabet = int(generator.integers(2, min(1 << precision, 6) + 1))
    shape = SHAPES[seed % len(SHAPES)]
    return random_byte_model(seed, alphabet, precision, shape), window_bits


def enumerate_owners(model, window_bits):
    """{text: set of cells} for every text that fits, by sets, and who reserves what.

    Follows the definition, not the implementation: a text owns what it encloses and no child does;
    a symbol that owns nothing reserves its lowest cell, which the texts below it lose.
    """
    point_bits = model.precision
    owners = {}

    def enclosed(low, high):
        return {c for c in range(low >> point_bits, (high >> point_bits) + 1)
                if low <= c << point_bits and (c + 1) << point_bits <= high}  # fmt: skip

    def visit(text, low, high, cdf_state):
        state, counts = cdf_state
        mine = enclosed(low, high)
        children = []
        if len(text) < MAX_DEPTH:
            width = high - low
            for symbol in range(model.alphabet_size):
                left = low + (width * int(counts[symbol]) >> model.precision)
                right = low + (width * int(counts[symbol + 1]) >> model.precision)
                claimed = enclosed(left, right)
                mine -= claimed
                if claimed:
                    children.append((symbol, left, right))
        owners[text] = mine
        for symbol, left, right in children:
            state_after, cdfs = model.advance(model.take(state, [0]), [symbol])
            visit((*text, symbol), left, right, (state_after, cdfs[0]))

    state, cdfs = model.start(1)
    visit((), 0, 1 << (window_bits + point_bits), (state, cdfs[0]))
    for symbol in range(model.alphabet_size):
        if not owners[(symbol,)]:
            below = [text for text in owners if text[:1] == (symbol,)]
            lowest = min(cell for text in below for cell in owners[text])
            for text in below:
                owners[text].discard(lowest)
            owners[(symbol,)] = {lowest}
    return owners


def check_model(random_byte_model, seed, widest):
    model, window_bits = draw_model(random_byte_model, seed, widest)
    own_cell = "smallest" if seed % 3 else "roundest"
    windows = equal_info.EqualInfoWindows(
        model, window_bits, own_cell=own_cell, max_depth=MAX_DEPTH
    )
    owners = enumerate_owners(model, window_bits)
    owner = {cell: text for text, cells in owners.items() for cell in cells}
    assert sum(map(len, owners.values())) == len(owner) == 1 << window_bits
    for cell, text in owner.items():
        assert tuple(windows.decode_cells([cell])) == text
    for text, cells in owners.items():
        if not cells:
            continue
        if own_cell == "smallest":
            expected = min(cells)
        else:
            # 0 is a multiple of everything.
            expected = min(cells, key=lambda cell: (-(cell & -cell or 1 << window_bits), cell))
        assert windows.encode_symbols(text) == [expected]
    generator = np.random.default_rng(seed)
    for length in (0, 1, 7, 60):
        symbols = generator.integers(0, model.alphabet_size, length).tolist()
        cells = windows.encode_symbols(symbols)
        assert [symbol for cell in cells for symbol in windows.decode_cells([cell])] == symbols
        # Any cells name a text, not only an encoder's.
        for cell in cells:
            longest = owner[cell]
            assert windows.encode_symbols(longest)[0] in owners[longest]


@pytest.mark.parametrize("seed", range(160))
def test_whole_tries(random_byte_model, seed):
    check_model(random_byte_model, seed, widest=8)


@pytest.mark.slow
def test_many_whole_tries(random_byte_model):
    for seed in range(1000, 2000):
        check_model(random_byte_model, seed, widest=10)


@pytest.mark.parametrize(("window_bits", "token_bits"), [(16, 16), (16, 8), (24, 16), (128, 16)])
@given(data=st.binary(max_size=40))
def test_any_bytes_come_back(ngrams, window_bits, token_bits, data):
    windows = equal_info.EqualInfoWindows(ngrams, window_bits, token_bits)
    codes = windows.encode(data)
    assert codes.dtype == np.int32
    assert windows.decode(codes) == data


@pytest.mark.parametrize("window_bits", [14, 16, 32, 64])
def test_every_single_byte(ngrams, window_bits):
    windows = equal_info.EqualInfoWindows(ngrams, window_bits)
    for byte in range(256):
        assert windows.decode(windows.encode(bytes([byte]))) == bytes([byte])


def test_prose(ngrams, text):
    for window_bits in (16, 64):
        windows = equal_info.EqualInfoWindows(ngrams, window_bits)
        assert windows.decode(windows.encode(text[:300])) == text[:300]
        assert windows.bytes_per_token(text[:300]) > 3


@pytest.mark.parametrize("window_bits", [14, 16, 40])
def test_longest_chains(peaked, window_bits):
    windows = equal_info.EqualInfoWindows(peaked, window_bits)
    data = b"a" * 3000 + b"b" + b"a" * 500
    codes = windows.encode(data)
    assert windows.decode(codes) == data
    first_cell = windows.encode_symbols(data[:1000])[0]
    assert len(windows.decode_cells([first_cell])) > 100


def test_depth_is_capped(peaked):
    windows = equal_info.EqualInfoWindows(peaked, 128, max_depth=50)
    cells = windows.encode_symbols(b"a" * 120)
    assert [len(windows.decode_cells([cell])) for cell in cells] == [50, 50, 20]


def test_eos_ends_a_window(ngrams):
    windows = equal_info.EqualInfoWindows(ngrams, 64)
    symbols = [*b"The quick brown", 256, *b"fox"]
    cells = windows.encode_symbols(symbols)
    texts = [windows.decode_cells([cell]) for cell in cells]
    assert [symbol for window in texts for symbol in window] == symbols
    assert all(256 not in window[:-1] for window in texts)
    with pytest.raises(errors.InputError, match="EOS"):
        windows.decode(windows._to_tokens(cells))


def test_windows_cross_tokens(ngrams):
    windows = equal_info.EqualInfoWindows(ngrams, 24, 16)
    one, two = (windows._to_tokens([0xABCDEF] * count).tolist() for count in (1, 2))
    assert one == [0xABCD, 0xEF00]
    assert two == [0xABCD, 0xEFAB, 0xCDEF]


@pytest.mark.parametrize("codes", [[-1], [1 << 16], [0.5], [[1, 2]]])
def test_no_codes(ngrams, codes):
    with pytest.raises(errors.InputError, match="Codes must be"):
        equal_info.EqualInfoWindows(ngrams, 16).decode(np.array(codes))


@pytest.mark.parametrize("codes", [[0xABCD], [0xABCD, 0xEF01]])
def test_no_whole_windows(ngrams, codes):
    with pytest.raises(errors.InputError, match="no whole number"):
        equal_info.EqualInfoWindows(ngrams, 24, 16).decode(np.array(codes))


@pytest.mark.parametrize(
    "settings",
    [
        {"window_bits": 13},
        {"window_bits": 16, "token_bits": 17},
        {"own_cell": "biggest"},
        {"max_depth": 0},
    ],
)
def test_settings_out_of_range(ngrams, settings):
    with pytest.raises(errors.InputError, match="=") as caught:
        equal_info.EqualInfoWindows(ngrams, **settings)
    assert "\n" not in str(caught.value)


def test_saved_with_its_model(ngrams, tmp_path):
    windows = equal_info.EqualInfoWindows(ngrams, 32, 8, own_cell="roundest", max_depth=99)
    windows.save(tmp_path / "windows")
    loaded = compressors.load(tmp_path / "windows", expect_fingerprint=windows.fingerprint)
    assert loaded.format == windows.format
    assert loaded.name == "equal_info_b32_v256"
    assert loaded.decode(windows.encode(b"saved")) == b"saved"
