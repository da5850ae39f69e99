import math

import numpy as np
import pytest

from eiw import errors, vocab
from eiw.evaluation import baselines

EOS = vocab.EOS_ID


def shifted(codes: list[int]) -> np.ndarray:
    """Codes as a token file stores them, one document."""
    return np.array([*(code + 3 for code in codes), EOS], np.uint16)


def test_uniform_is_log2_of_the_codes_for_each_token():
    assert baselines.uniform_bits_per_byte(256, num_tokens=11, num_bytes=10) == pytest.approx(8.8)
    assert baselines.uniform_bits_per_byte(1, 5, 5) == 0


def test_unigram_by_hand():
    # Counts with one added: EOS 2, code 0: 3, code 1: 1, code 2: 2; of 8.
    training = shifted([0, 2, 0])
    held_out = shifted([1, 0])
    bits = math.log2(8 / 1) + math.log2(8 / 3) + math.log2(8 / 2)
    assert baselines.unigram_bits_per_byte(training, held_out, 3, 5) == pytest.approx(bits / 5)


def test_unigram_of_nothing_is_uniform_over_codes_and_eos():
    nothing = np.array([], np.uint16)
    found = baselines.unigram_bits_per_byte(nothing, shifted([0, 1, 2]), 7, 2)
    assert found == pytest.approx(4 * 3 / 2)


def test_unigram_approaches_the_entropy_of_its_text():
    ids = np.random.default_rng(0).choice([EOS, 3, 4, 5], 100_000, p=[0.1, 0.2, 0.3, 0.4])
    entropy = -sum(p * math.log2(p) for p in (0.1, 0.2, 0.3, 0.4))
    found = baselines.unigram_bits_per_byte(ids, ids, 3, len(ids))
    assert found == pytest.approx(entropy, rel=0.005)


def test_counting_in_chunks_changes_nothing(monkeypatch):
    ids = np.random.default_rng(1).integers(3, 20, 1_000).astype(np.uint16)
    whole = baselines.unigram_bits_per_byte(ids, ids[:300], 17, 100)
    monkeypatch.setattr(baselines, "_CHUNK_IDS", 64)
    assert baselines.unigram_bits_per_byte(ids, ids[:300], 17, 100) == whole


@pytest.mark.parametrize(
    ("ids", "told"), [([3, 6], "another compressor's"), ([3, 0], "Padding"), ([2], "Padding")]
)
def test_ids_that_are_no_codes_are_refused(ids, told):
    good = np.array([3, 4, EOS])
    for training, held_out in ((np.array(ids), good), (good, np.array(ids))):
        with pytest.raises(errors.InputError, match=told):
            baselines.unigram_bits_per_byte(training, held_out, 3, 10)


def test_no_bytes_are_refused():
    with pytest.raises(errors.InputError, match="no bytes"):
        baselines.uniform_bits_per_byte(256, 1, 0)
    with pytest.raises(errors.InputError, match="no bytes"):
        baselines.unigram_bits_per_byte(shifted([0]), shifted([0]), 3, 0)
