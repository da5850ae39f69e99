"""A model's scores on token files, exact and by the paper's protocol, kept beside the model."""

import os
import pathlib
from typing import Any

import jax

from eiw.data import token_files
from eiw.evaluation import bits_per_byte, document_scores
from eiw.inference import contexts
from eiw.models import decoder
from eiw.training import hosts

# Contexts scored together on a device; of no influence on the result.
_BATCH = 8
# The paper's (D.4), of the examples of a step.
PAPER_BATCHES = 20


def batch_size() -> int:
    """Contexts that are scored together."""
    return _BATCH * jax.device_count()


def exact(
    scores: str | os.PathLike,
    model: decoder.Decoder,
    params: Any,
    test: token_files.TokenFile,
    length: int,
    stride: int | None = None,
) -> document_scores.Score:
    """Scores whole documents, and writes what each of them costs.

    Args:
      scores: folder that gets the file, of the first host alone.
      model: the network.
      params: its parameters.
      test: the documents.
      length: ids of a context.
      stride: ids that each scores; None: contexts one after another.

    Raises:
      InputError: see `bits_per_byte.score`, or a stride that is no part of a context.
    """
    settings = contexts.Contexts(length, stride, batch_size())
    score = bits_per_byte.score(model, params, test, settings)
    if hosts.is_first():
        document_scores.save(scores, score)
    return score


def by_paper(
    model: decoder.Decoder,
    params: Any,
    validation: token_files.TokenFile,
    length: int,
    examples_a_batch: int,
) -> float | None:
    """The paper's bits/byte, of 20 batches of validation; None where there is no such text.

    Args:
      model: the network.
      params: its parameters.
      validation: the split.
      length: ids of an example.
      examples_a_batch: those of a training step.
    """
    if not validation.total_bytes:
        return None
    settings = contexts.Contexts(length, batch_size=batch_size())
    return bits_per_byte.paper_score(
        model, params, validation, settings, PAPER_BATCHES * examples_a_batch
    )


def after_training(
    run_dir: pathlib.Path,
    model: decoder.Decoder,
    params: Any,
    validation: token_files.TokenFile,
    test: token_files.TokenFile,
    length: int,
    examples_a_batch: int,
    stride: int | None,
) -> dict[str, Any]:
    """Scores a model that has just been trained: those fields of its row that are scores.

    Args:
      run_dir: gets the documents' scores in `scores/`.
      model: the network.
      params: its parameters.
      validation: for the paper's protocol.
      test: whole documents.
      length: ids of a context.
      examples_a_batch: those of a training step.
      stride: where not None, the documents are also scored by contexts that slide by so many ids.
    """
    score = exact(run_dir / "scores", model, params, test, length)
    if stride is not None:
        exact(run_dir / "scores", model, params, test, length, stride)
    paper = by_paper(model, params, validation, length, examples_a_batch)
    return row_fields(score) | {"paper_bits_per_byte": paper}


def row_fields(score: document_scores.Score) -> dict[str, Any]:
    """Those fields of a row that an exact score gives."""
    return {
        "loss_nats": score.nats / score.tokens,
        "bits_per_byte": score.bits_per_byte,
        "standard_error": score.standard_error,
        "eval_bytes": score.bytes,
        "eval_tokens": score.tokens,
    }
