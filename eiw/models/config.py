"""The shape of a decoder, as plain data: what gin binds and what artefacts store as JSON."""

import dataclasses
from typing import Any

from eiw import errors, vocab

_REMAT_POLICIES = ("none", "dots", "full")
_DTYPES = ("float32", "bfloat16", "float64")
_POSITIVE = (
    "vocab_size",
    "embed_dim",
    "num_heads",
    "num_layers",
    "mlp_dim",
    "head_dim",
    "relative_buckets",
    "relative_max_distance",
)


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """Hyperparameters of `Decoder` (sizes: paper, Table 4).

    Attributes:
      vocab_size: ids that exist, the three special ones included. Embedding and head are padded to
        `padded_vocab_size`; the padding is never in this number.
      embed_dim: width of the residual stream.
      num_heads: attention heads.
      num_layers: attention + feed-forward pairs.
      mlp_dim: width of the gated feed-forward.
      head_dim: width of a head; heads need not add up to `embed_dim`.
      dtype: of activations: "float32", "bfloat16" or "float64" (which needs JAX's x64 mode).
        Parameters, softmax and logits are at least float32 whatever it is.
      dropout_rate: share of units dropped where `enable_dropout` is set; 0 in the paper's runs.
      relative_buckets: rows of each layer's table of relative position biases.
      relative_max_distance: tokens from which on all distances share the last bucket.
      scan_layers: compile one layer and loop over it (parameters are stacked), or unroll.
      remat: what the backward pass computes again: "none", "dots" (all but the results of matrix
        products with parameters) or "full" (all but each layer's input).
      size: what reports call these dimensions: "3m".

    Raises:
      InputError: a size below one, or a name that is none of those above.
    """

    vocab_size: int
    embed_dim: int
    num_heads: int
    num_layers: int
    mlp_dim: int
    head_dim: int = 64
    dtype: str = "float32"
    dropout_rate: float = 0.0
    relative_buckets: int = 32
    relative_max_distance: int = 128
    scan_layers: bool = True
    remat: str = "none"
    size: str = ""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            errors.check_whole_number(f"DecoderConfig.{name}", getattr(self, name))
        # Half of the buckets hold one distance each, the others grow up to the greatest distance.
        if self.relative_buckets < 2 or self.relative_max_distance <= self.relative_buckets // 2:
            raise errors.InputError(
                f"DecoderConfig.relative_max_distance is {self.relative_max_distance}: give more "
                f"than half of relative_buckets ({self.relative_buckets}, itself at least 2)."
            )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise errors.InputError(
                f"DecoderConfig.dropout_rate is {self.dropout_rate!r}: give 0 <= rate < 1."
            )
        for name, known in (("dtype", _DTYPES), ("remat", _REMAT_POLICIES)):
            if getattr(self, name) not in known:
                raise errors.InputError(
                    f"DecoderConfig.{name} is {getattr(self, name)!r}: give one of {list(known)}."
                )

    @property
    def padded_vocab_size(self) -> int:
        """Rows of the embedding and columns of the head."""
        return vocab.padded_vocab_size(self.vocab_size)

    @property
    def wide_dtype(self) -> str:
        """Of parameters, norms, softmax and logits: `dtype`, but at least float32."""
        return "float64" if self.dtype == "float64" else "float32"

    def kernel_params(self) -> int:
        """Parameters in the kernels of attention and feed-forward: what the paper calls the size.

        Embedding, head, norm scales and relative biases are not counted.
        """
        attention = 4 * self.embed_dim * self.num_heads * self.head_dim
        mlp = 3 * self.embed_dim * self.mlp_dim
        return self.num_layers * (attention + mlp)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` is the way back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DecoderConfig":
        """The config whose `to_dict` is `values`.

        Raises:
          InputError: a name that is unknown or missing, or a value that makes no decoder.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise errors.InputError(f"Unknown fields of DecoderConfig: {', '.join(unknown)}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise errors.InputError(f"Not a DecoderConfig: {error}.") from error
