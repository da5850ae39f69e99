import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from eiw import errors, vocab
from eiw.data import batches, token_files

LENGTH = 5


@pytest.fixture
def tokens(tmp_path, pairs):
    # 23 documents of one code and EOS: 46 ids, 9 examples of 5 and one id left over.
    return token_files.write_tokens(tmp_path / "t", pairs, [bytes([i]) for i in range(23)])


def targets(source, count):
    return [source.next_batch()["decoder_target_tokens"] for _ in range(count)]


def test_inputs_are_targets_moved_right(tokens):
    batch = batches.TokenFileSource(tokens, 4, LENGTH, seed=0).next_batch()
    inputs, outputs = batch["decoder_input_tokens"], batch["decoder_target_tokens"]
    assert inputs.shape == outputs.shape == batch["decoder_loss_weights"].shape == (4, LENGTH)
    assert inputs.dtype == outputs.dtype == np.int32
    assert batch["decoder_loss_weights"].dtype == np.float32
    assert (inputs[:, 0] == vocab.PAD_ID).all()
    np.testing.assert_array_equal(inputs[:, 1:], outputs[:, :-1])
    assert (batch["decoder_loss_weights"] == 1).all()


def test_padding_weighs_nothing():
    batch = batches.language_model_batch(np.array([[7, vocab.EOS_ID, vocab.PAD_ID]], np.int32))
    assert batch["decoder_loss_weights"].tolist() == [[1, 1, 0]]
    assert batch["decoder_input_tokens"].tolist() == [[0, 7, 1]]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 9, 10, 30])
def test_each_example_comes_once_an_epoch_in_another_order(tokens, batch_size):
    source = batches.TokenFileSource(tokens, batch_size, LENGTH, seed=3)
    rows = np.concatenate(targets(source, -(-18 // batch_size)))[:18]
    expected = tokens.ids[:45].reshape(9, LENGTH).tolist()
    first, second = rows[:9].tolist(), rows[9:].tolist()
    assert sorted(first) == sorted(second) == sorted(expected)
    assert first != second and first != expected


@pytest.mark.parametrize("num_hosts", [2, 3, 6])
def test_the_global_batch_is_the_same_for_any_number_of_hosts(tokens, num_hosts):
    alone = targets(batches.TokenFileSource(tokens, 6, LENGTH, seed=1), 5)
    hosts = [
        targets(batches.TokenFileSource(tokens, 6, LENGTH, 1, host, num_hosts), 5)
        for host in range(num_hosts)
    ]
    for step in range(5):
        together = np.empty_like(alone[step])
        for host in range(num_hosts):
            together[host::num_hosts] = hosts[host][step]
        np.testing.assert_array_equal(together, alone[step])


@pytest.mark.parametrize("done", [0, 1, 4, 7])
def test_restore_goes_on_exactly_even_with_other_hosts(tokens, done):
    run = batches.TokenFileSource(tokens, 4, LENGTH, seed=1, host=1, num_hosts=2)
    targets(run, done)
    state = json.loads(json.dumps(run.state()))
    rest = targets(run, 6)
    fresh = batches.TokenFileSource(tokens, 4, LENGTH, seed=1, host=1, num_hosts=2)
    targets(fresh, 2)
    fresh.restore(state)
    assert fresh.state() == state
    whole = batches.TokenFileSource(tokens, 4, LENGTH, seed=1)
    whole.restore(state)
    for expected, again, both in zip(rest, targets(fresh, 6), targets(whole, 6), strict=True):
        np.testing.assert_array_equal(again, expected)
        np.testing.assert_array_equal(both[1::2], expected)


def test_seeds_differ(tokens):
    orders = [
        np.concatenate(targets(batches.TokenFileSource(tokens, 9, LENGTH, seed), 1)).tolist()
        for seed in range(3)
    ]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


def test_restore_refuses_other_data(tokens, tmp_path, pairs):
    state = batches.TokenFileSource(tokens, 4, LENGTH, seed=1).state()
    other = token_files.write_tokens(tmp_path / "o", pairs, [bytes([i + 1]) for i in range(23)])
    for source in (
        batches.TokenFileSource(tokens, 4, LENGTH, seed=2),
        batches.TokenFileSource(tokens, 4, LENGTH + 1, seed=1),
        batches.TokenFileSource(other, 4, LENGTH, seed=1),
    ):
        with pytest.raises(errors.InputError, match="other data"):
            source.restore(state)
    with pytest.raises(errors.InputError, match="other data"):
        source.restore({"batches": 3})


def test_bad_sizes(tokens):
    with pytest.raises(errors.InputError, match="46 tokens, fewer than one example of 47"):
        batches.TokenFileSource(tokens, 4, 47, seed=0)
    with pytest.raises(errors.InputError, match="batch of 4 cannot be shared by 3 hosts"):
        batches.TokenFileSource(tokens, 4, LENGTH, seed=0, num_hosts=3)
    with pytest.raises(ValueError, match="host 2 of 2"):
        batches.TokenFileSource(tokens, 4, LENGTH, seed=0, host=2, num_hosts=2)


def test_training_data_needs_no_tensorflow():
    code = (
        "import sys, eiw.data.batches, eiw.data.corpus, eiw.data.docstrings, eiw.data.text_files;"
        "print({'tensorflow', 'seqio', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
