"""Bits/byte of a decoder on held-out text, exact and by the paper's protocol (3.8, D.4).

Exact: the documents' ids, EOS after each, are one stream, as in training, of which every id is
scored once (`inference.contexts`). Sums of nats and of bytes are kept apart, for each document, and
divided last. The paper scores a fixed number of examples, whatever text they hold, and divides by
the compression ratio of all of the split.
"""

import math
from collections.abc import Sequence

import numpy as np

from eiw import errors, progress, vocab
from eiw.data import token_files
from eiw.evaluation import document_scores
from eiw.inference import contexts as contexts_lib
from eiw.models import decoder

_NOT_FINITE = "The model's nats are not finite: its training diverged."


def score(
    model: decoder.Decoder,
    params: dict,
    token_file: token_files.TokenFile,
    contexts: contexts_lib.Contexts,
) -> document_scores.Score:
    """Scores every document of `token_file`.

    Args:
      model: its `config.vocab_size` ids are what probability is spread over.
      params: the model's "params" collection, on host or device, sharded or not.
      token_file: whole documents.
      contexts: how their stream is cut.

    Raises:
      InputError: no bytes to divide by, another number of ids than the model's, or nats that are
        not finite.
    """
    _check_ids(model, token_file)
    offsets, document_bytes = token_file.offsets, token_file.byte_counts
    if not document_bytes.sum():
        raise errors.InputError("Nothing to score: the held-out documents have no bytes.")

    document_nats = np.zeros(len(document_bytes), np.float64)
    start = 0
    with progress.bar("Score", total=token_file.num_tokens, unit="tok") as bar:
        for nats in contexts_lib.stream_nats(model, params, token_file.ids, contexts):
            positions = np.arange(start, start + len(nats))
            owners = np.searchsorted(offsets, positions, side="right") - 1
            document_nats += np.bincount(owners, nats, minlength=len(document_nats))
            start += len(nats)
            bar.update(len(nats))
    if not np.isfinite(document_nats).all():
        raise errors.InputError(_NOT_FINITE)
    return document_scores.Score(
        document_nats,
        np.diff(offsets),
        document_bytes,
        token_file.corpus_sha256,
        contexts.length,
        contexts.scored,
    )


def score_blocks(
    model: decoder.Decoder,
    params: dict,
    blocks: Sequence[np.ndarray],
    block_bytes: np.ndarray,
    contexts: contexts_lib.Contexts,
    corpus_sha256: str,
) -> document_scores.Score:
    """Scores blocks of text, each of which begins with a context of its own.

    So are a SeqIO task's examples trained on: what stands before a block is never seen.

    Args:
      model: the network.
      params: as of `score`.
      blocks: int[n] ids of each, whole.
      block_bytes: int64[blocks], bytes of the raw text of each, without EOS.
      contexts: their length; they stand one after another in a block.
      corpus_sha256: names the text.

    Raises:
      InputError: no bytes to divide by, or nats that are not finite.
    """
    if not block_bytes.sum():
        raise errors.InputError("Nothing to score: the held-out text has no bytes.")
    rows = [_in_rows(ids, contexts.length) for ids in blocks]
    nats_N = score_examples(model, params, np.concatenate(rows), contexts.batch_size)
    owners_N = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return document_scores.Score(
        np.bincount(owners_N, nats_N, minlength=len(rows)),
        np.array([len(ids) for ids in blocks], np.int64),
        block_bytes,
        corpus_sha256,
        contexts.length,
        contexts.length,
    )


def score_examples(
    model: decoder.Decoder, params: dict, targets_NT: np.ndarray, batch_size: int
) -> np.ndarray:
    """Nats of examples that are contexts by themselves, float64[N]; padding costs none.

    Args:
      model: the network.
      params: as of `score`.
      targets_NT: int32[N, T], padded at their ends.
      batch_size: examples scored together; changes nothing but speed and memory.

    Raises:
      InputError: the nats are not finite.
    """
    count, length = targets_NT.shape
    nats = np.zeros(count * length, np.float64)
    start = 0
    with progress.bar("Score", total=nats.size, unit="tok") as bar:
        contexts = contexts_lib.Contexts(length, batch_size=batch_size)
        for part in contexts_lib.stream_nats(model, params, targets_NT.reshape(-1), contexts):
            nats[start : start + len(part)] = part
            start += len(part)
            bar.update(len(part))
    nats_N = np.where(targets_NT != vocab.PAD_ID, nats.reshape(count, length), 0).sum(axis=1)
    if not np.isfinite(nats_N).all():
        raise errors.InputError(_NOT_FINITE)
    return nats_N


def paper_score(
    model: decoder.Decoder,
    params: dict,
    token_file: token_files.TokenFile,
    contexts: contexts_lib.Contexts,
    max_examples: int,
) -> float:
    """The paper's bits/byte: of the first examples of a split, by the ratio of all of it.

    Args:
      model: the network.
      params: as of `score`.
      token_file: the split; its examples are those of training, in their order.
      contexts: their length; they stand one after another, whatever the stride.
      max_examples: how many; all, where there are fewer.

    Raises:
      InputError: no bytes to divide by, another number of ids than the model's, or nats that are
        not finite.
    """
    _check_ids(model, token_file)
    if not token_file.total_bytes:
        raise errors.InputError("Nothing to score: the held-out documents have no bytes.")
    ids = token_file.ids[: max_examples * contexts.length]
    targets_NT = _in_rows(ids, contexts.length)
    nats = score_examples(model, params, targets_NT, contexts.batch_size).sum()
    # The paper's EOS is a byte like others.
    num_bytes = token_file.total_bytes + token_file.num_documents
    return paper_bits_per_byte(float(nats) / len(ids), num_bytes / token_file.num_tokens)


def paper_bits_per_byte(loss_nats_per_token: float, bytes_per_token: float) -> float:
    """The paper's formula (3.8): tokens/bytes * nats / ln 2.

    Args:
      loss_nats_per_token: over the ids that were scored.
      bytes_per_token: of the whole split, EOS counted as a byte.
    """
    return loss_nats_per_token / bytes_per_token / math.log(2)


def _in_rows(ids: np.ndarray, length: int) -> np.ndarray:
    """int[n] ids -> int32[N, length], one after another, the last row padded."""
    padding = -len(ids) % length
    return np.pad(np.asarray(ids, np.int32), (0, padding)).reshape(-1, length)


def _check_ids(model: decoder.Decoder, token_file: token_files.TokenFile) -> None:
    num_ids = token_file.vocab_size + vocab.NUM_SPECIAL_IDS
    if num_ids != model.config.vocab_size:
        raise errors.InputError(
            f"The text has {num_ids} ids, the model {model.config.vocab_size}: it was trained on "
            "another compressor's codes."
        )
