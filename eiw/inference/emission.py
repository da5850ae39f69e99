"""What is emitted of one text: new bytes, up to a limit, while ids are drawn."""

from collections.abc import Sequence

from eiw import compressors, errors, vocab
from eiw.inference import canonical, code_texts, ways

# More codes than a byte takes in any method.
_MOST_CODES = 64


class Emission:
    """Ids of one text -> its bytes behind the prompt.

    Args:
      texts: of each code, by `code_texts.texts_of_codes`.
      compressor: whose codes are drawn.
      max_bytes: that may come.
      parses: of the compressor's texts, where its encoder takes the longest (`canonical`).

    Attributes:
      done: it has ended.
      walks: that the encoder left behind in the prompt (`canonical`).
    """

    def __init__(
        self,
        texts: Sequence[bytes] | None,
        compressor: compressors.Compressor,
        max_bytes: int,
        parses: canonical.CanonicalParses | None,
    ) -> None:
        self.done = max_bytes < 1
        self.walks: tuple[int, ...] = ()
        self._texts, self._parses, self._room = texts, parses, max_bytes
        self._stream = code_texts.CodeStream(compressor, texts)
        self._skip = 0
        # What is not streamed does not tell how long it is: as many codes as bytes were asked for.
        # And of what is, some codes may stand for nothing, again and again.
        self._codes_left = max_bytes * (_MOST_CODES if self._stream.is_streamed else 1)

    def begin(self, way: ways.Ways, number: int) -> None:
        """Goes on from a fork: what its codes stand for comes again, and is not new."""
        self._skip = way.repeats
        self.walks = way.forks[number].walks
        for code in [*way.sure[way.fresh :], *way.path(number)]:
            self._new(self._stream.push(code))

    def take(self, id_: int) -> bytes:
        """The new bytes of one more id."""
        if id_ == vocab.EOS_ID:
            self.done = True
            return self._cut(self._new(self._stream.finish()))
        code = id_ - vocab.NUM_SPECIAL_IDS
        if self.walks:
            self.walks = self._parses.walk_on(self.walks, self._texts[code]) or ()
        try:
            piece = self._stream.push(code)
        except errors.InputError:
            # Windows of a text with EOS, and those that delayed windows never use, have no text.
            self.done = True
            return b""
        self._codes_left -= 1
        if not self._codes_left:
            self.done = True
            piece += self._stream.finish()
        return self._cut(self._new(piece))

    def _new(self, piece: bytes) -> bytes:
        """What of a piece is behind the prompt."""
        piece, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
        return piece

    def _cut(self, piece: bytes) -> bytes:
        piece = piece[: self._room]
        self._room -= len(piece)
        self.done = self.done or not self._room
        return piece
