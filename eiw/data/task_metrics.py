"""What SeqIO's evaluator, and so T5X, reports of a language model on our tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seqio


class NatsPerToken:
    """The cross entropy of a split's targets, as a SeqIO metric object.

    Bits/byte are not to be had here: an example's targets are trimmed, and how many bytes they
    stand for is then unknown. `eiw convert` brings a model to `eiw evaluate`, which scores whole
    documents. SeqIO's own metric functions would decode the targets, which trimmed AC does not
    allow.
    """

    model_output_type = seqio.metrics.ModelOutputType.SCORE

    def __init__(self, nats: float, tokens: int):
        self._nats, self._tokens = nats, tokens

    @classmethod
    def from_model_output(
        cls,
        inputs: Sequence[Mapping[str, Any]],
        model_output: np.ndarray,
        features: Mapping[str, seqio.Feature],
        target_field_name: str = "targets",
        mask: np.ndarray | None = None,
        indices_2d: np.ndarray | None = None,
    ) -> "NatsPerToken":
        """From each example's log likelihood, float[examples]; the arguments are SeqIO's."""
        del features, mask, indices_2d  # SeqIO's evaluator passes whole splits
        tokens = sum(len(example[target_field_name]) for example in inputs)
        return cls(-float(np.sum(model_output, dtype=np.float64)), tokens)

    def compute(self) -> dict[str, float]:
        """The metric under its name.

        Raises:
          ValueError: the split has no tokens.
        """
        if not self._tokens:
            raise ValueError("A split without tokens has no cross entropy.")
        return {"nats_per_token": self._nats / self._tokens}
