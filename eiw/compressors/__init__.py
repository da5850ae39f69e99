"""Compressors: text to codes and back. `load(folder)` opens any that was saved.

Each kind is imported when it is asked for, so that a compiled dictionary loads with numpy and
numba alone: no JAX, no TensorFlow, no SentencePiece.
"""

import importlib
import os
import pathlib
from collections.abc import Collection

from eiw import errors
from eiw.coding import array_folder
from eiw.compressors import artefact
from eiw.compressors.base import Compressor

_CLASSES = {
    "bytes": ("raw_bytes", "RawBytes"),
    "gzip": ("gzip_bits", "GZip"),
    "sentencepiece": ("sentence_piece", "SentencePiece"),
    "neural_ac": ("neural_ac", "NeuralAC"),
    "huffman": ("huffman", "Huffman"),
    "ans": ("ans", "ANS"),
    "equal_text": ("equal_text", "EqualText"),
    "equal_info": ("equal_info", "EqualInfoWindows"),
    "lazy_windows": ("lazy_windows", "LazyWindows"),
    "tunstall": ("tunstall", "Tunstall"),
    "window_dictionary": ("window_dictionary", "WindowDictionary"),
}


def load(
    folder: str | os.PathLike,
    *,
    expect_fingerprint: str | None = None,
    expect_m1_fingerprint: str | None = None,
    allow_mismatch: Collection[str] = (),
) -> Compressor:
    """Opens a saved compressor.

    Args:
      folder: what `Compressor.save` wrote.
      expect_fingerprint: refuse any other compressor; token files know the one that made them.
      expect_m1_fingerprint: refuse a compressor made with another M1.
      allow_mismatch: what may differ for compressors that run M1: "m1", the M1 in the folder may
        be another than the compressor was made with; "backend", M1 may have run on another device
        or version of JAX. Codes made there may not decode here. The compressor that comes out has
        the fingerprint of what it is, not of what was saved.

    Raises:
      ArtefactError: the folder is missing, damaged, foreign, or not what was expected.
      InputError: an unknown mismatch is allowed.
    """
    if unknown := sorted(set(allow_mismatch) - set(artefact.MISMATCHES)):
        raise errors.InputError(
            f"allow_mismatch knows {', '.join(artefact.MISMATCHES)}, not {', '.join(unknown)}."
        )
    folder = pathlib.Path(folder)
    kind = array_folder.read_header(folder, artefact.HEADER_NAME)["kind"]
    if kind not in _CLASSES:
        raise errors.ArtefactError(
            f"{folder} holds a compressor of kind {kind!r}; this eiw knows {', '.join(_CLASSES)}."
        )
    module, name = _CLASSES[kind]
    cls = getattr(importlib.import_module(f"eiw.compressors.{module}"), name)
    compressor = cls.load(folder, allow_mismatch) if cls.carries_m1 else cls.load(folder)
    _expect(folder, "compressor", compressor.fingerprint, expect_fingerprint)
    _expect(folder, "M1", compressor.m1_fingerprint, expect_m1_fingerprint)
    return compressor


def _expect(folder: pathlib.Path, what: str, found: str, expected: str | None) -> None:
    if expected is not None and found != expected:
        raise errors.ArtefactError(
            f"{folder} was made with another {what} (fingerprint {found[:12] or 'none'}, expected "
            f"{expected[:12] or 'none'}): compile it anew, or give the folder that belongs here."
        )
