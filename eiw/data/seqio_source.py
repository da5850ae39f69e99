"""SeqIO data sources: the embedded corpus, and text files of one's own."""

import functools
from collections.abc import Iterator

import seqio
import tensorflow as tf

from eiw.data import corpus, docstrings, locations, text_files


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

    def documents() -> Iterator[dict[str, bytes]]:
        for name, text in text_files.text_documents(pattern, show_progress=False):
            if name == split:
                yield {"text": text}

    signature = {"text": tf.TensorSpec([], tf.string)}
    return tf.data.Dataset.from_generator(documents, output_signature=signature)
