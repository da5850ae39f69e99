"""Where the examples begin that a model is trained on.

M1 of Equal-Info Windows is asked about the first few bytes of a window and never about more, and
windows begin where the last one ended. A model of 1,024-byte examples spends a hundredth of its
loss on contexts as short as that, at places that no window begins at (Lester et al. 2024, 3.2).
"""

import dataclasses
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from eiw import compressors, errors, progress, vocab
from eiw.data import token_files

_BEGINNINGS = ("blocks", "anywhere", "windows")
# Documents that are cut into windows at a time.
_GROUP = 256


@dataclasses.dataclass(frozen=True)
class Starts:
    """Places in a token file.

    Attributes:
      name: says which ones, for a position in the data to be refused that is of others.
      places: numbers of ids, ascending; a range or a memory map, whatever the size of the file.
    """

    name: str
    places: Sequence[int]


@dataclasses.dataclass(frozen=True)
class Crops:
    """How examples are cut out of a token file.

    Attributes:
      begin: "blocks", one after another; "anywhere", at any id; "windows", where the windows of a
        dictionary begin, which is for text in bytes.
      dictionary: folder of a compressor with a code for each window, for "windows".

    Raises:
      InputError: another `begin`, or a dictionary is missing or not needed.
    """

    begin: str = "blocks"
    dictionary: str = ""

    def __post_init__(self) -> None:
        if self.begin not in _BEGINNINGS:
            raise errors.InputError(
                f"begin={self.begin!r} is unknown: choose {', '.join(_BEGINNINGS)}."
            )
        if (self.begin == "windows") != bool(self.dictionary):
            raise errors.InputError(
                "Crops that begin where windows begin need the folder of a dictionary, and no "
                f"others do: begin={self.begin!r}, dictionary={self.dictionary!r}."
            )

    def starts(self, tokens: token_files.TokenFile, length: int) -> Starts:
        """Where all examples of `length` ids begin that `tokens` holds.

        Args:
          tokens: the opened file.
          length: ids of an example.

        Raises:
          InputError: the dictionary's codes are no windows, or the file is not of bytes.
          ArtefactError: the dictionary cannot be read.
        """
        end = tokens.num_tokens - length + 1
        if self.begin == "blocks":
            return Starts("blocks", range(0, end, length))
        if self.begin == "anywhere":
            return Starts("anywhere", range(max(end, 0)))
        dictionary = compressors.load(self.dictionary)
        # Too many for memory, and each of several hosts finds them for itself: a file of no name.
        with tempfile.TemporaryFile() as file:
            for found in _window_starts(tokens, dictionary):
                found[found < end].tofile(file)
            file.flush()
            # An empty file cannot be mapped.
            places = np.memmap(file, np.int64, "r") if os.fstat(file.fileno()).st_size else range(0)
        return Starts(f"windows of {dictionary.fingerprint}", places)


def _window_starts(
    tokens: token_files.TokenFile, dictionary: compressors.Compressor
) -> Iterator[np.ndarray]:
    """Where windows begin, int64[n] for each document, if the ids are bytes."""
    if tokens.vocab_size != vocab.NUM_BYTES:
        raise errors.InputError(
            f"Windows begin in text, but these tokens have {tokens.vocab_size} codes: crops can "
            "begin where windows begin in a token file of bytes only."
        )
    lengths = np.zeros(dictionary.vocab_size, np.int64)
    for first in progress.track(
        range(0, tokens.num_documents, _GROUP), "Finding windows", unit="group"
    ):
        bounds = tokens.offsets[first : first + _GROUP + 1].tolist()
        # EOS, the last id of each document, is no byte of it.
        texts = [
            (tokens.ids[begin : end - 1] - vocab.NUM_SPECIAL_IDS).astype(np.uint8).tobytes()
            for begin, end in itertools.pairwise(bounds)
        ]
        codes = dictionary.encode_batch(texts)
        new = np.unique(np.concatenate(codes))
        new = new[lengths[new] == 0]
        lengths[new] = _text_lengths(dictionary, new)
        for begin, text, code in zip(bounds, texts, codes, strict=False):
            window_lengths = lengths[code]
            ends = np.cumsum(window_lengths)
            if window_lengths.sum() != len(text):
                raise _no_windows(dictionary)
            yield begin + ends - window_lengths


def _text_lengths(dictionary: compressors.Compressor, codes: np.ndarray) -> list[int]:
    """The bytes that each code stands for by itself."""
    try:
        return list(map(len, dictionary.decode_batch(list(codes[:, None]))))
    except errors.InputError as error:
        raise _no_windows(dictionary) from error


def _no_windows(dictionary: compressors.Compressor) -> errors.InputError:
    return errors.InputError(
        f"{dictionary.name} has no code for each window: give a dictionary, such as exact windows "
        "of 16-bit tokens or Tunstall's."
    )
