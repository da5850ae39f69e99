import numpy as np
import pytest
import seqio
import tensorflow as tf

from eiw import vocab
from eiw.compressors.raw_bytes import RawBytes
from eiw.data import preprocessors, vocabularies

EOS = vocab.EOS_SYMBOL
FEATURES = {"targets": seqio.Feature(vocabularies.CompressorVocabulary(RawBytes), add_eos=False)}


def symbols_of(dataset, key="symbols"):
    return [example[key].tolist() for example in dataset.as_numpy_iterator()]


def sequences(*rows):
    return tf.data.Dataset.from_generator(
        lambda: ({"symbols": row} for row in rows),
        output_signature={"symbols": tf.TensorSpec([None], tf.int32)},
    )


def test_append_eos_takes_any_bytes_and_drops_other_features():
    texts = [b"a\x00", b"", b"\xff"]
    dataset = tf.data.Dataset.from_tensor_slices({"text": texts, "url": texts})
    dataset = preprocessors.append_eos(dataset)
    assert dataset.element_spec == {"symbols": tf.TensorSpec([None], tf.int32)}
    assert symbols_of(dataset) == [[97, 0, EOS], [EOS], [255, EOS]]


def test_concatenate_keeps_order_and_the_rest():
    rows = [[1, 2], [], [3], [4, 5, 6], [7]]
    assert symbols_of(preprocessors.concatenate(sequences(*rows), 2)) == [[1, 2], [3, 4, 5, 6], [7]]
    assert symbols_of(preprocessors.concatenate(sequences(*rows))) == [[1, 2, 3, 4, 5, 6, 7]]


def test_split_cuts_every_length_and_loses_nothing():
    dataset = preprocessors.split(sequences(list(range(7)), [8, 9, 10], []), 3)
    assert symbols_of(dataset) == [[0, 1, 2], [3, 4, 5], [6], [8, 9, 10]]


def test_compress_is_the_vocabularys_encoding_for_any_number_of_examples():
    rows = [[i % 256] * (i % 5) + [EOS] * (i % 3) for i in range(150)]  # 2 batches of 64, and 22
    dataset = preprocessors.compress(sequences(*rows), FEATURES)
    assert dataset.element_spec == {"targets": tf.TensorSpec([None], tf.int32)}
    arrays = [np.array(row, np.int32) for row in rows]
    expected = FEATURES["targets"].vocabulary.encode_symbol_batch(arrays)
    assert symbols_of(dataset, "targets") == [ids.tolist() for ids in expected]


@pytest.mark.parametrize(
    ("lengths", "expected"), [(None, 512), ({"targets": 100}, 100), ({"targets": 600}, 600)]
)
def test_trim(lengths, expected):
    dataset = tf.data.Dataset.from_tensors({"targets": tf.range(700)})
    assert symbols_of(preprocessors.trim(dataset, lengths), "targets") == [list(range(expected))]


def test_defaults_are_the_papers():
    # 128 documents, 10,240 symbols: two groups, the first of 40,000 symbols with EOS.
    texts = [b"x" * 311] * 128 + [b"y" * (40_000 - 128 * 312)] * 64 + [b"z"]
    dataset = tf.data.Dataset.from_tensor_slices({"text": texts})
    dataset = preprocessors.split(preprocessors.concatenate(preprocessors.append_eos(dataset)))
    lengths = [len(example) for example in symbols_of(dataset)]
    first, second = 128 * 312, 64 * (40_000 - 128 * 312 + 1) + 2
    expected = []
    for size in (first, second):
        expected += [10_240] * (size // 10_240) + [size % 10_240]
    assert lengths == expected
