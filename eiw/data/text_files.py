"""Documents out of text files: plain text or JSONL, each also as .gz or .xz, chosen by a glob.

Files are streamed line by line or block by block, so an archive of any size needs little memory.
"""

import contextlib
import glob
import gzip
import hashlib
import io
import itertools
import json
import lzma
import os
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from eiw import errors, progress

# A plain text file has no documents of its own: it is cut into pieces of at most this many bytes.
MAX_TEXT_BYTES = 64 * 1024

# Both read lines slowly by themselves; behind a buffer they are bound by unpacking.
_UNPACK = {
    ".gz": lambda raw: io.BufferedReader(gzip.GzipFile(fileobj=raw), MAX_TEXT_BYTES),
    ".xz": lambda raw: io.BufferedReader(lzma.LZMAFile(raw), MAX_TEXT_BYTES),  # noqa: SIM115
}

# Out of 2**64 hash values: 1% validation, the next 1% test.
_ONE_PERCENT = 2**64 // 100
# So many are looked at before any split is decided: with 1,000 documents a split is practically
# never empty (0.99**1000 = 4e-5); with fewer, the splits are cut by rank.
_SAMPLE_DOCUMENTS = 1000


def text_documents(pattern: str, *, show_progress: bool = True) -> Iterator[tuple[str, bytes]]:
    """Yields (split, document) for all files that match `pattern`, in the order of their names.

    A line of a `.jsonl` file is a document: its field "text", as UTF-8. Any other file is plain
    text, in any encoding, and is cut into documents of at most 64 KiB that end where lines end
    (a longer line is cut too). `.gz` and `.xz` are unpacked on the way. Empty documents are left
    out.

    The split is decided by a hash of the document: about 1% validation and 1% test, the same
    whatever the other documents and files are, and two copies of a text never part. Of fewer than
    1,000 documents the hundredth with the lowest hashes is validation and the next one test, at
    least one document each, so that small texts work too.

    Args:
      pattern: a path or glob, `**` matches folders of any depth; `~` is the home folder.
      show_progress: whether to show a bar; it counts bytes as they lie on disk.

    Raises:
      InputError: nothing matches, a file cannot be read or is corrupt, a JSONL line has no "text",
        or there are fewer than three documents.
    """
    paths = matching_files(pattern)
    # Read again later, not kept: a thousand documents can be more than memory holds.
    first = _all_documents(paths, _unseen)
    hashes = [_hash(document) for document in itertools.islice(first, _SAMPLE_DOCUMENTS)]
    is_many = len(hashes) == _SAMPLE_DOCUMENTS
    split_of = _split_by_hash if is_many else _split_by_rank(pattern, hashes)
    size = sum(path.stat().st_size for path in paths)
    with contextlib.ExitStack() as stack:
        advance = _unseen
        if show_progress:
            advance = stack.enter_context(progress.bar("Reading text", size, unit="B")).update
        for document in _all_documents(paths, advance):
            yield split_of(_hash(document)), document


def documents(pattern: str) -> Iterator[bytes]:
    """Yields the documents of `text_documents`, however few there are, and no splits.

    Raises:
      InputError: nothing matches, a file cannot be read or is corrupt, or a JSONL line has no
        "text".
    """
    return _all_documents(matching_files(pattern), _unseen)


def _hash(document: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(document, digest_size=8).digest(), "big")


def _split_by_hash(value: int) -> str:
    if value < _ONE_PERCENT:
        return "validation"
    return "test" if value < 2 * _ONE_PERCENT else "train"


def _split_by_rank(pattern: str, values: list[int]) -> Callable[[int], str]:
    """The split of each hash, of which these are all."""
    hashes = sorted(set(values))
    if len(hashes) < 3:
        raise errors.InputError(
            f"{pattern!r} gives {len(hashes)} different document(s), but train, validation and "
            "test need at least one each: give more text."
        )
    share = max(1, round(len(hashes) / 100))

    def split_of(value: int) -> str:
        if value < hashes[share]:
            return "validation"
        return "test" if value < hashes[2 * share] else "train"

    return split_of


def matching_files(pattern: str) -> list[pathlib.Path]:
    """The files of a path or glob, sorted by name.

    Raises:
      InputError: there is none.
    """
    expanded = os.path.expanduser(pattern)  # noqa: PTH111, a pattern is no path
    # glob's own order is the file system's.
    paths = sorted(pathlib.Path(name) for name in glob.glob(expanded, recursive=True))  # noqa: PTH207
    folders = [path for path in paths if path.is_dir()]
    paths = [path for path in paths if path.is_file()]
    if folders and not paths:
        raise errors.InputError(
            f"{folders[0]} is a folder: give a glob of its files, '{folders[0]}/*.txt'."
        )
    if not paths:
        raise errors.InputError(f"No file matches {pattern!r}: check the path or the glob.")
    return paths


def _unseen(count: int) -> None:
    """Progress that nobody is shown."""


def _all_documents(paths: list[pathlib.Path], advance: Callable[[int], object]) -> Iterator[bytes]:
    for path in paths:
        try:
            with path.open("rb") as raw, _UNPACK.get(path.suffix, lambda raw: raw)(raw) as file:
                is_jsonl = path.name.removesuffix(".gz").removesuffix(".xz").endswith(".jsonl")
                reader = _jsonl_documents if is_jsonl else _plain_documents
                position = 0
                for document in reader(file, path):
                    if document:
                        yield document
                    advance(raw.tell() - position)
                    position = raw.tell()
        except (lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise errors.InputError(f"{path} is no whole {path.suffix} archive: {error}") from error
        except OSError as error:
            raise errors.InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _jsonl_documents(file: BinaryIO, path: pathlib.Path) -> Iterator[bytes]:
    for number, line in enumerate(file, start=1):
        if line.isspace():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:  # also UnicodeDecodeError
            raise errors.InputError(f"{path}, line {number}: no JSON: {error}") from error
        text = record.get("text") if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise errors.InputError(f'{path}, line {number}: no field "text" that is a string.')
        # JSON can hold half a surrogate pair, which is no UTF-8; it keeps its three bytes.
        yield text.encode("utf-8", "surrogatepass")


def _plain_documents(file: BinaryIO, path: pathlib.Path) -> Iterator[bytes]:
    del path  # no line of plain text can be wrong
    rest = b""
    while block := file.read(MAX_TEXT_BYTES - len(rest)):
        rest += block
        if len(rest) == MAX_TEXT_BYTES:
            end = rest.rfind(b"\n") + 1 or len(rest)
            yield rest[:end]
            rest = rest[end:]
    yield rest
