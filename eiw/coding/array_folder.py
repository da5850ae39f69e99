"""A folder with a JSON header and arrays, that notices when it was damaged or is another's.

    HEADER.json   {"kind", "format_version", "config", "fingerprint", "sha256": {"arrays.npz": ..}}
    arrays.npz    numpy's own format, read without pickle

The fingerprint covers kind, version, config and every array's name, dtype, shape and content, not
the bytes of the file: it is known before anything is saved and survives another numpy or zlib.
"""

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from eiw import errors

ARRAYS_NAME = "arrays.npz"
_FIELDS = {"kind": str, "format_version": int, "config": dict, "fingerprint": str, "sha256": dict}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What such a folder holds: a kind's `config` (JSON values only) and its `arrays`."""

    kind: str
    format_version: int
    config: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def fingerprint(self) -> str:
        """sha256 of all of it, as 64 hex digits."""
        header = [self.kind, self.format_version, self.config]
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for name, array in sorted(self.arrays.items()):
            digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def write_contents(folder: pathlib.Path, header_name: str, contents: Contents) -> None:
    """Writes `contents` into a folder that exists, which the caller renames into place."""
    arrays_path = folder / ARRAYS_NAME
    np.savez_compressed(arrays_path, **contents.arrays)
    header = {
        "kind": contents.kind,
        "format_version": contents.format_version,
        "config": contents.config,
        "fingerprint": contents.fingerprint,
        "sha256": {ARRAYS_NAME: hashlib.sha256(arrays_path.read_bytes()).hexdigest()},
    }
    (folder / header_name).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")


def read_header(folder: pathlib.Path, header_name: str) -> Mapping[str, Any]:
    """The header of a folder: at least a `kind`, a string; nothing else is checked.

    Raises:
      ArtefactError: it is missing, cannot be read, is no JSON, or names no kind.
    """
    path = folder / header_name
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.ArtefactError(
            f"{folder} has no {header_name}: give the folder that eiw wrote."
        ) from error
    except OSError as error:
        raise errors.ArtefactError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise errors.ArtefactError(
            f"{path} is damaged and cannot be read as JSON: restore it or build it anew."
        ) from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise errors.ArtefactError(f"{path} was not written by eiw: it names no kind.")
    return header


def read_contents(folder: pathlib.Path, header_name: str, format_version: int) -> Contents:
    """Reads a folder back and checks every part of it.

    Raises:
      ArtefactError: something is missing, truncated, altered, or of another format version.
    """
    header = read_header(folder, header_name)
    if not all(isinstance(header.get(name), kind) for name, kind in _FIELDS.items()):
        raise errors.ArtefactError(
            f"{folder / header_name} was not written by eiw: it lacks one of {', '.join(_FIELDS)}."
        )
    if header["format_version"] != format_version:
        raise errors.ArtefactError(
            f"{folder} has format version {header['format_version']}, this eiw reads version "
            f"{format_version}: build it anew, or use the eiw that made it."
        )
    contents = Contents(
        header["kind"], format_version, header["config"], _read_arrays(folder, header["sha256"])
    )
    if contents.fingerprint != header["fingerprint"]:
        raise errors.ArtefactError(
            f"{folder / header_name} was altered after it was written: restore it or build it anew."
        )
    return contents


def _read_arrays(folder: pathlib.Path, sha256: Mapping[str, str]) -> dict[str, np.ndarray]:
    path = folder / ARRAYS_NAME
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256.get(ARRAYS_NAME):
            raise errors.ArtefactError(
                f"{path} is truncated or altered (its sha256 is not the header's): "
                "restore it or build it anew."
            )
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise errors.ArtefactError(
            f"{path} cannot be read: restore it or build it anew."
        ) from error
