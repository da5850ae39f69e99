import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import parse, tunstall_fit

WAYS = {f"{cut}-{words}": parse.Parse(cut, words) for cut in parse.CUTS for words in parse.WORDS}
each_way = pytest.mark.parametrize("way", WAYS)

# What breaks tokenizers: nothing, NULs, invalid UTF-8, repeats, prose cut anywhere.
ANY_BYTES = (
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"the ", b"window", b"\x00", b"\xff\xfe", b" eq"])).map(b"".join)
    | st.text(max_size=30).map(str.encode)
)


@pytest.fixture(scope="module")
def dictionary(ngrams):
    return tunstall_fit.fit_tunstall(ngrams, 600)


@pytest.fixture(scope="module")
def ways(dictionary):
    return {name: dictionary.with_parse(way) for name, way in WAYS.items()}


def check_comes_back(compressor, texts):
    codes = compressor.encode_batch(texts)
    assert all(text_codes.dtype == np.int32 for text_codes in codes)
    assert compressor.decode_batch(codes) == texts
    for text, text_codes in zip(texts, codes, strict=True):
        np.testing.assert_array_equal(compressor.encode(text), text_codes)


@each_way
@given(texts=st.lists(ANY_BYTES, max_size=6))
def test_any_bytes_come_back(ways, way, texts):
    check_comes_back(ways[way], texts)


@pytest.mark.slow
@settings(max_examples=100_000)
@given(texts=st.lists(ANY_BYTES, max_size=3))
def test_any_bytes_come_back_100_000_times(ways, texts):
    for compressor in ways.values():
        assert compressor.decode_batch(compressor.encode_batch(texts)) == texts


@each_way
def test_every_single_byte_and_nothing(ways, way):
    check_comes_back(ways[way], [b"", *(bytes([byte]) for byte in range(256)), b""])


@each_way
def test_a_megabyte_of_random_bytes(ways, way):
    check_comes_back(ways[way], [np.random.default_rng(0).bytes(1 << 20)])


def test_the_dictionary(dictionary, text):
    texts = dictionary.texts()
    assert dictionary.vocab_size == len(texts) == len(set(texts)) == 600
    assert texts[:256] == [bytes([byte]) for byte in range(256)]
    # Closed under prefixes, as probabilities only fall.
    assert all(one[:-1] in texts for one in texts[256:])
    assert dictionary.bytes_per_token(text) > 3
    assert not dictionary.runs_m1


def test_names(ngrams, ways, dictionary):
    assert (dictionary.name, dictionary.variant) == ("tunstall_v600", "")
    assert tunstall_fit.fit_tunstall(ngrams, 2000).name == "tunstall_v2k"
    assert ways["fewest-start"].variant == "fewest_start"
    assert dictionary.m1_fingerprint == ngrams.fingerprint
    assert len({way.fingerprint for way in ways.values()}) == len(ways)


@pytest.mark.parametrize("code", [-1, 600])
def test_code_out_of_range(dictionary, code):
    with pytest.raises(errors.InputError, match="Codes must be in"):
        dictionary.decode(np.array([0, code]))


@each_way
def test_saved_and_loaded(ways, way, tmp_path, text):
    saved = ways[way]
    saved.save(tmp_path / "dictionary")
    loaded = compressors.load(
        tmp_path / "dictionary",
        expect_fingerprint=saved.fingerprint,
        expect_m1_fingerprint=saved.m1_fingerprint,
    )
    facts = [(one.name, one.variant, one.vocab_size, one.parse) for one in (saved, loaded)]
    assert facts[0] == facts[1]
    np.testing.assert_array_equal(loaded.encode(text), saved.encode(text))
    assert loaded.decode(loaded.encode(text)) == text


def test_damaged_artefacts_are_refused(dictionary, tmp_path):
    folder = tmp_path / "dictionary"
    dictionary.save(folder)
    arrays = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(arrays[:-1])
    with pytest.raises(errors.ArtefactError, match="truncated or altered"):
        compressors.load(folder)
    (folder / "arrays.npz").write_bytes(arrays)
    header = json.loads((folder / "compressor.json").read_text())
    header["config"]["parse"]["words"] = "never"
    (folder / "compressor.json").write_text(json.dumps(header))
    with pytest.raises(errors.ArtefactError, match="altered"):
        compressors.load(folder)


def test_a_parse_of_another_version_is_refused(dictionary, tmp_path):
    dictionary._contents.config["parse"] |= {"cut": "longest"}
    try:
        dictionary.save(tmp_path / "dictionary")
    finally:
        dictionary._contents.config["parse"] |= {"cut": "greedy"}
    with pytest.raises(errors.ArtefactError, match="does not know"):
        compressors.load(tmp_path / "dictionary")


def test_loads_and_encodes_without_frameworks(dictionary, tmp_path):
    dictionary.save(tmp_path / "dictionary")
    script = (
        "import sys\n"
        "from eiw import compressors\n"
        f"dictionary = compressors.load({str(tmp_path / 'dictionary')!r})\n"
        "assert dictionary.decode(dictionary.encode(b'a window')) == b'a window'\n"
        "heavy = {'jax', 'flax', 'tensorflow', 'seqio', 'sentencepiece'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
