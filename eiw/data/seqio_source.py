"""SeqIO data sources: the embedded corpus, and text files of one's own."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np
import seqio
import tensorflow as tf

from eiw.data import corpus, docstrings, locations, text_files

# A step of a generator in Python costs about a millisecond inside tf.data.
_TEXTS_AT_ONCE = 64


def docs_source() -> seqio.FunctionDataSource:
    """The embedded corpus as {"text": string}; sources are read at the first use."""
    return seqio.FunctionDataSource(_docs_dataset, splits=corpus.SPLITS)


def text_source() -> seqio.FunctionDataSource:
    """The files of `locations.text_pattern()` as {"text": string}.

    Every split reads all files, since a document's split is decided by its content.
    """
    return seqio.FunctionDataSource(_text_dataset, splits=corpus.SPLITS)


@functools.cache
def _docstrings() -> dict[str, list[bytes]]:
    """The embedded corpus by split; 14 MB, and some ten seconds to read: once in a process."""
    texts: dict[str, list[bytes]] = {split: [] for split in corpus.SPLITS}
    for split, text in docstrings.docstring_documents():
        texts[split].append(text)
    return texts


def _docs_dataset(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    texts = _docstrings()[split]
    dataset = tf.data.Dataset.from_tensor_slices({"text": texts})
    return dataset.shuffle(len(texts), seed=seed) if shuffle_files else dataset


def _text_dataset(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    del shuffle_files, seed  # files stay in order; the task's buffer shuffles examples
    pattern = locations.text_pattern()
    # An error inside tf.data loses its type; the common ones (no such file) come out here.
    next(text_files.text_documents(pattern, show_progress=False))

    def batches() -> Iterator[dict[str, np.ndarray]]:
        documents = text_files.text_documents(pattern, show_progress=False)
        texts = (text for name, text in documents if name == split)
        while batch := list(itertools.islice(texts, _TEXTS_AT_ONCE)):
            # An array of dtype "S" would take NULs off the ends.
            yield {"text": np.array(batch, object)}

    signature = {"text": tf.TensorSpec([None], tf.string)}
    return tf.data.Dataset.from_generator(batches, output_signature=signature).unbatch()
