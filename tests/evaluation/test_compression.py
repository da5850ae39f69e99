import dataclasses

import numpy as np
import pytest

from eiw import errors
from eiw.coding import byte_model
from eiw.compressors import base, window_dictionary
from eiw.data import token_files
from eiw.evaluation import compression


@dataclasses.dataclass
class Pairs(base.Compressor):
    """Two bytes a code; forgets what `loses` names, refuses to decode what `refuses` names."""

    loses: bytes = b""
    refuses: bytes = b""
    name: str = "pairs"
    vocab_size: int = 1 << 16
    fingerprint: str = "pairs"
    save = None

    def encode_batch(self, texts: list[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(text + b" " * (len(text) % 2), np.uint16) for text in texts]

    def decode(self, ids: np.ndarray) -> bytes:
        text = np.asarray(ids, np.uint16).tobytes().rstrip(b" ")
        if self.refuses and self.refuses in text:
            raise errors.InputError("No encoder makes this.")
        return text.replace(self.loses, b"") if self.loses else text

    def decode_batch(self, encoded: list[np.ndarray]) -> list[bytes]:
        return [self.decode(ids) for ids in encoded]


TEXT = b"the windows of a text that is long enough for a few of them, and that repeats, " * 5
DOCUMENTS = [b"abcd", b"", b"xyz", b"ab"]


@pytest.fixture
def measured(tmp_path):
    """Measures with some of the documents as training text."""

    def measure(compressor, documents=DOCUMENTS):
        training = token_files.write_tokens(tmp_path / "train", compressor, DOCUMENTS[:3])
        return compression.measure("row", compressor, documents, training, tmp_path)

    return measure


def test_sums_and_ratios(measured):
    found = measured(Pairs())
    assert (found.documents, found.bytes, found.tokens, found.lost_documents) == (4, 9, 5, 0)
    assert found.bytes_per_token == 9 / 5
    assert found.bit_ratio == 9 * 8 / (5 * 16)
    assert found.uniform_bits_per_byte == 16 * 9 / 9  # five codes and four EOS of nine bytes
    assert (found.train_tokens, found.train_bytes) == (4 + 3, 7)
    assert (found.windows, found.lost_windows) == (None, None)


@pytest.mark.parametrize("fault", ["loses", "refuses"])
def test_documents_that_do_not_come_back_are_counted(measured, fault):
    found = measured(Pairs(**{fault: b"b"}))
    assert (found.documents, found.lost_documents) == (4, 2)


@pytest.mark.parametrize("window_end", ["exact", "greedy", "delay"])
def test_windows_that_do_not_come_back_are_counted(measured, window_end):
    model = byte_model.NgramByteModel.fit([TEXT], order=3)
    windows = window_dictionary.compile_windows(model, window_end=window_end)
    found = measured(windows, [TEXT[:300], b"", TEXT[100:200]])
    if window_end != "greedy":
        assert (found.windows, found.lost_windows, found.lost_documents) == (None, None, 0)
        return
    codes = windows.encode_batch([TEXT[:300], TEXT[100:200]])
    assert found.windows == sum(map(len, codes)) == found.tokens
    assert 0 < found.lost_windows < found.windows
    assert 0 < found.lost_documents <= 2


@pytest.mark.parametrize(
    ("losing", "lost"), [({}, 0), ({"loses": b"b"}, 2), ({"refuses": b"b"}, 2)]
)
def test_a_token_file_is_read_back(tmp_path, monkeypatch, losing, lost):
    monkeypatch.setattr(compression, "_BATCH_DOCUMENTS", 3)
    tokens = token_files.write_tokens(tmp_path / "tokens", Pairs(), DOCUMENTS)
    assert compression.count_lost(Pairs(**losing), tokens, DOCUMENTS) == lost


def test_no_tokens_have_no_ratio(measured):
    with pytest.raises(errors.InputError, match="empty"):
        measured(Pairs(), [b""])
