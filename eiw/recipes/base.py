"""What every recipe offers: a name, and a compressor made from a corpus and an M1."""

import abc
import dataclasses
import pathlib
from typing import ClassVar

from eiw.compressors import base
from eiw.data import corpus


@dataclasses.dataclass(frozen=True)
class Recipe(abc.ABC):
    """Makes one compressor, and says how much text it is worth compressing with it."""

    # M1 runs on every byte, or the output has to wait for it: tokens are dear.
    max_train_tokens: int | None = None
    """Training tokens to write; None for the whole corpus."""

    reads_m1: ClassVar[bool] = False
    """Whether `build` needs a trained M1."""
    reads_text: ClassVar[bool] = False
    """Whether `build` needs training text."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """A folder and task name: `equal_info_b16_v65k`."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """What reports print: `EqualInfoAC[b=16, v=65k]`."""

    @abc.abstractmethod
    def build(self, text: corpus.Split | None, m1_folder: pathlib.Path | None) -> base.Compressor:
        """Makes the compressor.

        Args:
          text: training documents; not looked at, and None will do, unless it `reads_text`.
          m1_folder: an exported M1; None will do unless it `reads_m1`.
        """


def joined_name(*parts: str) -> str:
    """The parts that are not empty, as names have them: `gzip_v256_no_header`."""
    return "_".join(filter(None, parts))


def joined_label(method: str, *parts: str) -> str:
    """The same for labels: `GZip[v=256, no_header]`."""
    return f"{method}[{', '.join(filter(None, parts))}]"


def size_in_label(vocab_size: int) -> str:
    """A vocabulary's size as labels have it: `v=256`, `v=65k`; of one-bit tokens `raw bits`."""
    name = base.size_label(vocab_size)
    return f"v={name[1:]}" if name.startswith("v") else name.replace("_", " ")
