"""The settings that decide the codes of Equal-Info Windows, the same for every implementation."""

import dataclasses
from typing import Any

from eiw import errors
from eiw.compressors import base

# How an interval is refined. A file made with another function has other codes, so it is named in
# every header:
#   floor_guard_p: the unit interval is 2^(W + P) points, P the precision of the CDFs; the child x
#   of [low, low + width) is [low + floor(width cdf[x] / 2^P), low + floor(width cdf[x + 1] / 2^P)).
_INTERVAL_FUNCTION = "floor_guard_p"
_OWN_CELLS = ("smallest", "roundest")
_WINDOW_ENDS = ("exact", "greedy", "delay")


@dataclasses.dataclass(frozen=True)
class WindowFormat:
    """Settings of Equal-Info Windows.

    Attributes:
      precision: P, the precision of the byte model's CDFs.
      window_bits: W, the bits of a window; at least P, so that every single symbol has a window.
      token_bits: N, the bits of a token, at most W; windows follow one another bit by bit.
      own_cell: which of its own cells a text is named by: "smallest", or "roundest", the one with
        the most trailing zeros (the smallest of these), which is nearer to the paper's padding.
        Only exact windows know own cells.
      max_depth: symbols in a window at most.
      window_end: "exact"; or the paper's "greedy" and "delay", see `padded_windows`.
      reset_every: M1 begins afresh with every n-th window of a text: 1, with each; 0, with the
        first alone. The coder begins afresh with each (paper, A.2).

    Raises:
      InputError: a value is out of range.
    """

    precision: int
    window_bits: int = 16
    token_bits: int = 16
    own_cell: str = "smallest"
    max_depth: int = 1024
    window_end: str = "exact"
    reset_every: int = 1

    def __post_init__(self) -> None:
        if self.window_bits < self.precision:
            raise errors.InputError(
                f"window_bits={self.window_bits} is less than M1's precision of {self.precision} "
                "bits: some single byte would fit into no window. Use wider windows."
            )
        if not 1 <= self.token_bits <= min(self.window_bits, 30):
            raise errors.InputError(
                f"token_bits={self.token_bits} must be in 1..{min(self.window_bits, 30)}, "
                "the bits of a window at most."
            )
        if self.own_cell not in _OWN_CELLS:
            raise errors.InputError(
                f"own_cell={self.own_cell!r} is unknown: choose {' or '.join(_OWN_CELLS)}."
            )
        if self.window_end not in _WINDOW_ENDS:
            raise errors.InputError(
                f"window_end={self.window_end!r} is unknown: choose {', '.join(_WINDOW_ENDS)}."
            )
        if self.window_end != "exact" and self.own_cell != _OWN_CELLS[0]:
            raise errors.InputError(
                f"own_cell={self.own_cell!r} goes with window_end='exact' only: the windows of "
                f"{self.window_end!r} own no cells."
            )
        if self.reset_every < 0:
            raise errors.InputError(f"reset_every={self.reset_every} must be at least 0: never.")
        if self.window_end == "greedy" and self.reset_every != 1:
            raise errors.InputError(
                "Greedy windows need reset_every=1: a window that decodes to another text would "
                "leave M1 with another context, and all that follows would be lost. Use 'delay'."
            )
        if self.max_depth < 1:
            raise errors.InputError(f"max_depth={self.max_depth} must be at least 1.")

    @property
    def name(self) -> str:
        """As in "equal_info_b16_v65k", "equal_info_b16_v256_reset2", "equal_info_b24_v65k_delay".

        The paper's own ends and resets are named; `own_cell` is not.
        """
        size = base.size_label(1 << self.token_bits)
        return "_".join([f"equal_info_b{self.window_bits}_{size}", *self._differences])

    @property
    def _differences(self) -> list[str]:
        """What sets the windows apart from the exact ones that M1 begins afresh with."""
        reset = "" if self.reset_every == 1 else f"reset{self.reset_every}"
        ending = "" if self.window_end == "exact" else self.window_end
        return [name for name in (reset, ending) if name]

    @property
    def variant(self) -> str:
        """What differs from exact windows named by their smallest cell, "" for nothing."""
        own_cell = "" if self.own_cell == "smallest" else self.own_cell
        return "_".join(filter(None, [own_cell, *self._differences]))

    def to_config(self) -> dict[str, Any]:
        """JSON values, with the interval function."""
        config = dataclasses.asdict(self) | {"interval": _INTERVAL_FUNCTION}
        if self.reset_every == 1:
            # Folders written before there was a choice have the same settings and fingerprint.
            del config["reset_every"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WindowFormat":
        """Reads `to_config` back; keys that are not this format's are left alone.

        Raises:
          ArtefactError: the interval function is one that this version does not know.
        """
        if config.get("interval") != _INTERVAL_FUNCTION:
            raise errors.ArtefactError(
                f"The windows were made with interval function {config.get('interval')!r}; "
                f"this eiw knows {_INTERVAL_FUNCTION!r}: build the compressor anew."
            )
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in names})
