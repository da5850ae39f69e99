import io
from pydoc_data import topics

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from eiw import compressors, errors
from eiw.compressors import sentence_piece

# Python's own documentation: prose and code that every install has.
DOCUMENTS = [topic.encode() for _, topic in sorted(topics.topics.items())]


@pytest.fixture(scope="module")
def pieces():
    return sentence_piece.SentencePiece.train(DOCUMENTS, 1000, sample_bytes=200_000)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory, text):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.decode().split(". ")),
        model_writer=model,
        vocab_size=50,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("foreign") / "foreign.model"
    path.write_bytes(model.getvalue())
    return sentence_piece.SentencePiece.from_model_file(path)


# What a tokenizer of characters changes: runs of spaces, ends, its own sign, what is not UTF-8.
ODD_BYTES = st.binary() | st.lists(
    st.sampled_from([b" ", b"  ", b"\n", b"\r\n", b"\x00", b"\xe2\x96\x81", b"\xff", b"the", b"\t"])
).map(b"".join)


@given(st.lists(ODD_BYTES, max_size=5))
def test_any_bytes_come_back(pieces, texts):
    codes = pieces.encode_batch(texts)
    assert all(one.dtype == np.int32 for one in codes)
    assert pieces.decode_batch(codes) == texts
    for one, text in zip(codes, texts, strict=True):
        np.testing.assert_array_equal(pieces.encode(text), one)


@pytest.mark.slow
@settings(max_examples=100_000)
@given(st.lists(ODD_BYTES, max_size=3))
def test_any_bytes_come_back_100_000_times(pieces, texts):
    assert pieces.decode_batch(pieces.encode_batch(texts)) == texts


def test_every_byte_has_a_code(pieces):
    singles = [bytes([byte]) for byte in range(256)]
    codes = pieces.encode_batch(singles)
    assert {len(one) for one in codes} == {1}
    assert pieces.decode_batch(codes) == singles


def test_a_megabyte_of_random_bytes(pieces):
    data = np.random.default_rng(0).bytes(1 << 20)
    assert pieces.decode(pieces.encode(data)) == data


def test_pieces_are_words(pieces):
    assert pieces.vocab_size == 1000
    held_out = b"".join(DOCUMENTS[-5:])
    assert pieces.decode(pieces.encode(held_out)) == held_out
    assert pieces.bytes_per_token(held_out) > 2.5
    words = [pieces.decode(code[None]) for code in pieces.encode(b"is not the value of class")]
    assert words == [b"is", b" not", b" the", b" value", b" of", b" class"]


def test_trains_on_the_sample_only(text):
    sampled = sentence_piece.SentencePiece.train([text, b"zygote " * 1000], 290, len(text))
    alone = sentence_piece.SentencePiece.train([text], 290)
    assert sampled.fingerprint == alone.fingerprint


def test_training_is_silent(text, capfd):
    sentence_piece.SentencePiece.train([text], 290)
    assert capfd.readouterr() == ("", "")


def test_vocabulary_without_room(text):
    with pytest.raises(errors.InputError, match="no room"):
        sentence_piece.SentencePiece.train([text], 256)


def test_long_lines():
    line = b"a long line without an end " * 4000
    assert sentence_piece.SentencePiece.train([line], 280).decode(np.arange(3))


def test_foreign_model_is_lossy_and_says_so(foreign, tmp_path):
    assert not foreign.lossless
    assert foreign.decode(foreign.encode(b"the  quick")) == b"the quick"
    foreign.save(tmp_path / "foreign")
    loaded = compressors.load(tmp_path / "foreign", expect_fingerprint=foreign.fingerprint)
    assert not loaded.lossless
    np.testing.assert_array_equal(loaded.encode(b"the fox"), foreign.encode(b"the fox"))


def test_code_out_of_range(pieces, foreign):
    for one in (pieces, foreign):
        with pytest.raises(errors.InputError, match="Codes must be in"):
            one.decode(np.array([one.vocab_size]))


def test_no_model_file(tmp_path):
    with pytest.raises(errors.ArtefactError, match="cannot be read"):
        sentence_piece.SentencePiece.from_model_file(tmp_path / "none.model")
    (tmp_path / "some.model").write_bytes(b"no model")
    (tmp_path / "empty").touch()
    with pytest.raises(errors.ArtefactError, match="no SentencePiece model"):
        sentence_piece.SentencePiece.from_model_file(tmp_path / "empty")
    with pytest.raises(errors.ArtefactError, match="no SentencePiece model"):
        sentence_piece.SentencePiece.from_model_file(tmp_path / "some.model")


def test_saved_and_loaded(pieces, tmp_path, text):
    pieces.save(tmp_path / "pieces")
    loaded = compressors.load(tmp_path / "pieces", expect_fingerprint=pieces.fingerprint)
    assert loaded.lossless
    assert loaded.vocab_size == pieces.vocab_size
    np.testing.assert_array_equal(loaded.encode(text), pieces.encode(text))
