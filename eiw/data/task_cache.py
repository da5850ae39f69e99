"""Tasks compressed offline: SeqIO's own cached-task files, made by a pool of processes.

    CACHE/TASK/SPLIT.tfrecord-00003-of-00064   examples, as tf.train.Example
               info.SPLIT.json                 number of shards, features' shapes and dtypes
               stats.SPLIT.json                counts of examples and tokens
               eiw_cache.json                  which compressor, text and shards: our own
               COMPLETED                       written last: SeqIO looks for nothing else

This process reads the text and cuts it into examples; the workers only compress. So the examples
are those of the task used online, their place depends on the number of shards alone, and sources
that cannot be divided (one text file, documents of this installation) are compressed in parallel
all the same. Shards are written in their order, each whole or not at all, and one that is recorded
is not made again.
"""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import pathlib
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import process

import numpy as np
import seqio
import tensorflow as tf

from eiw import atomic, cpus, errors, progress, vocab
from eiw.data import cache_record, preprocessors, task_text, vocabularies

# What is sent to a worker at once: the rows that a network is run with.
_EXAMPLES_AT_ONCE = 64
# Batches under way for each worker: the next one waits when it is done with one.
_BATCHES_AHEAD = 2

# The vocabulary of a worker process, loaded once.
_worker_vocabulary: vocabularies.CompressorVocabulary


def cache_task(
    name: str,
    cache_dir: str | os.PathLike,
    *,
    num_shards: int = 64,
    workers: int | None = None,
    overwrite: bool = False,
    tfds_data_dir: str | None = None,
) -> dict[str, dict[str, int]]:
    """Writes the cache of a registered task, or what is still missing of it.

    Args:
      name: of a task whose last step before the cache is `preprocessors.compress`.
      cache_dir: folder for the caches of any number of tasks, what SeqIO's `--cache_dir` names.
      num_shards: files a split, at most one for each example. SeqIO shuffles whole files, and needs
        at least one for each host that reads.
      workers: processes; default: one for each CPU.
      overwrite: delete what is there first.
      tfds_data_dir: where TFDS has its data; default: TFDS's own choice.

    Returns:
      For each split what stats.SPLIT.json says: examples, targets_tokens (EOS not counted, as SeqIO
      has it) and targets_max_tokens.

    Raises:
      InputError: there is no such task, or it cannot be cached here; its compressor or its text is
        missing; the folder holds something else, or a cache of other text or another compressor.
    """
    if "://" in str(cache_dir):
        raise errors.InputError(
            f"{cache_dir} is no local folder: compress into one and copy it, or use Beam."
        )
    if num_shards < 1:
        raise errors.InputError(f"num_shards={num_shards} must be at least 1.")
    if tfds_data_dir is not None:
        seqio.set_tfds_data_dir_override(tfds_data_dir)
    task = _task(name)
    folder = pathlib.Path(cache_dir) / seqio.get_task_dir_from_name(name)
    vocabulary = task.output_features["targets"].vocabulary
    if overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    record = cache_record.CacheRecord(folder, name, vocabulary.compressor.fingerprint, num_shards)
    if (folder / "COMPLETED").exists():
        return {split: record.stats(split) for split in task.splits}
    # A killed run leaves them, and SeqIO would take them for shards.
    for abandoned in folder.glob("*.tmp-*"):
        abandoned.unlink()
    for split in task.splits:
        text = task_text.measure(task, split)
        record.begin(split, text.examples, text.sha256)
    with _Pool(workers or cpus.visible(), vocabulary) as pool:
        for split in task.splits:
            _write_shards(task, split, record, pool)
    for split in task.splits:
        for path, content in (
            (seqio.get_cached_info_path(folder, split), record.info(split)),
            (seqio.get_cached_stats_path(folder, split), record.stats(split)),
        ):
            cache_record.write_json(pathlib.Path(path), content)
    with atomic.replace_file(folder / "COMPLETED") as temporary:
        temporary.touch()
    return {split: record.stats(split) for split in task.splits}


class _Pool:
    """Worker processes that compress batches of examples; results come in the order of the work."""

    def __init__(self, workers: int, vocabulary: vocabularies.CompressorVocabulary):
        self._ahead = workers * _BATCHES_AHEAD
        # A fork of a process that runs TensorFlow's threads may hang.
        self._executor = concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (vocabulary,)
        )

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def encode(
        self, batches: Iterable[list[np.ndarray]]
    ) -> Iterator[tuple[list[bytes], list[int]]]:
        """Symbols of some examples -> their records, and their counts of tokens."""
        waiting: collections.deque[concurrent.futures.Future] = collections.deque()
        try:
            for batch in batches:
                waiting.append(self._executor.submit(_encode, batch))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            for future in waiting:
                yield future.result()
        except process.BrokenProcessPool as error:
            raise errors.InputError(
                "A worker was killed, probably for want of memory: run it again with fewer "
                "--workers; finished shards are kept."
            ) from error


def _start_worker(vocabulary: vocabularies.CompressorVocabulary) -> None:
    global _worker_vocabulary
    _worker_vocabulary = vocabulary
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Of a killed parent a worker hears nothing: it would wait for work, and keep its memory."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode(examples: list[np.ndarray]) -> tuple[list[bytes], list[int]]:
    """In a worker: the record of each example, and how many of its ids are codes."""
    all_ids = _worker_vocabulary.encode_symbol_batch(examples)
    counts = [int(np.sum((ids != vocab.EOS_ID) & (ids != vocab.PAD_ID))) for ids in all_ids]
    return [_tf_example(ids).SerializeToString(deterministic=True) for ids in all_ids], counts


def _tf_example(ids: np.ndarray) -> tf.train.Example:
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=ids))
    return tf.train.Example(features=tf.train.Features(feature={"targets": feature}))


def _task(name: str) -> seqio.Task:
    task = task_text.find(name)
    # What is cached has to come straight from the compression.
    if not any(
        step is preprocessors.compress and isinstance(after, seqio.CacheDatasetPlaceholder)
        for step, after in itertools.pairwise(task.preprocessors)
    ):
        raise errors.InputError(
            f"{name} does not end in `preprocessors.compress` before its cache: cache it by Beam."
        )
    return task


def _write_shards(
    task: seqio.Task, split: str, record: cache_record.CacheRecord, pool: _Pool
) -> None:
    """Writes the shards that are missing, one after the other."""
    shards = record.shards(split)
    missing = [number for number in range(len(shards)) if not record.is_done(split, number)]
    total = shards[-1][2]
    with progress.bar(f"Compressing {task.name} {split}", total, unit=" examples") as bar:
        bar.update(total - sum(shards[number][2] - shards[number][1] for number in missing))
        if not missing:
            return
        encoded = pool.encode(_batches(task_text.symbols(task, split), shards, missing))
        for number in missing:
            path, first, end = shards[number]
            token_counts = _write_shard(path, encoded, end - first, bar.update)
            record.done(split, number, token_counts)


def _batches(
    examples: Iterator[np.ndarray],
    shards: list[tuple[pathlib.Path, int, int]],
    missing: list[int],
) -> Iterator[list[np.ndarray]]:
    """The examples of the missing shards, in their order; no batch is of two shards."""
    position = 0
    for number in missing:
        _, first, end = shards[number]
        for _ in range(position, first):
            next(examples)
        for start in range(first, end, _EXAMPLES_AT_ONCE):
            size = min(_EXAMPLES_AT_ONCE, end - start)
            yield [next(examples) for _ in range(size)]
        position = end


def _write_shard(
    path: pathlib.Path,
    encoded: Iterator[tuple[list[bytes], list[int]]],
    examples: int,
    advance: Callable[[int], object],
) -> list[int]:
    """Writes the next `examples` records; returns the count of tokens in each."""
    token_counts: list[int] = []
    with atomic.replace_file(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        while len(token_counts) < examples:
            records, counts = next(encoded)
            for one in records:
                writer.write(one)
            token_counts += counts
            advance(len(counts))
    return token_counts
