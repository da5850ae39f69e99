"""Token files: a corpus after one compressor, as ids in a memory map.

    FOLDER/ids.bin          uint16 or uint32, little-endian: document after document, EOS after each
    FOLDER/offsets.npy      int64[documents + 1]; document i with its EOS is ids[offsets[i:i + 2]]
    FOLDER/byte_counts.npy  int64[documents]; raw bytes of each document, without EOS
    FOLDER/tokens.json      counts, sha256 of ids.bin, and what rows say of the compressor

Ids are codes moved past the special ids (`eiw.vocab`); 65,536 codes so need four bytes each.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from eiw import atomic, compressors, errors, progress, vocab

HEADER_NAME = "tokens.json"
_VERSION = 2
# Compressors are called with about this much text at a time: enough rows for those that run a
# network, few enough bytes for any memory.
_GROUP_BYTES = 1 << 20
_GROUP_DOCUMENTS = 1024
# Where M1 runs, a group takes seconds: smaller ones let the progress bar move.
_GROUP_BYTES_OF_M1 = 1 << 17
_COMPRESSOR_FACTS = (
    *("name", "variant", "lossless", "window_bits"),
    *("runs_m1", "m1_fingerprint", "m1_params", "m1_flops"),
)


class TokenFile:
    """An opened token file.

    Attributes:
      folder: that it lies in.
      ids: uint16[tokens] or uint32[tokens], a read-only memory map.
      offsets: int64[documents + 1], where each document begins in `ids`; the last is the end.
      byte_counts: int64[documents], raw bytes of each document, EOS not counted.
      vocab_size: number of codes; ids reach up to `vocab_size + NUM_SPECIAL_IDS - 1`.
      fingerprint: the compressor's.
      sha256: hex digest of the ids as they lie in the file.
      corpus_sha256: hex digest of the corpus that the documents are of, "" where unknown.
      compressor: attributes of the compressor by name, see `Compressor`: name, variant, lossless,
        window_bits, runs_m1, m1_fingerprint, m1_params, m1_flops.
    """

    def __init__(self, folder: pathlib.Path, facts: dict):
        self.folder = folder
        path = folder / "ids.bin"
        dtype = np.dtype(facts["dtype"])
        self.offsets = np.load(folder / "offsets.npy", allow_pickle=False)
        self.byte_counts = np.load(folder / "byte_counts.npy", allow_pickle=False)
        self.vocab_size = int(facts["vocab_size"])
        self.fingerprint = facts["fingerprint"]
        self.sha256 = facts["sha256"]
        self.corpus_sha256 = facts["corpus_sha256"]
        self.compressor = facts["compressor"]
        whole = (
            path.stat().st_size == facts["tokens"] * dtype.itemsize
            and len(self.offsets) == len(self.byte_counts) + 1 == facts["documents"] + 1
            and self.offsets[-1] == facts["tokens"]
        )
        if not whole:
            raise errors.ArtefactError(f"{path} is cut short or was altered: write it again.")
        # An empty file cannot be mapped.
        self.ids = np.memmap(path, dtype, "r") if facts["tokens"] else np.empty(0, dtype)

    @property
    def num_tokens(self) -> int:
        """Ids in the file, the EOS of each document among them."""
        return len(self.ids)

    @property
    def num_documents(self) -> int:
        return len(self.byte_counts)

    @property
    def total_bytes(self) -> int:
        """Raw bytes of all documents: the denominator of bits/byte."""
        return int(self.byte_counts.sum())


def write_tokens(
    folder: str | os.PathLike,
    compressor: compressors.Compressor,
    documents: Iterable[bytes],
    max_tokens: int | None = None,
    *,
    corpus_sha256: str = "",
) -> TokenFile:
    """Encodes `documents` in their order, EOS after each, and returns the opened token file.

    Args:
      folder: takes the place of the tokens that are there, once all is written.
      compressor: encodes; called with batches of documents.
      documents: raw bytes; a `corpus.Split` shows how much is left.
      max_tokens: stop before the document that would pass this many ids, EOS included. Documents
        stay whole, and the first one is written however long it is.
      corpus_sha256: names the corpus that the documents are of, for rows of results.

    Raises:
      InputError: `folder` cannot be written, or holds something else.
      ValueError: the compressor makes a code outside of its own vocabulary.
    """
    folder = pathlib.Path(folder)
    num_ids = compressor.vocab_size + vocab.NUM_SPECIAL_IDS
    dtype = np.dtype("<u2" if num_ids <= 1 << 16 else "<u4")
    digest = hashlib.sha256()
    lengths: list[np.ndarray] = []
    byte_counts: list[int] = []
    num_tokens = 0
    if max_tokens is None:
        total, unit = getattr(documents, "total_bytes", None), "B"
    else:
        total, unit = max_tokens, "tok"
    with atomic.replace_folder(folder, HEADER_NAME) as temporary:
        with (
            (temporary / "ids.bin").open("wb") as file,
            progress.bar(f"Compressing with {compressor.name}", total, unit) as bar,
        ):
            # A code is a byte or more: smaller groups, where few tokens are wanted, end soon after.
            group_bytes = min(
                _GROUP_BYTES_OF_M1 if compressor.runs_m1 else _GROUP_BYTES,
                max_tokens or _GROUP_BYTES,
            )
            for group in _groups(documents, group_bytes):
                codes = compressor.encode_batch(group)
                group_lengths = np.array([len(code) + 1 for code in codes], np.int64)
                kept = len(codes)
                if max_tokens is not None:
                    fits = num_tokens + np.cumsum(group_lengths) <= max_tokens
                    kept = max(int(fits.sum()), 0 if lengths else 1)
                if kept:
                    data = _with_eos(codes[:kept], compressor.vocab_size, dtype).tobytes()
                    digest.update(data)
                    file.write(data)
                    lengths.append(group_lengths[:kept])
                    byte_counts += map(len, group[:kept])
                    num_tokens += int(group_lengths[:kept].sum())
                bar.update(sum(map(len, group)) if unit == "B" else num_tokens - bar.n)
                if kept < len(codes):
                    break
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
        np.save(temporary / "offsets.npy", offsets)
        np.save(temporary / "byte_counts.npy", np.array(byte_counts, np.int64))
        facts = {
            "version": _VERSION,
            "compressor": compressor_facts(compressor),
            "corpus_sha256": corpus_sha256,
            "fingerprint": compressor.fingerprint,
            "vocab_size": compressor.vocab_size,
            "dtype": dtype.str,
            "tokens": num_tokens,
            "documents": len(byte_counts),
            "bytes": sum(byte_counts),
            "sha256": digest.hexdigest(),
        }
        (temporary / HEADER_NAME).write_text(json.dumps(facts, indent=1) + "\n")
    return open_tokens(folder)


def open_tokens(folder: str | os.PathLike, *, expect_fingerprint: str | None = None) -> TokenFile:
    """Opens what `write_tokens` left in `folder`; checks sizes, reads no ids.

    Raises:
      ArtefactError: there is no token file, it is damaged or of another version, or its compressor
        is not the one with `expect_fingerprint`.
    """
    folder = pathlib.Path(folder)
    try:
        facts = json.loads((folder / HEADER_NAME).read_text())
        if facts["version"] != _VERSION:
            raise errors.ArtefactError(
                f"{folder} holds tokens of version {facts['version']}, this eiw reads "
                f"{_VERSION}: write them again."
            )
        tokens = TokenFile(folder, facts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.ArtefactError(f"{folder} holds no tokens: {error.filename} is missing.") from (
            error
        )
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise errors.ArtefactError(
            f"{folder} holds damaged tokens ({error}): write them again."
        ) from error
    if expect_fingerprint not in (None, tokens.fingerprint):
        raise errors.ArtefactError(
            f"{folder} was written by compressor {tokens.fingerprint[:12]}, not by "
            f"{expect_fingerprint[:12]}: write it again."
        )
    return tokens


def compressor_facts(compressor: compressors.Compressor) -> dict:
    """What rows of results say of a compressor, see `TokenFile.compressor`."""
    return {name: getattr(compressor, name) for name in _COMPRESSOR_FACTS}


def _groups(documents: Iterable[bytes], group_bytes: int) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for document in documents:
        group.append(document)
        size += len(document)
        if size >= group_bytes or len(group) == _GROUP_DOCUMENTS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _with_eos(codes: Sequence[np.ndarray], vocab_size: int, dtype: np.dtype) -> np.ndarray:
    """Codes of documents -> their ids end to end, EOS after each: `dtype`[tokens]."""
    flat = np.concatenate(codes)
    if flat.size and not 0 <= flat.min() <= flat.max() < vocab_size:
        # In uint16 such a code would silently become another one.
        raise ValueError(f"code {flat.max()} or {flat.min()} is outside of 0..{vocab_size - 1}")
    is_eos = np.zeros(len(flat) + len(codes), bool)
    is_eos[np.cumsum([len(code) + 1 for code in codes]) - 1] = True
    ids = np.full(len(is_eos), vocab.EOS_ID, dtype)
    ids[~is_eos] = flat + vocab.NUM_SPECIAL_IDS
    return ids
