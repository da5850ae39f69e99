"""A compressor on disk: one folder with `compressor.json`, `arrays.npz` and, for some, an M1."""

import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np

from eiw import atomic, errors
from eiw.coding import array_folder, byte_model

HEADER_NAME = "compressor.json"
FORMAT_VERSION = 1
BYTE_MODEL = "byte_model"
_TRIE = "trie"
_TRIE_HEADER = "trie.json"

# What `read_byte_model` can be asked by name to let pass.
MISMATCHES = ("m1", "backend")


def artefact_contents(
    kind: str, config: dict[str, Any], arrays: dict[str, np.ndarray]
) -> array_folder.Contents:
    """What `write_artefact` saves, with the fingerprint of the compressor."""
    return array_folder.Contents(kind, FORMAT_VERSION, config, arrays)


def model_facts(model: byte_model.ByteModel) -> dict[str, Any]:
    """What the config of a compressor that runs an M1 says about it; see `read_byte_model`."""
    facts = {"m1_fingerprint": model.fingerprint}
    return facts | {"m1_backend": model.backend} if model.backend else facts


def write_artefact(
    folder: pathlib.Path,
    contents: array_folder.Contents,
    model: byte_model.ByteModel | None = None,
    trie: dict[str, np.ndarray] | None = None,
) -> None:
    """Replaces `folder` by a new artefact, whole or not at all.

    Args:
      folder: to be written.
      contents: the compressor.
      model: carried along.
      trie: what is known of the model's answers, carried along; no part of the compressor.
    """
    with atomic.replace_folder(folder, HEADER_NAME) as temporary:
        array_folder.write_contents(temporary, HEADER_NAME, contents)
        if model is not None:
            (temporary / BYTE_MODEL).mkdir()
            model.save(temporary / BYTE_MODEL)
        if trie is not None:
            (temporary / _TRIE).mkdir()
            found = artefact_contents(_TRIE, {"compressor": contents.fingerprint}, trie)
            array_folder.write_contents(temporary / _TRIE, _TRIE_HEADER, found)


def read_artefact(folder: pathlib.Path, kind: str) -> array_folder.Contents:
    """Reads an artefact of one kind.

    Raises:
      ArtefactError: it is missing, damaged, altered, of another kind or format version.
    """
    contents = array_folder.read_contents(pathlib.Path(folder), HEADER_NAME, FORMAT_VERSION)
    if contents.kind != kind:
        raise errors.ArtefactError(f"{folder} holds a {contents.kind!r}, not a {kind!r}.")
    return contents


def read_trie(folder: pathlib.Path, fingerprint: str) -> dict[str, np.ndarray] | None:
    """The arrays of a trie that was saved with the compressor of this fingerprint, if one was.

    Raises:
      ArtefactError: it is damaged.
    """
    path = pathlib.Path(folder) / _TRIE
    if not path.is_dir():
        return None
    contents = array_folder.read_contents(path, _TRIE_HEADER, FORMAT_VERSION)
    # Another M1 or backend, let in by name, answers for itself.
    return contents.arrays if contents.config["compressor"] == fingerprint else None


def read_byte_model(
    folder: pathlib.Path, config: dict[str, Any], allow_mismatch: Collection[str] = ()
) -> byte_model.ByteModel:
    """Loads the byte model that an artefact carries.

    Args:
      folder: of the artefact.
      config: of the artefact, with `model_facts`.
      allow_mismatch: "m1", for another model than the compressor was made with; "backend", for
        another device, or another version of what computes on it. Codes that were made with the
        one are then noise to the other, or seem to be right for a while.

    Raises:
      ArtefactError: it is missing, damaged, or a mismatch that is not allowed.
    """
    path = pathlib.Path(folder) / BYTE_MODEL
    model = byte_model.load_byte_model(path)
    facts = model_facts(model)
    expected = config["m1_fingerprint"]
    if model.fingerprint != expected and "m1" not in allow_mismatch:
        raise errors.ArtefactError(
            f"{path} is another M1 ({model.fingerprint[:12]}) than the one this compressor was "
            f"made with ({expected[:12]}): restore it, build the compressor anew, or allow the "
            "mismatch by its name, 'm1'."
        )
    here, made = facts.get("m1_backend", ""), config.get("m1_backend", "")
    if here != made and "backend" not in allow_mismatch:
        raise errors.ArtefactError(
            f"{folder} was made where M1 runs on [{made or 'unknown'}], here it runs on "
            f"[{here or 'integers'}]: codes may not decode. Use that machine, build the compressor "
            "anew, or allow the mismatch by its name, 'backend'."
        )
    return model
