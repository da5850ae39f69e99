"""Every compressor as a `seqio.Vocabulary`, in Python and inside `tf.data`."""

import math
import os
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import seqio
import tensorflow as tf

from eiw import compressors, errors, vocab

Source = str | os.PathLike | Callable[[], compressors.Compressor | str | os.PathLike]


@runtime_checkable
class SymbolCompressor(Protocol):
    """A compressor that can code M1's own symbols: 0..255 the bytes and 256 EOS (`eiw.vocab`).

    Attributes:
      codes_eos: whether its model's alphabet has EOS; if not, it is used like any other.
    """

    codes_eos: bool

    def encode_symbol_batch(self, examples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """int[n] symbols of each example -> its codes, int32[m]."""
        ...


class CompressorVocabulary(seqio.Vocabulary):
    """A compressor's codes after the three special ids: padding 0, EOS 1, UNK 2.

    The compressor is loaded at its first use, once, whatever number of threads use it. UNK is
    reserved because SeqIO wants it; no encoder makes it. Text is bytes: strings of `tf.data` are
    taken as they are, Python's are UTF-8 with "surrogateescape", so that bytes that are no UTF-8
    come back too.

    Pickling keeps where the compressor is, as an absolute path, not the compressor: a Beam worker
    without this process's settings loads the same one.
    """

    def __init__(self, source: Source):
        """Args:
        source: the compressor's folder; or what gives, when called, a folder or a compressor. It
          is not looked at before the vocabulary is used.
        """
        super().__init__()
        self._source = source
        self._lock = threading.Lock()
        self._loaded: compressors.Compressor | None = None
        # Where `_loaded` came from; None if the source made it.
        self._folder: pathlib.Path | None = None

    @property
    def compressor(self) -> compressors.Compressor:
        """The compressor: loaded at the first use, and anew when its name means another folder.

        Raises:
          InputError: it is not there, or nothing says where it is.
          ArtefactError: its folder is damaged.
        """
        with self._lock:
            source = self._locate()
            if isinstance(source, compressors.Compressor):
                self._loaded = source
            elif source != self._folder:
                self._loaded, self._folder = compressors.load(source), source
            return self._loaded

    def _locate(self) -> compressors.Compressor | pathlib.Path:
        """The compressor that the source made, or the absolute path of its folder by now."""
        if self._loaded is not None and self._folder is None:
            return self._loaded
        source = self._source() if callable(self._source) else self._source
        if isinstance(source, compressors.Compressor):
            return source
        return pathlib.Path(source).expanduser().resolve()

    # SeqIO's contract: pad, EOS and UNK are counted here, extra ids (there are none) are not.
    @property
    def _base_vocab_size(self) -> int:
        return self.compressor.vocab_size + vocab.NUM_SPECIAL_IDS

    @property
    def bos_id(self) -> int:
        """Padding: what SeqIO's and T5X's language models see before the first id."""
        return vocab.PAD_ID

    @property
    def eos_id(self) -> int:
        return vocab.EOS_ID

    @property
    def unk_id(self) -> int:
        return vocab.UNK_ID

    def encode_symbol_batch(self, examples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """int[n] symbols of each example, EOS_SYMBOL after each document -> its ids, int32[m].

        A `SymbolCompressor` with EOS codes it like any other symbol, as the paper's AC does. Any
        other has codes for bytes only: its last window or piece ends with the document, and the id
        EOS_ID follows. The text after an example's last EOS is the beginning of a document that
        goes on in the next example; no EOS follows it.
        """
        compressor = self.compressor
        if isinstance(compressor, SymbolCompressor) and compressor.codes_eos:
            return [_to_ids(codes) for codes in compressor.encode_symbol_batch(examples)]
        pieces = [_documents(example) for example in examples]
        codes = iter(compressor.encode_batch([text for texts in pieces for text in texts]))
        return [_with_eos_between([_to_ids(next(codes)) for _ in texts]) for texts in pieces]

    def _encode(self, s: str | bytes) -> list[int]:
        data = s if isinstance(s, bytes) else s.encode("utf-8", "surrogateescape")
        return _to_ids(self.compressor.encode(data)).tolist()

    def _decode(self, ids: Sequence[int]) -> str:
        return self._texts(np.asarray([ids]))[0].decode("utf-8", "surrogateescape")

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        self.compressor  # noqa: B018, while the pipeline is built an error comes out as it is
        ids = tf.numpy_function(self._ids_of_string, [s], tf.int32, stateful=False)
        ids.set_shape([None])
        return ids

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """int32[..., T] -> string[...]."""
        self.compressor  # noqa: B018, as in _encode_tf
        text = tf.numpy_function(self._strings_of_ids, [ids], tf.string, stateful=False)
        text.set_shape(ids.shape[:-1])
        return text

    def _ids_of_string(self, data: bytes | np.ndarray) -> np.ndarray:
        # Eager TensorFlow hands over an array of one object.
        return _to_ids(self.compressor.encode(data if isinstance(data, bytes) else data.item()))

    def _strings_of_ids(self, ids: np.ndarray) -> np.ndarray:
        texts = self._texts(ids.reshape(math.prod(ids.shape[:-1]), ids.shape[-1]))
        # An array of dtype "S" would take NULs off the ends.
        return np.array(texts, object).reshape(ids.shape[:-1])

    def _texts(self, ids_BT: np.ndarray) -> list[bytes]:
        """Special ids name no text; what follows an EOS was taken away by seqio.Vocabulary."""
        ids_BT = ids_BT.astype(np.int64)
        codes = [ids[ids >= vocab.NUM_SPECIAL_IDS] - vocab.NUM_SPECIAL_IDS for ids in ids_BT]
        return self.compressor.decode_batch(codes)

    def _resolved(self) -> Source:
        """Where the compressor is: an absolute path if there is one by now, else the source."""
        try:
            source = self._locate()
        except errors.InputError:
            return self._source
        return self._source if isinstance(source, compressors.Compressor) else str(source)

    def __reduce__(self) -> tuple:
        return type(self), (self._resolved(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompressorVocabulary) and self._resolved() == other._resolved()

    # Where a compressor is can change while tasks are registered: there is no lasting hash.
    __hash__ = None

    def __str__(self) -> str:
        return f"CompressorVocabulary({self._resolved()})"


def _to_ids(codes: np.ndarray) -> np.ndarray:
    return (codes + vocab.NUM_SPECIAL_IDS).astype(np.int32)


def _documents(symbols: np.ndarray) -> list[bytes]:
    """Symbols cut at each EOS, which goes; what follows the last EOS comes last, if only b""."""
    ends = np.flatnonzero(symbols == vocab.EOS_SYMBOL)
    parts = np.split(symbols, ends)
    return [part[i > 0 :].astype(np.uint8).tobytes() for i, part in enumerate(parts)]


def _with_eos_between(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Ids of an example's texts -> its ids: EOS after all but the last, whose end is elsewhere."""
    eos = np.array([vocab.EOS_ID], np.int32)
    return np.concatenate([part for text in ids[:-1] for part in (text, eos)] + [ids[-1]])
