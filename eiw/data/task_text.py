"""The text behind a SeqIO task, and what the task makes of its held-out part.

The examples of a task are cut from text before they are compressed, and trimmed after: how many
bytes stand behind an id can only be told from both ends of `preprocessors.compress`.
"""

import difflib
import hashlib
import importlib
from collections.abc import Iterator, Sequence

import numpy as np
import seqio
import tensorflow as tf

from eiw import errors, progress, vocab
from eiw.data import preprocessors, task_facts

# Longer than any example: whole ones are counted.
_WHOLE = {"targets": np.iinfo(np.int32).max}


def register(modules: Sequence[str]) -> None:
    """Imports modules that register tasks.

    Raises:
      InputError: one is not there.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise errors.InputError(f"--module_import={module}: {error}.") from error


def find(name: str) -> seqio.Task:
    """The registered task of that name.

    Raises:
      InputError: there is none.
    """
    if name not in seqio.TaskRegistry.names():
        close = difflib.get_close_matches(name, seqio.TaskRegistry.names(), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise errors.InputError(f"There is no task {name}.{hint}")
    return seqio.TaskRegistry.get(name)


def check_scorable(task: seqio.Task, split: str) -> None:
    """What `held_out` would find out at the first score, long after training has begun.

    Raises:
      InputError: the task lacks the split, compresses nothing, or its text is not to be found.
    """
    if split not in task.splits:
        raise errors.InputError(f"Task {task.name} has no split {split}.")
    if preprocessors.compress not in task.preprocessors:
        raise errors.InputError(
            f"{task.name} has no step `preprocessors.compress`: its bytes cannot be counted."
        )
    task.source.get_dataset(split, shuffle=False)


def symbols(task: seqio.Task, split: str) -> Iterator[np.ndarray]:
    """The symbols of each example, int32[n], in the order in which the task makes them online."""
    uncompressed = seqio.Task(
        f"{task.name}_symbols",
        source=task.source,
        preprocessors=task.preprocessors[: task.preprocessors.index(preprocessors.compress)],
        output_features={
            "symbols": seqio.Feature(
                seqio.PassThroughVocabulary(vocab.ALPHABET_SIZE), add_eos=False
            )
        },
    )
    dataset = uncompressed.get_dataset(None, split, shuffle=False)
    for example in dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
        yield example["symbols"]


def measure(task: seqio.Task, split: str) -> task_facts.SplitText:
    """Reads a split's text, which is quick beside compressing it.

    Raises:
      InputError: the split has no examples.
    """
    count, size, eos, digest = 0, 0, 0, hashlib.sha256()
    for example in progress.track(symbols(task, split), f"Reading {task.name} {split}"):
        count += 1
        ends = int(np.sum(example == vocab.EOS_SYMBOL))
        size += len(example) - ends
        eos += ends
        digest.update(len(example).to_bytes(8, "little"))
        digest.update(example.astype("<u2").tobytes())
    if not count:
        raise errors.InputError(f"Task {task.name} has no examples in {split}.")
    return task_facts.SplitText(count, size, eos, digest.hexdigest())


def held_out(
    task: seqio.Task, split: str, max_examples: int, length: int, use_cached: bool
) -> task_facts.HeldOut:
    """Reads a whole split, unshuffled: its text, and what the task makes of it.

    Args:
      task: one that `check_scorable` lets pass.
      split: its name.
      max_examples: how many are kept to be scored.
      length: ids of an example that is kept; longer ones are cut, shorter ones padded.
      use_cached: take the ids from the task's cache; the text is read from its source all the same.

    Raises:
      InputError: the split is empty.
    """
    text = measure(task, split)
    dataset = task.get_dataset(_WHOLE, split, use_cached=use_cached, shuffle=False)
    tokens, kept = 0, []
    for example in progress.track(dataset.as_numpy_iterator(), f"Counting {task.name} {split}"):
        ids = example["targets"]
        tokens += len(ids)
        if len(kept) < max_examples:
            kept.append(np.pad(ids[:length], (0, max(0, length - len(ids)))))
    return task_facts.HeldOut(np.stack(kept).astype(np.int32), tokens, text)


def first_examples(task: seqio.Task, split: str, min_bytes: int) -> tuple[list, np.ndarray]:
    """The first examples of a split, until they have so many bytes or there are no more.

    They are compressed here, not read from a cache, which may hold them in another order.

    Returns:
      Ids of each whole example, int32[n], and int64[examples] of the bytes behind them, without
      EOS.
    """
    examples: list[np.ndarray] = []
    sizes: list[int] = []
    for example in symbols(task, split):
        examples.append(example)
        sizes.append(int(np.sum(example != vocab.EOS_SYMBOL)))
        if sum(sizes) >= min_bytes:
            break
    vocabulary = task.output_features["targets"].vocabulary
    return vocabulary.encode_symbol_batch(examples), np.array(sizes, np.int64)


def training_ids(task: seqio.Task, max_examples: int, length: int, use_cached: bool) -> np.ndarray:
    """int32[n]: ids of the first training examples, trimmed, one after another."""
    dataset = task.get_dataset({"targets": length}, "train", use_cached=use_cached, shuffle=False)
    examples = dataset.take(max_examples).as_numpy_iterator()
    return np.concatenate([np.asarray(example["targets"], np.int32) for example in examples])
