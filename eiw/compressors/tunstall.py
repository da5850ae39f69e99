"""Tunstall windows: every code names a text, and the texts are the most probable ones.

Of the 2^16 cells of an Equal-Info Window two thirds name nothing. Tunstall's code (1967) has it
the other way round: not intervals of equal size, but the V most probable texts under M1, reset at
each window, for any V. `tunstall_fit` finds them. How text is cut into them is another question,
which `parse` answers: the dictionary and the parse are kept apart.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np

from eiw import errors, vocab
from eiw.compressors import artefact, base, longest_match, parse, text_table


class Tunstall(base.Compressor):
    """A dictionary with a code for each text, and a way to cut text into them.

    Args:
      texts: text i has code i; distinct, none empty. The first 256 are the single bytes, in order.
      how: the parse.
      m1_fingerprint: of the byte model whose texts these are.
      fitted: how the texts were chosen, where it was not by M1 alone: part of the variant.

    Attributes:
      parse: the way text is cut. Another way makes other codes, which decode to the same.

    Raises:
      InputError: there are more texts, or longer ones, than a parse can tell apart.
    """

    kind = "tunstall"
    method = "Tunstall"

    def __init__(
        self, texts: Sequence[bytes], how: parse.Parse, m1_fingerprint: str, fitted: str = ""
    ) -> None:
        if list(texts[: vocab.NUM_BYTES]) != [bytes([byte]) for byte in range(vocab.NUM_BYTES)]:
            raise ValueError("the first texts must be the single bytes")
        self.parse = how
        self.m1_fingerprint = m1_fingerprint
        self.vocab_size = len(texts)
        size = len(texts)
        self.name = f"tunstall_v{size if size < 1000 else f'{size // 1000}k'}"
        self.variant = "_".join(filter(None, [fitted, how.variant]))
        self._fitted = fitted
        self._table = text_table.TextTable.from_texts(texts)
        self._parser = parse.Parser(texts, how)
        self._contents = artefact.artefact_contents(
            self.kind,
            {
                "parse": dataclasses.asdict(how),
                "m1_fingerprint": m1_fingerprint,
                "fitted": fitted,
            },
            self._table.arrays(),
        )

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def texts(self) -> list[bytes]:
        """The text of each code."""
        return self._table.texts()

    def with_parse(self, how: parse.Parse) -> "Tunstall":
        """The same dictionary, cut into otherwise."""
        return Tunstall(self.texts(), how, self.m1_fingerprint, self._fitted)

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return base.in_groups(texts, self._encode_group, base.ENCODE_GROUP)

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """As `Compressor.decode_batch`; any codes in range name a text, an encoder's or not.

        Raises:
          InputError: a code is out of range.
        """
        return base.in_groups(codes, self._decode_group, base.DECODE_GROUP)

    def _encode_group(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        codes, code_starts = self._parser.encode(*longest_match.joined(texts))
        return [codes[first:end] for first, end in itertools.pairwise(code_starts.tolist())]

    def _decode_group(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        return self._table.decode(*text_table.joined_codes(codes, self.vocab_size))

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Tunstall":
        """Reads what `save` wrote.

        Raises:
          ArtefactError: it is missing or damaged, or of a parse that this version does not know.
        """
        contents = artefact.read_artefact(folder, cls.kind)
        try:
            how = parse.Parse(**contents.config["parse"])
        except (TypeError, errors.InputError) as error:
            raise errors.ArtefactError(
                f"{folder} cuts text in a way that this eiw does not know: build it anew."
            ) from error
        texts = text_table.TextTable(**contents.arrays).texts()
        return cls(texts, how, contents.config["m1_fingerprint"], contents.config["fitted"])
