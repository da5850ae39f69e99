"""A compressor on disk: one folder with `compressor.json`, `arrays.npz` and, for some, an M1."""

import pathlib
from typing import Any

import numpy as np

from eiw import atomic, errors
from eiw.coding import array_folder, byte_model

HEADER_NAME = "compressor.json"
FORMAT_VERSION = 1
_BYTE_MODEL = "byte_model"


def artefact_contents(
    kind: str, config: dict[str, Any], arrays: dict[str, np.ndarray]
) -> array_folder.Contents:
    """What `write_artefact` saves, with the fingerprint of the compressor."""
    return array_folder.Contents(kind, FORMAT_VERSION, config, arrays)


def write_artefact(
    folder: pathlib.Path,
    contents: array_folder.Contents,
    model: byte_model.ByteModel | None = None,
) -> None:
    """Replaces `folder` by a new artefact, whole or not at all; `model` is carried along."""
    with atomic.replace_folder(folder) as temporary:
        array_folder.write_contents(temporary, HEADER_NAME, contents)
        if model is not None:
            (temporary / _BYTE_MODEL).mkdir()
            model.save(temporary / _BYTE_MODEL)


def read_artefact(folder: pathlib.Path, kind: str) -> array_folder.Contents:
    """Reads an artefact of one kind.

    Raises:
      ArtefactError: it is missing, damaged, altered, of another kind or format version.
    """
    contents = array_folder.read_contents(pathlib.Path(folder), HEADER_NAME, FORMAT_VERSION)
    if contents.kind != kind:
        raise errors.ArtefactError(f"{folder} holds a {contents.kind!r}, not a {kind!r}.")
    return contents


def read_byte_model(folder: pathlib.Path, expected_fingerprint: str) -> byte_model.ByteModel:
    """Loads the byte model that an artefact carries.

    Raises:
      ArtefactError: it is missing, damaged, or not the one that the artefact was made with.
    """
    path = pathlib.Path(folder) / _BYTE_MODEL
    model = byte_model.load_byte_model(path)
    if model.fingerprint != expected_fingerprint:
        raise errors.ArtefactError(
            f"{path} is another M1 ({model.fingerprint[:12]}) than the one this compressor was "
            f"made with ({expected_fingerprint[:12]}): restore it or build the compressor anew."
        )
    return model
