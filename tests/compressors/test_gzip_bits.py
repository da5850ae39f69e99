import itertools
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import gzip_bits

SETTINGS = [
    gzip_bits.GZip(level, header=header, token_bits=token_bits)
    for level, header, token_bits in itertools.product((-1, 0, 9), (True, False), (1, 8, 16))
]


@pytest.mark.parametrize("gzip", SETTINGS, ids=lambda gzip: gzip.name)
@given(data=st.binary() | st.text().map(lambda text: text.encode() * 9))
@example(data=b"\0\xff\xfe")
def test_any_bytes_come_back(gzip, data):
    codes = gzip.encode(data)
    assert codes.dtype == np.int32
    assert gzip.decode(codes) == data


@pytest.mark.parametrize("gzip", SETTINGS, ids=lambda gzip: gzip.name)
@given(data=st.binary() | st.text().map(lambda text: text.encode() * 9))
def test_codes_become_text_one_after_another(gzip, data):
    reader = gzip.reader()
    assert b"".join(reader.push(code) for code in gzip.encode(data).tolist()) == data


@pytest.mark.slow
@pytest.mark.parametrize("gzip", SETTINGS, ids=lambda gzip: gzip.name)
def test_many_texts_come_back(gzip, check_round_trips):
    check_round_trips(gzip, 100_000 // len(SETTINGS))


@given(st.binary(min_size=1, max_size=50), st.data())
def test_altered_streams_are_found_out(data, draw):
    gzip = gzip_bits.GZip(token_bits=16)
    codes = gzip.encode(data)
    codes[draw.draw(st.integers(0, len(codes) - 1))] ^= 1 << draw.draw(st.integers(0, 15))
    # Some bits say nothing of the text, as those between deflate's end and the next whole byte.
    try:
        assert gzip.decode(codes) == data
    except errors.InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("header", [True, False])
@given(data=st.lists(st.integers(0, 65535), max_size=30))
def test_foreign_codes(header, data):
    gzip = gzip_bits.GZip(header=header, token_bits=16)
    try:
        text = gzip.decode(np.array(data, np.int32))
    except errors.InputError:
        return
    assert gzip.decode(gzip.encode(text)) == text


@pytest.mark.parametrize("gzip", SETTINGS, ids=lambda gzip: gzip.name)
def test_truncated_and_continued(gzip):
    codes = gzip.encode(b"some text, and some text")
    for length in range(1, len(codes), 7):
        with pytest.raises(errors.InputError):
            gzip.decode(codes[:length])
    with pytest.raises(errors.InputError):
        gzip.decode(np.concatenate([codes, np.zeros(8, np.int32)]))


def test_tokens_are_the_bytes_of_zlib():
    data = b"aaaabbbbc"
    stream = zlib.compress(data)
    assert bytes(gzip_bits.GZip().encode(data).tolist()) == stream
    # The header takes two bytes, the Adler-32 checksum four.
    assert bytes(gzip_bits.GZip(header=False).encode(data).tolist()) == stream[2:-4]
    pairs = gzip_bits.GZip(token_bits=16).encode(data)
    assert len(stream) % 2 == 1
    assert b"".join(int(pair).to_bytes(2, "big") for pair in pairs) == stream + b"\0"


def test_levels_differ():
    data = np.random.default_rng(0).integers(97, 101, 5000).astype(np.uint8).tobytes()
    sizes = [len(gzip_bits.GZip(level).encode(data)) for level in (0, 1, 9)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize("settings", [{"level": 10}, {"token_bits": 12}])
def test_settings_out_of_range(settings):
    with pytest.raises(errors.InputError, match="must be"):
        gzip_bits.GZip(**settings)


def test_saved_and_loaded(tmp_path):
    gzip = gzip_bits.GZip(9, header=False, token_bits=16)
    gzip.save(tmp_path / "gzip")
    loaded = compressors.load(tmp_path / "gzip", expect_fingerprint=gzip.fingerprint)
    assert loaded.name == "gzip_v65k_level9_no_header"
    assert loaded.decode(gzip.encode(b"saved")) == b"saved"
