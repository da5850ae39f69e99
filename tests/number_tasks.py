"""A SeqIO task of fifty short texts, for tests that read it in another process too."""

import functools

import seqio
import tensorflow as tf

from eiw.compressors.raw_bytes import RawBytes
from eiw.data import preprocessors, vocabularies

TASK = "test_numbers"


def _numbers(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    del shuffle_files, seed
    count = 0 if split == "empty" else 50
    texts = tf.constant([f"{i:03d}" for i in range(count)], tf.string)
    return tf.data.Dataset.from_tensor_slices({"text": texts})


seqio.TaskRegistry.add(
    TASK,
    source=seqio.FunctionDataSource(_numbers, splits=("train", "empty")),
    preprocessors=[
        preprocessors.append_eos,
        functools.partial(preprocessors.split, length=9),
        preprocessors.compress,
        preprocessors.trim,
    ],
    output_features={
        "targets": seqio.Feature(vocabularies.CompressorVocabulary(RawBytes), add_eos=False)
    },
    shuffle_buffer_size=20,
)
