"""What the training loop counts between one logged line and the next."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping

import jax
import numpy as np

from eiw import errors


@dataclasses.dataclass
class Tally:
    """Sums of steps, in float64.

    It is part of a checkpoint, so that a resumed run logs the losses of an uninterrupted one.

    Attributes:
      nats: cross entropy, since the last logged step.
      z_loss: likewise.
      weight: tokens that counted, likewise.
      tokens: tokens that counted, since the run began.
      gradient_norm: of the last step.
      logged_loss: the last mean cross entropy that was logged, if any.
    """

    nats: float = 0.0
    z_loss: float = 0.0
    weight: float = 0.0
    tokens: float = 0.0
    gradient_norm: float = 0.0
    logged_loss: float | None = None

    def add(self, number: int, values: Mapping[str, np.ndarray], examples: np.ndarray) -> None:
        """Adds a step's sums.

        Args:
          number: the step's.
          values: its metrics.
          examples: int64[B], which examples this host gave it.

        Raises:
          InputError: a metric is not finite.
        """
        for name in ("nats", "z_loss", "gradient_norm"):
            if not math.isfinite(values[name]):
                raise errors.InputError(
                    f"Step {number}: {name} is {float(values[name])}. Training stopped; the last "
                    "checkpoint is from before. Lower the learning rate, or look at the data: "
                    f"examples {', '.join(map(str, examples))} of host {jax.process_index()}."
                )
        self.nats += float(values["nats"])
        self.z_loss += float(values["z_loss"])
        self.weight += float(values["weight"])
        self.tokens += float(values["weight"])
        self.gradient_norm = float(values["gradient_norm"])

    def mean(self) -> dict[str, float]:
        """Means a token since the last call, which start anew."""
        weight = max(self.weight, 1.0)
        means = {
            "loss_nats": self.nats / weight,
            "z_loss": self.z_loss / weight,
            "gradient_norm": self.gradient_norm,
            "tokens": self.tokens,
        }
        self.logged_loss = means["loss_nats"]
        self.nats = self.z_loss = self.weight = 0.0
        return means

    def last_loss(self) -> float:
        """The last logged loss, or that of the steps so far if none was logged; NaN before any."""
        if self.logged_loss is not None:
            return self.logged_loss
        return self.nats / self.weight if self.weight else math.nan


class Clock:
    """Seconds spent on steps: not on compiling, evaluating and saving."""

    def __init__(self) -> None:
        self._excluded = 0.0
        self._first = self._last = None

    def start(self, done: int, tokens: float) -> None:
        self._first = self._last = (self._now(), done, tokens)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._excluded += time.monotonic() - start

    def rates(self, done: int, tokens: float) -> dict[str, float]:
        """Since the last call."""
        now = (self._now(), done, tokens)
        rates = self._between(self._last, now)
        self._last = now
        return rates

    def total_rates(self, done: int, tokens: float) -> dict[str, float]:
        """Since the start."""
        if self._first is None:
            return {"steps_per_s": 0.0, "tokens_per_s": 0.0}
        return self._between(self._first, (self._now(), done, tokens))

    def _now(self) -> float:
        return time.monotonic() - self._excluded

    @staticmethod
    def _between(start: tuple, end: tuple) -> dict[str, float]:
        seconds, steps, tokens = (b - a for a, b in zip(start, end, strict=True))
        seconds = max(seconds, 1e-9)
        return {"steps_per_s": steps / seconds, "tokens_per_s": tokens / seconds}
