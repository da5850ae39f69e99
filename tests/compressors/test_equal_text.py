import numpy as np
import pytest

from eiw import errors
from eiw.compressors import equal_text, neural_ac


def test_windows_are_texts_of_their_own(ngrams, text):
    windows = equal_text.EqualText(ngrams, 8, 6)
    alone = [neural_ac.NeuralAC(ngrams, 8, 6).encode(text[n : n + 6]) for n in range(0, 60, 6)]
    assert windows.encode(text[:60]).tolist() == np.concatenate(alone).tolist()
    delimited = equal_text.EqualText(ngrams, 8, 6, delimiters=True)
    assert delimited.vocab_size == 257
    parts = " 256 ".join(" ".join(map(str, window)) for window in alone)
    assert " ".join(map(str, delimited.encode(text[:60]))) == parts


@pytest.mark.parametrize(
    "change",
    [
        lambda codes: [256, *codes],
        lambda codes: [*codes, 256],
        lambda codes: [code for code in codes if code != 256],
        lambda codes: (
            codes[: codes.index(256)] + codes[codes.index(256) :][:1] + codes[codes.index(256) :]
        ),
    ],
    ids=["before", "after", "without", "twice"],
)
def test_delimiters_have_their_places(ngrams, change):
    windows = equal_text.EqualText(ngrams, 8, 5, delimiters=True)
    codes = windows.encode(b"Equal in text.").tolist()
    assert codes.count(256) == 2
    with pytest.raises(errors.InputError):
        windows.decode(np.array(change(codes)))


def test_windows_of_no_bytes(ngrams):
    with pytest.raises(errors.InputError, match="window_bytes=0 must be at least 1"):
        equal_text.EqualText(ngrams, 8, 0)


def test_short_windows_before_the_last(ngrams):
    windows = equal_text.EqualText(ngrams, 8, 5, delimiters=True)
    one, two = windows.encode(b"abc"), windows.encode(b"def")
    with pytest.raises(errors.InputError, match="Delimiters do not stand"):
        windows.decode(np.concatenate([one, [256], two]))


def test_names(ngrams):
    assert equal_text.EqualText(ngrams).name == "equal_text_n8_v256"
    delimited = equal_text.EqualText(ngrams, 16, 5, delimiters=True)
    assert (delimited.name, delimited.variant) == ("equal_text_n5_v65k_delimited", "delimited")
