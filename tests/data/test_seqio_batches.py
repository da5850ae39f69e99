import functools
import json

import numpy as np
import pytest
import seqio
import tensorflow as tf

from eiw import errors
from eiw.compressors.raw_bytes import RawBytes
from eiw.data import batches, preprocessors, seqio_batches, vocabularies

TASK = "test_seqio_batches"
LENGTH = 12


@pytest.fixture(scope="module", autouse=True)
def task():
    def numbers(split, shuffle_files, seed=None):
        count = 0 if split == "empty" else 50
        texts = tf.constant([f"{i:03d}" for i in range(count)], tf.string)
        return tf.data.Dataset.from_tensor_slices({"text": texts})

    features = {
        "targets": seqio.Feature(vocabularies.CompressorVocabulary(RawBytes), add_eos=False)
    }
    seqio.TaskRegistry.add(
        TASK,
        source=seqio.FunctionDataSource(numbers, splits=("train", "empty")),
        preprocessors=[
            preprocessors.append_eos,
            functools.partial(preprocessors.split, length=9),
            preprocessors.compress,
            preprocessors.trim,
        ],
        output_features=features,
        shuffle_buffer_size=20,
    )
    yield
    seqio.TaskRegistry.remove(TASK)


def take(source, count):
    return [source.next_batch() for _ in range(count)]


def targets(source, count):
    return [batch["decoder_target_tokens"] for batch in take(source, count)]


def test_batches_are_padded_language_model_examples():
    (batch,) = take(seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0), 1)
    ids = batch["decoder_target_tokens"]
    assert ids.shape == (4, LENGTH) and ids.dtype == np.int32
    # Three digits, EOS, padding.
    assert (ids[:, 3] == 1).all() and (ids[:, 4:] == 0).all() and (ids[:, :3] >= 3 + ord("0")).all()
    expected = batches.language_model_batch(ids)
    for name, value in expected.items():
        np.testing.assert_array_equal(batch[name], value)
        assert batch[name].dtype == value.dtype
    assert batch["decoder_loss_weights"].sum() == 4 * 4


@pytest.mark.parametrize("length", [2, LENGTH])
def test_batches_are_those_of_seqios_feature_converter(length):
    dataset = seqio.get_dataset(
        TASK,
        {"targets": length},
        seqio.LMFeatureConverter(pack=False),
        dataset_split="train",
        shuffle=True,
        num_epochs=None,
        seed=3,
    )
    theirs = dataset.batch(4).take(20).as_numpy_iterator()
    ours = take(seqio_batches.SeqioSource(TASK, 4, length, seed=3), 20)
    for batch, expected in zip(ours, theirs, strict=True):
        for name, value in expected.items():
            np.testing.assert_array_equal(batch[name], value)


def test_resumes_by_counting_and_shuffles_by_seed():
    source = seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0)
    targets(source, 15)  # 60 examples: more than an epoch
    state = json.loads(json.dumps(source.state()))
    rest = targets(source, 3)
    again = seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0)
    first = targets(again, 1)
    again.restore(state)
    assert again.state() == state
    np.testing.assert_array_equal(targets(again, 3), rest)
    other = seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=1)
    assert not np.array_equal(targets(other, 1), first)
    with pytest.raises(errors.InputError, match="seed was 0, is 1"):
        other.restore(state)


def test_the_global_batch_is_the_same_for_any_number_of_hosts():
    (alone,) = targets(seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0), 1)
    for host in range(2):
        (share,) = targets(seqio_batches.SeqioSource(TASK, 4, LENGTH, 0, host, 2), 1)
        np.testing.assert_array_equal(share, alone[host::2])


def test_bad_input_is_said():
    with pytest.raises(errors.InputError, match="batch of 4 cannot be shared by 3 hosts"):
        seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0, num_hosts=3)
    with pytest.raises(errors.InputError, match="no examples in empty"):
        seqio_batches.SeqioSource(TASK, 4, LENGTH, seed=0, split="empty").next_batch()
