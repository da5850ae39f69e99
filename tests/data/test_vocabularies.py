import concurrent.futures
import pickle
import time

import numpy as np
import pytest
import tensorflow as tf

from eiw import compressors, errors, vocab
from eiw.coding import byte_model
from eiw.compressors import window_dictionary
from eiw.compressors.equal_info import EqualInfoWindows
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.data import locations, vocabularies

TEXTS = [
    b"",
    b"\x00",
    b"hello",
    "z\u00fcrich \U0001f600".encode(),
    b"\xff\xfe\x80 no utf-8\x00\x00",
]


def static_model():
    return byte_model.StaticByteModel(np.arange(1, 257))


def equal_info():
    return EqualInfoWindows(static_model())


def compiled():
    return window_dictionary.compile_windows(static_model())


def arithmetic_coding():
    return NeuralAC(static_model())


class WithEos(RawBytes):
    """Bytes whose 257th code is EOS."""

    codes_eos = True
    vocab_size = 257

    def encode_symbol_batch(self, examples):
        return [example.astype(np.int32) for example in examples]


VOCABULARIES = pytest.mark.parametrize(
    "vocabulary",
    [
        vocabularies.CompressorVocabulary(make)
        for make in (RawBytes, equal_info, compiled, arithmetic_coding)
    ],
    ids=["bytes", "equal_info", "compiled", "arithmetic_coding"],
)


@VOCABULARIES
def test_round_trip_in_map(vocabulary):
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS).map(vocabulary.encode_tf)
    assert dataset.element_spec == tf.TensorSpec([None], tf.int32)
    decoded = dataset.map(vocabulary.decode_tf)
    assert decoded.element_spec == tf.TensorSpec([], tf.string)
    assert list(decoded.as_numpy_iterator()) == TEXTS


@VOCABULARIES
def test_decoding_a_padded_batch_stops_at_eos(vocabulary):
    ids = [vocabulary.encode(text) for text in TEXTS]
    longest = max(map(len, ids)) + 3
    batch = np.full((len(ids), longest), vocab.PAD_ID, np.int32)
    for row, text_ids in zip(batch, ids, strict=True):
        row[: len(text_ids) + 1] = [*text_ids, vocab.EOS_ID]
        row[len(text_ids) + 2] = vocab.NUM_SPECIAL_IDS  # after EOS: another document
    assert vocabulary.decode_tf(tf.constant(batch)).numpy().tolist() == TEXTS
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(2).map(vocabulary.decode_tf)
    assert [text for texts in dataset.as_numpy_iterator() for text in texts] == TEXTS
    for row, text in zip(batch, TEXTS, strict=True):
        assert vocabulary.decode(row.tolist()).encode("utf-8", "surrogateescape") == text


@VOCABULARIES
def test_python_and_tensorflow_agree(vocabulary):
    for text in TEXTS:
        ids = vocabulary.encode_tf(tf.constant(text)).numpy()
        assert ids.tolist() == vocabulary.encode(text)
        assert vocabulary.encode(text.decode("utf-8", "surrogateescape")) == ids.tolist()
        expected = vocabulary.compressor.encode(text) + vocab.NUM_SPECIAL_IDS
        np.testing.assert_array_equal(ids, expected)


def test_special_ids_and_sizes():
    vocabulary = vocabularies.CompressorVocabulary(RawBytes)
    specials = (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id, vocabulary.bos_id)
    assert specials == (0, 1, 2, 0)
    assert (vocabulary.vocab_size, vocabulary.extra_ids) == (259, 0)
    # Byte b is id b + 3: what a byte-level M1 is trained on.
    assert vocabulary.encode(b"\x00\xff") == [3, 258]


def test_ids_that_no_compressor_has_name_no_text():
    # SeqIO turns them into UNK before they are decoded.
    vocabulary = vocabularies.CompressorVocabulary(RawBytes)
    assert vocabulary.decode([vocab.UNK_ID, 3 + ord("h"), 259, 3 + ord("i"), 99_999]) == "hi"
    assert vocabulary.decode_tf(tf.constant([3 + ord("h"), 259])).numpy() == b"h"


def test_another_folder_under_the_same_name_is_loaded_anew(tmp_path):
    RawBytes().save(tmp_path / "a" / "x")
    equal_info().save(tmp_path / "b" / "x")
    vocabulary = vocabularies.CompressorVocabulary(locations.NamedCompressor("x"))
    try:
        sizes = []
        for root in ("a", "b", "a"):
            locations.set_locations(compressors=str(tmp_path / root))
            sizes.append(vocabulary.vocab_size)
            assert vocabulary.compressor is vocabulary.compressor
    finally:
        locations.set_locations()
    assert sizes == [259, 65_539, 259]


def test_equality_and_pickling_keep_the_place(tmp_path, monkeypatch):
    for name in ("a/bytes", "b/bytes"):
        RawBytes().save(tmp_path / name)
    named = vocabularies.CompressorVocabulary(locations.NamedCompressor("bytes"))
    monkeypatch.delenv("EIW_COMPRESSORS", raising=False)
    # Nothing is there yet: still equal to itself, and still picklable.
    assert pickle.loads(pickle.dumps(named)) == named
    monkeypatch.setenv("EIW_COMPRESSORS", str(tmp_path / "a"))
    sent = pickle.dumps(named)
    assert named == vocabularies.CompressorVocabulary(tmp_path / "a" / "bytes")
    # A worker has other settings and finds the same compressor.
    monkeypatch.setenv("EIW_COMPRESSORS", str(tmp_path / "b"))
    received = pickle.loads(sent)
    assert str(tmp_path / "a" / "bytes") in str(received)
    assert received.encode(b"x") == [vocab.NUM_SPECIAL_IDS + ord("x")]
    assert received != named and named != "bytes"
    raw = vocabularies.CompressorVocabulary(RawBytes)
    assert raw == pickle.loads(pickle.dumps(raw)) and raw != named


def test_loads_once_for_many_threads():
    loads = []

    def slow_load():
        loads.append(1)
        time.sleep(0.05)
        return RawBytes()

    vocabulary = vocabularies.CompressorVocabulary(slow_load)
    assert not loads
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = set(pool.map(lambda _: tuple(vocabulary.encode(b"text")), range(8)))
    assert results == {tuple(b + 3 for b in b"text")} and len(loads) == 1


def test_missing_and_damaged_artefacts_are_said_while_the_pipeline_is_built(tmp_path):
    texts = tf.data.Dataset.from_tensor_slices(TEXTS)
    for folder in (tmp_path, tmp_path / "absent"):
        vocabulary = vocabularies.CompressorVocabulary(folder)
        with pytest.raises(errors.ArtefactError):
            vocabulary.encode_tf(tf.constant("x"))
        with pytest.raises(errors.ArtefactError):
            texts.map(vocabulary.encode_tf)


EOS = vocab.EOS_SYMBOL
EXAMPLES = [[104, 105, EOS, 0], [EOS, EOS], [255, EOS], [7, 8], []]


def test_eos_follows_the_codes_of_a_document():
    vocabulary = vocabularies.CompressorVocabulary(RawBytes)
    ids = vocabulary.encode_symbol_batch([np.array(example, np.int32) for example in EXAMPLES])
    assert [example.dtype for example in ids] == [np.int32] * len(EXAMPLES)
    expected = [[107, 108, 1, 3], [1, 1], [258, 1], [10, 11], []]
    assert [example.tolist() for example in ids] == expected


def test_windows_end_where_documents_end():
    vocabulary = vocabularies.CompressorVocabulary(equal_info)
    (ids,) = vocabulary.encode_symbol_batch([np.array([*b"ab", EOS, *b"cd"])])
    assert ids.tolist() == [*vocabulary.encode(b"ab"), vocab.EOS_ID, *vocabulary.encode(b"cd")]
    assert ids.tolist() != vocabulary.encode(b"abcd")


def test_a_model_with_eos_codes_it_itself():
    vocabulary = vocabularies.CompressorVocabulary(WithEos)
    ids = vocabulary.encode_symbol_batch([np.array(example, np.int32) for example in EXAMPLES])
    assert ids[0].tolist() == [107, 108, EOS + 3, 3]
    without = WithEos()
    without.codes_eos = False
    plain = vocabularies.CompressorVocabulary(lambda: without)
    (ids,) = plain.encode_symbol_batch([np.array(EXAMPLES[0])])
    assert ids.tolist() == [107, 108, vocab.EOS_ID, 3]


def test_fakes_follow_the_protocols():
    assert isinstance(WithEos(), vocabularies.SymbolCompressor)
    assert not isinstance(RawBytes(), vocabularies.SymbolCompressor)
    assert isinstance(WithEos(), compressors.Compressor)
