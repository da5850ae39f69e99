"""The SentencePiece baseline (Lester et al. 2024, 3.6), made exact.

SentencePiece as T5 uses it loses text: it folds characters, drops spaces, and takes what it does
not know for one unknown piece. Trained here, it sees bytes as characters, one for one, changes
none of them, and has a piece for each, so any bytes come back. Unigram pieces, the same algorithm,
no T5 quirks.
"""

import io
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import sentencepiece

from eiw import errors, vocab
from eiw.compressors import artefact, base, text_table

_SPACE = "\u2581"  # SentencePiece's own sign for a space


def _character(byte: int) -> str:
    """The character that stands for a byte.

    Pieces begin at a space and end where the script changes, so a byte gets a character of the
    script that it should be taken for: control characters (newlines) that of punctuation, the
    parts of UTF-8 sequences that of letters.
    """
    if byte == ord(" "):
        return _SPACE
    if byte < ord(" "):
        return chr(0x2400 + byte)  # pictures of control characters
    if byte == 127:
        return "\u2421"  # the last of these
    return chr(byte) if byte < 128 else chr(0x100 + byte)  # Latin letters with accents


_CHARACTERS = [_character(byte) for byte in range(vocab.NUM_BYTES)]
_CODE_POINTS = np.array([ord(character) for character in _CHARACTERS], "<u4")
_BYTES = {character: byte for byte, character in enumerate(_CHARACTERS)}

# Training sees lines of at most this many bytes; a character takes up to three bytes there.
_MAX_LINE = 4096
_THREADS = 4  # fixed: the order of float sums, and so the pieces, depend on it
_QUIET = 2  # errors only

# SentencePiece insists on an unknown piece. Its id is 0, and no text contains it.
_NUM_UNKNOWN = 1


class SentencePiece(base.Compressor):
    """A Unigram model, trained here (exact) or foreign (as its own rules have it: lossy).

    Args:
      model: a serialised SentencePiece model.
      exact: whether `train` made it. Then code i is piece i + 1, as the unknown piece is none.

    Raises:
      ArtefactError: `model` is no SentencePiece model.
    """

    kind = "sentencepiece"
    method = "SentencePiece"
    name = "sentencepiece"

    def __init__(self, model: bytes, *, exact: bool) -> None:
        try:
            if not model:  # which SentencePiece takes for none given
                raise ValueError("no bytes")
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except (RuntimeError, ValueError) as error:
            raise errors.ArtefactError(
                "This is no SentencePiece model: give the .model file that a training wrote."
            ) from error
        self.lossless = exact
        self.variant = "" if exact else "foreign"
        self.vocab_size = self._processor.get_piece_size() - (_NUM_UNKNOWN if exact else 0)
        self._table = self._table_of_pieces() if exact else None
        arrays = {"model": np.frombuffer(model, np.uint8)}
        self._contents = artefact.artefact_contents(self.kind, {"exact": exact}, arrays)

    @classmethod
    def train(
        cls, documents: Iterable[bytes], vocab_size: int = 8192, sample_bytes: int = 4 << 20
    ) -> "SentencePiece":
        """Trains on the first `sample_bytes` bytes of `documents`: some ten seconds for 4 MB.

        Args:
          vocab_size: codes, the 256 bytes among them; fewer come out where the sample is small.

        Raises:
          InputError: too small a vocabulary, or a sample that cannot be trained on.
        """
        if vocab_size <= vocab.NUM_BYTES:
            raise errors.InputError(
                f"A vocabulary of {vocab_size} leaves no room beside the 256 bytes: make it bigger."
            )
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=_training_lines(documents, sample_bytes),
                model_writer=model,
                model_type="unigram",
                vocab_size=vocab_size + _NUM_UNKNOWN,
                hard_vocab_limit=False,
                character_coverage=1.0,
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                allow_whitespace_only_pieces=True,
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                max_sentence_length=3 * _MAX_LINE,
                num_threads=_THREADS,
                minloglevel=_QUIET,
            )
        except RuntimeError as error:
            raise errors.InputError(
                f"SentencePiece cannot train on this: {str(error).splitlines()[0]}"
            ) from error
        return cls(model.getvalue(), exact=True)

    @classmethod
    def from_model_file(cls, path: pathlib.Path) -> "SentencePiece":
        """Opens a .model file of another training; it may lose text, and says so.

        Raises:
          ArtefactError: the file is missing or no SentencePiece model.
        """
        try:
            return cls(pathlib.Path(path).read_bytes(), exact=False)
        except OSError as error:
            raise errors.ArtefactError(f"{path} cannot be read: {error.strerror}.") from error

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        if not texts:
            return []
        if self.lossless:
            pieces = self._processor.encode([_to_characters(text) for text in texts])
            return [np.array(ids, np.int32) - np.int32(_NUM_UNKNOWN) for ids in pieces]
        pieces = self._processor.encode([text.decode(errors="replace") for text in texts])
        return [np.array(ids, np.int32) for ids in pieces]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        if self._table is not None:
            return self._table.decode(*text_table.joined_codes(codes, self.vocab_size))
        checked = [base.checked_codes(one, self.vocab_size) for one in codes]
        return [self._processor.decode(one.tolist()).encode() for one in checked]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "SentencePiece":
        contents = artefact.read_artefact(folder, cls.kind)
        return cls(contents.arrays["model"].tobytes(), exact=contents.config["exact"])

    def _table_of_pieces(self) -> text_table.TextTable:
        pieces = [
            bytes(_BYTES[character] for character in self._processor.id_to_piece(index))
            for index in range(_NUM_UNKNOWN, self.vocab_size + _NUM_UNKNOWN)
        ]
        offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        return text_table.TextTable(np.frombuffer(b"".join(pieces), np.uint8), offsets)


def _to_characters(text: bytes) -> str:
    return _CODE_POINTS[np.frombuffer(text, np.uint8)].tobytes().decode("utf-32-le")


def _training_lines(documents: Iterable[bytes], sample_bytes: int) -> Iterator[str]:
    """Lines with their ends, so that pieces do not cross them; every byte once before them."""
    yield " ".join(_CHARACTERS)
    left = sample_bytes
    for document in documents:
        for line in document[:left].splitlines(keepends=True):
            for start in range(0, len(line), _MAX_LINE):
                yield _to_characters(line[start : start + _MAX_LINE])
        left -= len(document)
        if left <= 0:
            break
