import dataclasses

import numpy as np
import pytest

from eiw import errors
from eiw.data import token_files
from eiw.evaluation import compression


@dataclasses.dataclass
class Pairs:
    """Two bytes a code; forgets what `loses` names, refuses to decode what `refuses` names."""

    loses: bytes = b""
    refuses: bytes = b""
    name: str = "pairs"
    vocab_size: int = 1 << 16
    fingerprint: str = "pairs"

    def encode_batch(self, texts: list[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(text + b" " * (len(text) % 2), np.uint16) for text in texts]

    def decode(self, ids: np.ndarray) -> bytes:
        text = np.asarray(ids, np.uint16).tobytes().rstrip(b" ")
        if self.refuses and self.refuses in text:
            raise errors.InputError("No encoder makes this.")
        return text.replace(self.loses, b"") if self.loses else text

    def decode_batch(self, encoded: list[np.ndarray]) -> list[bytes]:
        return [self.decode(ids) for ids in encoded]


DOCUMENTS = [b"abcd", b"", b"xyz", b"ab"]


def test_sums_and_ratio():
    found = compression.measure(Pairs(), iter(DOCUMENTS))
    assert found == compression.Compression(4, 9, 5, 0, 0)
    assert found.bytes_per_token == 9 / 5


@pytest.mark.parametrize("fault", ["loses", "refuses"])
def test_documents_that_do_not_come_back_are_counted(fault):
    found = compression.measure(Pairs(**{fault: b"b"}), DOCUMENTS)
    assert (found.lost_documents, found.lost_bytes) == (2, 6)
    assert found.documents == 4


def test_batches_change_nothing(monkeypatch):
    whole = compression.measure(Pairs(loses=b"y"), DOCUMENTS * 5)
    monkeypatch.setattr(compression, "_BATCH_DOCUMENTS", 3)
    assert compression.measure(Pairs(loses=b"y"), DOCUMENTS * 5) == whole


@pytest.mark.parametrize(
    ("losing", "lost"), [({}, 0), ({"loses": b"b"}, 2), ({"refuses": b"b"}, 2)]
)
def test_a_token_file_is_read_back(tmp_path, monkeypatch, losing, lost):
    monkeypatch.setattr(compression, "_BATCH_DOCUMENTS", 3)
    tokens = token_files.write_tokens(tmp_path / "tokens", Pairs(), DOCUMENTS)
    assert compression.count_lost(Pairs(**losing), tokens, DOCUMENTS) == lost


def test_no_tokens_have_no_ratio():
    with pytest.raises(errors.InputError, match="empty"):
        _ = compression.measure(Pairs(), [b""]).bytes_per_token
