"""What needs no M1: bytes, SentencePiece, GZip."""

import dataclasses
import pathlib

from eiw import errors
from eiw.compressors import base, gzip_bits, raw_bytes, sentence_piece
from eiw.data import corpus
from eiw.recipes.base import Recipe, joined_label, joined_name, size_in_label


@dataclasses.dataclass(frozen=True)
class Bytes(Recipe):
    """One token a byte (paper, 3.6)."""

    name = "bytes"
    label = "Bytes"

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del text, m1_folder
        return raw_bytes.RawBytes()


@dataclasses.dataclass(frozen=True)
class SentencePiece(Recipe):
    """A Unigram vocabulary trained on the spot, exact for any bytes (paper, 3.6, has T5's)."""

    vocab_size: int = 8192
    sample_bytes: int = 4_000_000
    """Text to fit the vocabulary on: the fit's time grows with it."""

    name = "sentencepiece"
    reads_text = True

    @property
    def label(self) -> str:
        return joined_label("SentencePiece", size_in_label(self.vocab_size)[2:])

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del m1_folder
        return sentence_piece.SentencePiece.train(
            text.sample(self.sample_bytes), self.vocab_size, self.sample_bytes
        )


@dataclasses.dataclass(frozen=True)
class ForeignSentencePiece(Recipe):
    """A .model file of another training, T5's for one: it loses text, and the losses are counted.

    Raises:
      InputError: no file is named.
    """

    model_file: str = ""
    """Path of the .model file."""

    name = "sentencepiece_foreign"
    label = "SentencePiece[foreign]"

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del text, m1_folder
        if not self.model_file:
            raise errors.InputError(
                "Which SentencePiece model? Give --gin.recipes.ForeignSentencePiece.model_file="
                "'\"path/to/some.model\"'."
            )
        return sentence_piece.SentencePiece.from_model_file(pathlib.Path(self.model_file))


@dataclasses.dataclass(frozen=True)
class GZip(Recipe):
    """zlib over each text, its bits cut into tokens (paper, 3.3 and A.4)."""

    token_bits: int = 8
    level: int = -1
    """0 to 9; -1 for zlib's own choice, as in the paper."""
    header: bool = True
    """Whether zlib's header and footer are kept."""

    @property
    def name(self) -> str:
        return joined_name("gzip", base.size_label(2**self.token_bits), *self._differences)

    @property
    def label(self) -> str:
        return joined_label("GZip", size_in_label(2**self.token_bits), *self._differences)

    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        del text, m1_folder
        return gzip_bits.GZip(self.level, header=self.header, token_bits=self.token_bits)

    @property
    def _differences(self) -> list[str]:
        """What sets this recipe apart from zlib's defaults."""
        level = "" if self.level == -1 else f"level{self.level}"
        return [level, "" if self.header else "no_header"]
