"""Batches of a task that another process reads, as `eiw train --task` does."""

import json

import number_tasks
import numpy as np
import pytest
import seqio

from eiw import errors, remote_object
from eiw.data import batches, task_batches

TASK = number_tasks.TASK
LENGTH = 12


@pytest.fixture(scope="module")
def reader():
    arguments = ("eiw.data.task_reader:TaskReader", TASK, ["number_tasks"])
    with remote_object.RemoteObject(*arguments, environment={}) as remote:
        yield remote


def take(source, count):
    return [source.next_batch() for _ in range(count)]


def targets(source, count):
    return [batch["decoder_target_tokens"] for batch in take(source, count)]


def test_batches_are_padded_language_model_examples(reader):
    (batch,) = take(task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0), 1)
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
def test_batches_are_those_of_seqios_feature_converter(reader, length):
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
    ours = take(task_batches.TaskSource(reader, TASK, 4, length, seed=3), 20)
    for batch, expected in zip(ours, theirs, strict=True):
        for name, value in expected.items():
            np.testing.assert_array_equal(batch[name], value)


def test_resumes_by_counting_and_shuffles_by_seed(reader):
    source = task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0)
    targets(source, 15)  # 60 examples: more than an epoch
    state = json.loads(json.dumps(source.state()))
    rest = targets(source, 3)
    again = task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0)
    first = targets(again, 1)
    again.restore(state)
    assert again.state() == state
    np.testing.assert_array_equal(targets(again, 3), rest)
    other = task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=1)
    assert not np.array_equal(targets(other, 1), first)
    with pytest.raises(errors.InputError, match="seed was 0, is 1"):
        other.restore(state)


def test_the_global_batch_is_the_same_for_any_number_of_hosts(reader):
    (alone,) = targets(task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0), 1)
    for host in range(2):
        (share,) = targets(task_batches.TaskSource(reader, TASK, 4, LENGTH, 0, host, 2), 1)
        np.testing.assert_array_equal(share, alone[host::2])


def test_bad_input_is_said(reader):
    with pytest.raises(errors.InputError, match="batch of 4 cannot be shared by 3 hosts"):
        task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0, num_hosts=3)
    with pytest.raises(errors.InputError, match="no examples in empty"):
        task_batches.TaskSource(reader, TASK, 4, LENGTH, seed=0, split="empty").next_batch()
