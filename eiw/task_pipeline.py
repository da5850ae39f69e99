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

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import seqio

from eiw import compressors, errors, model_rows, pipeline, rows, score_pipeline
from eiw.data import crops, seqio_batches, task_text, token_files
from eiw.evaluation import baselines, bits_per_byte, document_scores
from eiw.inference import contexts
from eiw.models import decoder
from eiw.training import hosts, programs

_SPLIT = "validation"
# Training batches whose codes are counted for the unigram.
_COUNTED_BATCHES = 100


@dataclasses.dataclass(frozen=True)
class TaskData:
    """A SeqIO task, opened.

    Attributes:
      name: of the task.
      compressor: behind its vocabulary.
      use_cached: whether its ids come from an offline cache.
    """

    name: str
    compressor: compressors.Compressor
    use_cached: bool


def open_task(
    name: str,
    use_cached: bool = False,
    cache_dirs: Sequence[str] = (),
    tfds_data_dir: str | None = None,
) -> TaskData:
    """Looks up a registered task and loads its compressor.

    Args:
      name: of the task; its module is imported.
      use_cached: read the ids from its offline cache.
      cache_dirs: where caches are looked for, besides those that SeqIO knows.
      tfds_data_dir: where TFDS has its data; default: TFDS's own choice.

    Raises:
      InputError: there is no such task or no such cache, its compressor is missing, or it cannot be
        scored.
    """
    if tfds_data_dir is not None:
        seqio.set_tfds_data_dir_override(tfds_data_dir)
    task = task_text.find(name)
    task_text.check_scorable(task, _SPLIT)
    seqio.add_global_cache_dirs(list(cache_dirs))
    if use_cached and not task.cache_dir:
        raise errors.InputError(
            f"{name} is in none of the caches {seqio.get_global_cache_dirs()}: make it by "
            "`eiw compress --tasks`, and say where by --cache_dirs."
        )
    return TaskData(name, task.output_features["targets"].vocabulary.compressor, use_cached)


def train(
    folder: pathlib.Path,
    run: pipeline.ModelRun,
    data: TaskData,
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
      data: the task.
      name: the run's folder.
      eval_bytes: text that is scored whole, at least.
      prepared: of `pipeline.prepare`; of another vocabulary than the compressor's it is left alone.

    Raises:
      InputError: the task cannot be trained on, or crops are asked for.
      KeyboardInterrupt: a signal ended it; the checkpoint is written.
    """
    if run.crops != crops.Crops():
        raise errors.InputError("Crops are cut from token files: a task cuts its own examples.")
    run = run.on(data.compressor.vocab_size)
    if prepared is None or prepared.blueprint.model.config != run.model:
        prepared = pipeline.prepare(folder, run)
    source = seqio_batches.SeqioSource(
        data.name,
        run.batch_size,
        run.length,
        run.training.seed,
        jax.process_index(),
        jax.process_count(),
        use_cached=data.use_cached,
    )

    @functools.cache
    def held_out() -> task_text.HeldOut:
        # At the first score: reading the split would keep the first step waiting.
        examples = score_pipeline.PAPER_BATCHES * run.batch_size
        return task_text.held_out(
            task_text.find(data.name), _SPLIT, examples, run.length, data.use_cached
        )

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
            "task": data.name,
            "compressor": data.compressor.name,
            "compressor_fingerprint": data.compressor.fingerprint,
            "length": run.length,
            "batch_size": run.batch_size,
        },
    )
    blocks, block_bytes = task_text.first_examples(task_text.find(data.name), _SPLIT, eval_bytes)
    score = bits_per_byte.score_blocks(
        model,
        result.state.params,
        blocks,
        block_bytes,
        contexts.Contexts(run.length, batch_size=score_pipeline.batch_size()),
        held_out().text.sha256,
    )
    training_ids = task_text.training_ids(
        task_text.find(data.name), _COUNTED_BATCHES * run.batch_size, run.length, data.use_cached
    )
    if hosts.is_first():
        document_scores.save(folder / "scores", score)
    return rows.Row(
        **pipeline.facts(result),
        **score_pipeline.row_fields(score),
        **model_rows.model_fields(
            run,
            token_files.compressor_facts(data.compressor),
            data.compressor.vocab_size,
            (held_out().tokens, held_out().text.bytes),
            score.bits_per_byte,
        ),
        paper_bits_per_byte=by_paper(result.state.params),
        unigram_bits_per_byte=baselines.unigram_bits_per_byte(
            training_ids, np.concatenate(blocks), data.compressor.vocab_size, score.bytes
        ),
        kind="m2",
        method=data.compressor.name,
        bytes=round(result.tokens * held_out().bytes_per_token),
        run=name,
        corpus_sha256=held_out().text.sha256,
    )
