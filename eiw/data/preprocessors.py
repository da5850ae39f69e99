"""The paper's pipeline (Lester et al. 2024, 3.1 and 3.3) as SeqIO preprocessors.

Documents -> symbols with EOS -> 128 documents end to end -> examples of 10,240 symbols -> codes ->
at most 512 of them. Each step takes and returns a dataset of one feature, and all but the
compression are TensorFlow graphs.
"""

from collections.abc import Mapping

import numpy as np
import seqio
import tensorflow as tf

from eiw import vocab

# As many examples go to the compressor at once: those that run a network fill its rows with them.
_EXAMPLES_AT_ONCE = 64


def append_eos(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """{"text": string} -> {"symbols": int32[bytes + 1]}: bytes 0..255 of the text, then EOS."""

    def to_symbols(example: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        data = tf.cast(tf.io.decode_raw(example["text"], tf.uint8), tf.int32)
        return {"symbols": tf.concat([data, [vocab.EOS_SYMBOL]], axis=0)}

    return dataset.map(to_symbols, num_parallel_calls=tf.data.AUTOTUNE)


def concatenate(dataset: tf.data.Dataset, documents: int = 128) -> tf.data.Dataset:
    """Puts `documents` sequences at a time end to end, in their order; the last may be fewer."""
    return dataset.ragged_batch(documents).map(
        lambda batch: {"symbols": batch["symbols"].flat_values}
    )


def split(dataset: tf.data.Dataset, length: int = 10_240) -> tf.data.Dataset:
    """Cuts each sequence into examples of `length` symbols; its last may be shorter."""

    def cut(example: Mapping[str, tf.Tensor]) -> tf.data.Dataset:
        symbols = example["symbols"]
        starts = tf.data.Dataset.range(0, tf.size(symbols, tf.int64), length)
        return starts.map(lambda start: {"symbols": symbols[start : start + length]})

    return dataset.flat_map(cut)


def compress(
    dataset: tf.data.Dataset, output_features: Mapping[str, seqio.Feature]
) -> tf.data.Dataset:
    """{"symbols": int32[n]} -> {"targets": int32[m]}, by the vocabulary of "targets".

    Raises (while the pipeline is built):
      InputError: the compressor is missing or damaged.
    """
    vocabulary = output_features["targets"].vocabulary
    vocabulary.compressor  # noqa: B018, an error inside tf.data would lose its type and its line

    @tf.autograph.experimental.do_not_convert
    def encode(symbols: np.ndarray, splits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids = vocabulary.encode_symbol_batch(np.split(symbols, splits[1:-1]))
        ends = np.cumsum([0, *map(len, ids)], dtype=np.int64)
        return np.concatenate(ids), ends

    def to_ids(batch: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.RaggedTensor]:
        symbols = batch["symbols"]
        ids, splits = tf.numpy_function(
            encode,
            [symbols.flat_values, symbols.row_splits],
            (tf.int32, tf.int64),
            stateful=False,
        )
        ids.set_shape([None])
        splits.set_shape([None])
        return {"targets": tf.RaggedTensor.from_row_splits(ids, splits, validate=False)}

    dataset = dataset.ragged_batch(_EXAMPLES_AT_ONCE).map(to_ids).unbatch()
    # What comes out of a ragged batch has a ragged type of no ragged dimension, until it is mapped.
    return dataset.map(lambda example: {"targets": tf.ensure_shape(example["targets"], [None])})


def trim(
    dataset: tf.data.Dataset, sequence_length: Mapping[str, int] | None, length: int = 512
) -> tf.data.Dataset:
    """Cuts "targets" to `sequence_length["targets"]`, where the caller gave one, else `length`."""
    length = (sequence_length or {}).get("targets", length)
    return dataset.map(
        lambda example: {**example, "targets": example["targets"][:length]},
        num_parallel_calls=tf.data.AUTOTUNE,
    )
