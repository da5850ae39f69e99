"""A corpus on disk: the documents of each split end to end in one file, and where each one ends.

    FOLDER/corpus.json                source, and per split: documents, bytes, sha256
    FOLDER/train.bytes                uint8, document after document, nothing between them
    FOLDER/train.offsets.npy          int64[documents + 1]; document i is bytes offsets[i:i + 2]
    FOLDER/validation.*, FOLDER/test.*

Writing streams, reading maps the files into memory: neither needs the corpus in RAM.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from eiw import atomic, errors
from eiw.data import permutation

SPLITS = ("train", "validation", "test")

HEADER_NAME = "corpus.json"
_VERSION = 1
# Documents are joined up to this many bytes before they are hashed and written.
_BUFFER_BYTES = 1 << 20


class Split(Sequence[bytes]):
    """The documents of one split, read from a memory map one at a time.

    Attributes:
      offsets: int64[documents + 1], the byte at which each document begins; the last is the end.
      data: uint8[total_bytes], all documents end to end (a read-only memory map).
      sha256: hex digest of `data`.
    """

    def __init__(self, folder: pathlib.Path, split: str, facts: dict):
        path = folder / f"{split}.bytes"
        self.offsets = np.load(folder / f"{split}.offsets.npy", allow_pickle=False)
        self.sha256 = facts["sha256"]
        size = path.stat().st_size
        if len(self.offsets) != facts["documents"] + 1 or not (
            self.offsets[-1] == facts["bytes"] == size
        ):
            raise errors.ArtefactError(
                f"{path} is cut short or was altered ({size} bytes where {facts['bytes']} were "
                "written): write the corpus again."
            )
        # An empty file cannot be mapped.
        self.data = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)

    @property
    def total_bytes(self) -> int:
        """Bytes of all documents together; EOS is not counted, it is not in the corpus."""
        return int(self.offsets[-1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        index %= len(self)
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def sample(self, num_bytes: int) -> Iterator[bytes]:
        """Whole documents from all over the split, at least one, until `num_bytes` are reached.

        Always the same ones in the same order; documents of one source lie side by side in a
        split, so that its beginning would be no sample.
        """
        taken = 0
        for index in permutation.permute(np.arange(len(self)), len(self), (0,)):
            if taken >= max(1, num_bytes):
                return
            document = self[int(index)]
            taken += len(document)
            yield document


class Corpus:
    """An opened corpus: `corpus["train"]` is a `Split`.

    Attributes:
      folder: where it lies.
      source: what it was made from, in words.
      sha256: hex digest over the splits' digests; names the text in every result.
    """

    def __init__(self, folder: pathlib.Path, facts: dict):
        self.folder = folder
        self.source = facts["source"]
        self.sha256 = facts["sha256"]
        self._splits = {split: Split(folder, split, facts["splits"][split]) for split in SPLITS}

    def __getitem__(self, split: str) -> Split:
        if split not in self._splits:
            raise errors.InputError(f"No split {split!r}: choose one of {', '.join(SPLITS)}.")
        return self._splits[split]


def write_corpus(
    folder: str | os.PathLike, documents: Iterable[tuple[str, bytes]], source: str = ""
) -> Corpus:
    """Writes `documents`, pairs of (split, text), in their order; returns the opened corpus.

    Raises:
      InputError: a split received no document, or the folder holds something else than a corpus.
      ValueError: a document names an unknown split.
    """
    folder = pathlib.Path(folder)
    with atomic.replace_folder(folder, HEADER_NAME) as temporary:
        with contextlib.ExitStack() as stack:
            writers = {
                split: stack.enter_context(_SplitWriter(temporary / f"{split}.bytes"))
                for split in SPLITS
            }
            for split, document in documents:
                if split not in writers:
                    raise ValueError(f"unknown split {split!r}")
                writers[split].add(document)
        facts = {}
        for split, writer in writers.items():
            offsets = np.frombuffer(writer.offsets, np.int64)
            np.save(temporary / f"{split}.offsets.npy", offsets)
            facts[split] = {
                "documents": len(offsets) - 1,
                "bytes": int(offsets[-1]),
                "sha256": writer.digest.hexdigest(),
            }
        for split in SPLITS:
            if not facts[split]["documents"]:
                raise errors.InputError(
                    f"The {split} split is empty "
                    f"({sum(fact['documents'] for fact in facts.values())} documents in all): "
                    "give more text."
                )
        # Offsets are hashed too: the same bytes cut elsewhere are another corpus.
        whole = hashlib.sha256()
        for split in SPLITS:
            whole.update(facts[split]["sha256"].encode())
            whole.update(bytes(writers[split].offsets))
        description = {
            "version": _VERSION,
            "source": source,
            "sha256": whole.hexdigest(),
            "splits": facts,
        }
        (temporary / HEADER_NAME).write_text(json.dumps(description, indent=1) + "\n")
    return open_corpus(folder)


def open_corpus(folder: str | os.PathLike) -> Corpus:
    """Opens what `write_corpus` left in `folder`; checks sizes, reads no text.

    Raises:
      ArtefactError: there is no corpus, or it is damaged or of another version.
    """
    folder = pathlib.Path(folder)
    try:
        facts = json.loads((folder / HEADER_NAME).read_text())
        if facts["version"] != _VERSION:
            raise errors.ArtefactError(
                f"{folder} holds a corpus of version {facts['version']}, this eiw reads "
                f"{_VERSION}: write it again."
            )
        return Corpus(folder, facts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.ArtefactError(f"{folder} holds no corpus: {error.filename} is missing.") from (
            error
        )
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise errors.ArtefactError(
            f"{folder} holds a damaged corpus ({error}): write it again."
        ) from error


class _SplitWriter:
    """Appends documents to one file; hashing and writing go in large pieces."""

    def __init__(self, path: pathlib.Path):
        self._file = path.open("wb", buffering=0)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.digest = hashlib.sha256()
        self.offsets = array("q", [0])

    def add(self, document: bytes) -> None:
        self._pending.append(document)
        self._pending_bytes += len(document)
        self.offsets.append(self.offsets[-1] + len(document))
        if self._pending_bytes >= _BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self.digest.update(data)
        self._file.write(data)
        self._pending, self._pending_bytes = [], 0

    def __enter__(self) -> "_SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.close()
