"""What these tests share: the module `chromium`, and a run as `eiw smoke` leaves it, but tiny."""

import pathlib
import sys

import pytest
import tiny_flags

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from eiw import main
from eiw.coding import byte_model
from eiw.compressors.gzip_bits import GZip
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.compressors.window_dictionary import compile_windows
from eiw.data import corpus, token_files

DOCUMENTS = ["the text that a model is trained on, größer ".encode() * 5, b"and some more of it"]
TINY = ["--gin_file=runs/train.gin", *tiny_flags.TINY]


@pytest.fixture(scope="session")
def run_path(tmp_path_factory):
    """The folder of a run: four compressors, M1, and an M2 of bytes."""
    root = tmp_path_factory.mktemp("demo") / "tiny"
    m1 = byte_model.NgramByteModel.fit(DOCUMENTS, order=3)
    (root / "m1").mkdir(parents=True)
    m1.save(root / "m1")
    made = {"bytes": RawBytes(), "windows": compile_windows(m1), "ac": NeuralAC(m1), "gz": GZip()}
    for name, compressor in made.items():
        compressor.save(root / "compressors" / name)
    for split in corpus.SPLITS:
        token_files.write_tokens(root / "tokens" / split, made["bytes"], DOCUMENTS)
    folders = [f"--tokens={root / 'tokens'}", f"--output={root / 'm2' / 'bytes'}"]
    assert main.main(["train", *folders, *TINY]) == 0
    return root
