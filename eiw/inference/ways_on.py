"""Which of the ways on are a compressor's."""

import numpy as np

from eiw import errors
from eiw.compressors import base, forward_stream
from eiw.inference import bit_ways, canonical, code_texts, dictionary_ways, entry_ways, ways

# Why texts that begin alike have codes that need not.
_NOTHING_SHARED = {
    "ans": "is coded from its end to its beginning, so that its first code depends on all of it",
    "gzip": "begins with tables made for all of it",
}


class NoWays:
    """Of compressors of which the codes of a prompt say nothing about those of a longer text.

    Args:
      compressor: that is so.
      reason: what a text's codes do, a sentence's end.
    """

    approximation = ""
    alignment = 1

    def __init__(self, compressor: base.Compressor, reason: str) -> None:
        self._compressor, self._reason = compressor, reason

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        if prompt:
            raise errors.InputError(
                f"A text of {self._compressor.name} {self._reason}: no code of one that begins "
                "with the prompt is known, and M2 cannot go on with it. Give an empty prompt, or "
                "an M2 of another compressor."
            )
        return _free([], self._compressor.vocab_size, 0)


class FreeWays:
    """Of codes that go on behind those of the prompt as if it ended there: never exact.

    Args:
      compressor: whose codes these are.
      approximation: see `WaysOn`.
    """

    alignment = 1

    def __init__(self, compressor: base.Compressor, approximation: str) -> None:
        self._compressor, self.approximation = compressor, approximation

    def after(self, prompt: bytes, room: int) -> ways.Ways:
        """See `WaysOn`."""
        codes = self._compressor.encode(prompt)
        repeats = len(self._compressor.decode(codes))
        return _free(codes.tolist(), self._compressor.vocab_size, repeats)


def ways_on(compressor: base.Compressor, parses: canonical.CanonicalParses | None) -> ways.WaysOn:
    """The ways on from prompts under a compressor.

    Args:
      compressor: any.
      parses: of the texts of its codes, where each has one.
    """
    kind = compressor.kind
    if reason := _reason_of_none(compressor):
        return NoWays(compressor, reason)
    if code_texts.takes_longest(compressor):
        return dictionary_ways.LongestWays(compressor, parses)
    if kind == "tunstall" and compressor.parse.cut == "greedy":
        return dictionary_ways.WordWays(compressor, parses)
    if kind == "tunstall" or (kind == "sentencepiece" and compressor.lossless):
        return dictionary_ways.BestPathWays(compressor, parses)
    if kind == "window_dictionary":
        return entry_ways.EntryWays(compressor)
    if kind in ("equal_info", "lazy_windows"):
        return bit_ways.WindowWays(compressor)
    if isinstance(compressor, forward_stream.ForwardStream):
        return bit_ways.BlockWays(compressor)
    return FreeWays(compressor, ways.LOSSY)


def takes_prompts(compressor: base.Compressor) -> bool:
    """Whether M2 can go on with a prompt that is not empty."""
    return _reason_of_none(compressor) is None


def _reason_of_none(compressor: base.Compressor) -> str | None:
    """What a text's codes do where they say nothing about those of a longer one."""
    if isinstance(compressor, forward_stream.ForwardStream) and not compressor.ends_by_eos:
        return "has each block's length before it, as its byte model knows no EOS"
    return _NOTHING_SHARED.get(compressor.kind)


def _free(codes: list[int], num_codes: int, repeats: int) -> ways.Ways:
    """Anything may follow some codes, which are decoded from the first on."""
    anything = ways.Fork(-1, -1, np.ones(num_codes + 1, bool))
    return ways.Ways(codes, [anything], 0, repeats)
