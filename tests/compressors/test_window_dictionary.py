import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import equal_info, window_dictionary

FORMS = {
    "dense": {},
    "roundest": {"own_cell": "roundest"},
    "sparse": {"dense": False},
    "sparse_8": {"dense": False, "token_bits": 8},
    "narrow": {"window_bits": 14},
    "wide": {"window_bits": 17, "dense": False},
}


@pytest.fixture(scope="module")
def compiled(ngrams):
    return {name: window_dictionary.compile_windows(ngrams, **form) for name, form in FORMS.items()}


each_form = pytest.mark.parametrize("form", FORMS)


# What breaks tokenizers: nothing, NULs, invalid UTF-8, repeats, prose cut anywhere.
ANY_BYTES = (
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"the ", b"window", b"\x00", b"\xff\xfe", b"eq"])).map(b"".join)
    | st.text(max_size=30).map(str.encode)
)


def check_comes_back(dictionary, texts):
    codes = dictionary.encode_batch(texts)
    assert all(text_codes.dtype == np.int32 for text_codes in codes)
    assert dictionary.decode_batch(codes) == texts
    for text, text_codes in zip(texts, codes, strict=True):
        np.testing.assert_array_equal(dictionary.encode(text), text_codes)


@each_form
@given(texts=st.lists(ANY_BYTES, max_size=6))
def test_any_bytes_come_back(compiled, form, texts):
    check_comes_back(compiled[form], texts)


@pytest.mark.slow
@settings(max_examples=100_000)
@given(texts=st.lists(ANY_BYTES, max_size=3))
def test_any_bytes_come_back_100_000_times(compiled, texts):
    for dictionary in compiled.values():
        assert dictionary.decode_batch(dictionary.encode_batch(texts)) == texts


@each_form
def test_every_single_byte_and_nothing(compiled, form):
    check_comes_back(compiled[form], [b"", *(bytes([byte]) for byte in range(256)), b""])


@each_form
def test_a_megabyte_of_random_bytes(compiled, form):
    check_comes_back(compiled[form], [np.random.default_rng(0).bytes(1 << 20)])


@settings(max_examples=50)
@given(data=ANY_BYTES)
def test_same_codes_as_the_reference(compiled, ngrams, data):
    for name, form in FORMS.items():
        form = {"token_bits": form.get("window_bits", 16)} | form
        dense = form.pop("dense", True)
        reference = equal_info.EqualInfoWindows(ngrams, **form)
        codes = compiled[name].encode(data)
        if dense:
            codes = compiled[name]._contents.arrays["cells"][codes]
        np.testing.assert_array_equal(codes, reference.encode(data))


def test_same_codes_as_the_reference_on_prose(compiled, ngrams, text):
    reference = equal_info.EqualInfoWindows(ngrams)
    np.testing.assert_array_equal(
        compiled["sparse"].encode(text[:3000]), reference.encode(text[:3000])
    )


def test_every_cell_decodes_as_in_the_reference(compiled, ngrams):
    reference = equal_info.EqualInfoWindows(ngrams)
    for cell in np.random.default_rng(1).integers(0, 1 << 16, 200):
        symbols = reference.decode_cells([int(cell)])
        if 256 in symbols:
            with pytest.raises(errors.InputError, match="EOS"):
                compiled["sparse"].decode(np.array([cell]))
        else:
            assert compiled["sparse"].decode(np.array([cell])) == bytes(symbols)


def test_dense_codes_are_all_used(compiled):
    dictionary = compiled["dense"]
    texts = dictionary.texts()
    assert dictionary.vocab_size == len(texts) == len(set(texts))
    assert [codes.tolist() for codes in dictionary.encode_batch(texts)] == [
        [code] for code in range(len(texts))
    ]


def test_longest_chains(peaked):
    dictionary = window_dictionary.compile_windows(peaked)
    longest = max(map(len, dictionary.texts()))
    assert longest > 100
    reference = equal_info.EqualInfoWindows(peaked)
    for length in (longest - 1, longest, longest + 1, 2 * longest + 3):
        data = b"a" * length + b"b"
        codes = dictionary.encode(data)
        assert dictionary.decode(codes) == data
        cells = dictionary._contents.arrays["cells"][codes]
        np.testing.assert_array_equal(cells, reference.encode(data))


def test_depth_is_capped(peaked):
    dictionary = window_dictionary.compile_windows(peaked, max_depth=40)
    assert max(map(len, dictionary.texts())) == 40
    codes = dictionary.encode(b"a" * 100)
    assert [len(dictionary.decode(codes[i : i + 1])) for i in range(3)] == [40, 40, 20]


def test_names(compiled):
    assert [(d.name, d.variant, d.vocab_size) for d in list(compiled.values())[2:]] == [
        ("equal_info_b16_v65k", "sparse", 65536),
        ("equal_info_b16_v256", "", 256),
        ("equal_info_b14_v16k", "", len(compiled["narrow"].texts())),
        ("equal_info_b17_v131k", "sparse", 1 << 17),
    ]
    assert compiled["roundest"].variant == "roundest"
    assert not compiled["dense"].runs_m1
    assert len({dictionary.fingerprint for dictionary in compiled.values()}) == len(FORMS)


@each_form
@pytest.mark.parametrize("code", [-1, 1 << 18])
def test_code_out_of_range(compiled, form, code):
    with pytest.raises(errors.InputError, match="Codes must be in"):
        compiled[form].decode(np.array([0, code]))


def test_half_a_window(compiled):
    with pytest.raises(errors.InputError, match="whole number"):
        compiled["sparse_8"].decode(compiled["sparse_8"].encode(b"window")[:-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"token_bits": 8},
        {"token_bits": 7, "dense": False},
        {"window_bits": 32},
        {"max_depth": 3000},
    ],
)
def test_settings_that_cannot_be(ngrams, settings):
    with pytest.raises(errors.InputError, match=r"bits|deep"):
        window_dictionary.compile_windows(ngrams, **settings)


@each_form
def test_saved_and_loaded(compiled, form, tmp_path, text):
    dictionary = compiled[form]
    dictionary.save(tmp_path / "dictionary")
    loaded = compressors.load(
        tmp_path / "dictionary",
        expect_fingerprint=dictionary.fingerprint,
        expect_m1_fingerprint=dictionary.m1_fingerprint,
    )
    assert (loaded.name, loaded.vocab_size) == (dictionary.name, dictionary.vocab_size)
    assert loaded.format == dictionary.format
    np.testing.assert_array_equal(loaded.encode(text), dictionary.encode(text))
    assert loaded.decode(loaded.encode(text)) == text


def test_loads_and_encodes_without_frameworks(compiled, tmp_path):
    compiled["dense"].save(tmp_path / "dictionary")
    script = (
        "import sys\n"
        "from eiw import compressors\n"
        f"dictionary = compressors.load({str(tmp_path / 'dictionary')!r})\n"
        "assert dictionary.decode(dictionary.encode(b'a window')) == b'a window'\n"
        "heavy = {'jax', 'flax', 'tensorflow', 'seqio', 'sentencepiece'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
