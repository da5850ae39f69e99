"""Training straight from a SeqIO task, and its scores: by the paper's protocol, and exact.

The paper's (3.8, D.4) is of the first 20 batches of the task's validation split, unshuffled:
examples as the model is trained on, each a context by itself, trimmed and padded to the run's
length.

    bits/byte = nats / ids scored / ln 2 * (ids / bytes of the whole split)

Trimmed codes cannot be decoded by every compressor, so no bytes are assigned to the ids that were
scored: the ratio is that of the whole split, in whole examples, and EOS is a byte, as in the paper.
Its bytes are counted in the text from which the task cuts its examples, so that text has to be
there even where the ids come from a cache.

The exact score is of the split's first examples, whole: the same blocks of text for every method,
each compressed and scored by itself, with EOS paid for but no byte.
"""

import functools
import pathlib
from typing import Any

import jax
import numpy as np

from eiw import errors, model_rows, pipeline, remote_object, rows, score_pipeline
from eiw.data import crops, task_batches, task_facts
from eiw.evaluation import baselines, bits_per_byte, document_scores
from eiw.inference import contexts
from eiw.models import decoder
from eiw.training import hosts, programs

_SPLIT = "validation"
# Training batches whose codes are counted for the unigram.
_COUNTED_BATCHES = 100


def open_task(reader: remote_object.RemoteObject) -> task_facts.TaskFacts:
    """Asks a `task_reader.TaskReader` what its task is.

    Raises:
      InputError: it cannot be found, opened or scored.
    """
    return reader.call("facts", _SPLIT)


def train(
    folder: pathlib.Path,
    run: pipeline.ModelRun,
    reader: remote_object.RemoteObject,
    task: task_facts.TaskFacts,
    name: str = "",
    eval_bytes: int = 1_000_000,
    prepared: programs.Programs | None = None,
) -> rows.Row:
    """Trains a model on a task in `folder`, scores it, and returns its row.

    The row's ratio is that of the whole validation split, its bytes of training are its tokens
    times that ratio, its unigram knows the codes of the first 100 batches, and its corpus is named
    by the sha256 of that split's text.

    Args:
      folder: of the run.
      run: the model and how it is trained; its vocabulary becomes the compressor's.
      reader: a `task_reader.TaskReader`.
      task: what `open_task` said of it.
      name: the run's folder.
      eval_bytes: text that is scored whole, at least.
      prepared: of `pipeline.prepare`; of another vocabulary than the compressor's it is left alone.

    Raises:
      InputError: the task cannot be trained on, or crops are asked for.
      KeyboardInterrupt: a signal ended it; the checkpoint is written.
    """
    if run.crops != crops.Crops():
        raise errors.InputError("Crops are cut from token files: a task cuts its own examples.")
    run = run.on(task.vocab_size)
    if prepared is None or prepared.blueprint.model.config != run.model:
        prepared = pipeline.prepare(folder, run)
    source = task_batches.TaskSource(
        reader,
        task.name,
        run.batch_size,
        run.length,
        run.training.seed,
        jax.process_index(),
        jax.process_count(),
    )

    @functools.cache
    def held_out() -> task_facts.HeldOut:
        # At the first score: reading the split would keep the first step waiting.
        examples = score_pipeline.PAPER_BATCHES * run.batch_size
        return reader.call("held_out", _SPLIT, examples, run.length)

    model = decoder.Decoder(run.model)

    def by_paper(params: Any) -> float:
        targets_NT = held_out().targets_NT
        nats_N = bits_per_byte.score_examples(
            model, params, targets_NT, score_pipeline.batch_size()
        )
        loss = float(nats_N.sum()) / np.count_nonzero(targets_NT)
        return bits_per_byte.paper_bits_per_byte(loss, held_out().symbols_per_token)

    result = pipeline.train(
        folder,
        run,
        source,
        by_paper,
        prepared,
        {
            "task": task.name,
            "compressor": task.compressor["name"],
            "compressor_fingerprint": task.fingerprint,
            "length": run.length,
            "batch_size": run.batch_size,
        },
    )
    blocks, block_bytes = reader.call("first_examples", _SPLIT, eval_bytes)
    score = bits_per_byte.score_blocks(
        model,
        result.state.params,
        blocks,
        block_bytes,
        contexts.Contexts(run.length, batch_size=score_pipeline.batch_size()),
        held_out().text.sha256,
    )
    training_ids = reader.call("training_ids", _COUNTED_BATCHES * run.batch_size, run.length)
    if hosts.is_first():
        document_scores.save(folder / "scores", score)
    return rows.Row(
        **pipeline.facts(result),
        **score_pipeline.row_fields(score),
        **model_rows.model_fields(
            run,
            task.compressor,
            task.vocab_size,
            (held_out().tokens, held_out().text.bytes),
            score.bits_per_byte,
        ),
        paper_bits_per_byte=by_paper(result.state.params),
        unigram_bits_per_byte=baselines.unigram_bits_per_byte(
            training_ids, np.concatenate(blocks), task.vocab_size, score.bytes
        ),
        kind="m2",
        method=task.compressor["name"],
        bytes=round(result.tokens * held_out().bytes_per_token),
        run=name,
        corpus_sha256=held_out().text.sha256,
    )
