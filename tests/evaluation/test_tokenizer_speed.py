import itertools

import numpy as np
import pytest

from eiw.compressors import raw_bytes
from eiw.evaluation import coder_speed, tokenizer_speed

DOCUMENTS = [b"some text, more than once. " * 20, b"\x00\xff", b"x"]


def test_rows_say_what_came_out():
    ours = tokenizer_speed.compressor_tokenizer("mine", raw_bytes.RawBytes())
    lossy = tokenizer_speed.Tokenizer(
        "lossy", 7, lambda texts: [text[::2] for text in texts], list, takes_text=True
    )
    mine, other = tokenizer_speed.measure([ours, lossy], DOCUMENTS, rounds=2)
    assert (mine["name"], mine["lossless"], mine["bytes_per_token"]) == ("mine", True, 1.0)
    assert (other["name"], other["lossless"], other["vocab_size"]) == ("lossy", False, 7)
    assert mine["text_bytes"] == sum(map(len, DOCUMENTS))
    assert mine["encode_mb_per_cpu_s"] > 0 < mine["decode_mb_per_cpu_s"]


@pytest.mark.slow
def test_tokenizers_take_turns():
    calls = []

    def tokenizer(name):
        def encode(documents):
            calls.append(("encode", name))
            return documents

        def decode(ids):
            calls.append(("decode", name))
            return ids

        return tokenizer_speed.Tokenizer(name, 1, encode, decode)

    tokenizer_speed.measure([tokenizer("a"), tokenizer("b")], DOCUMENTS, rounds=3)
    # One round more, to warm up.
    assert calls == list(itertools.product(["encode"] * 4, "ab")) + list(
        itertools.product(["decode"] * 4, "ab")
    )


def test_coders_come_back_and_are_as_long_as_they_should_be():
    symbols = np.frombuffer(b"".join(DOCUMENTS) * 9, np.uint8)
    rows = coder_speed.measure(coder_speed.our_coders(symbols), symbols, 1000, rounds=1)
    assert len({row["name"] for row in rows}) == 4
    shares = np.bincount(symbols) / len(symbols)
    entropy = -sum(share * np.log2(share) for share in shares if share)
    for row in rows:
        assert row["lossless"]
        # Every byte has a share of the counts, and every block an end.
        assert entropy < row["bits_per_symbol"] < entropy + 0.5
