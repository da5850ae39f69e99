"""Floating-point operations: the paper's rule of thumb, and what the decoder really multiplies.

Forward passes only, two operations for a multiplication and its addition. A training step takes
three times as many (the backward pass has two products for each one), more with rematerialisation.
"""

import dataclasses

from eiw.models.config import DecoderConfig

# The paper counts with its sizes' names, not with the parameters of their kernels (Table 4).
_NOMINAL_PARAMS = {
    3_145_728: 3e6,
    25_165_824: 25e6,
    113_246_208: 113e6,
    402_653_184: 403e6,
    1_610_612_736: 2e9,
}
_M1_PARAMS = 3e6


def nominal_params(kernel_params: int) -> float:
    """What the paper calls a network of so many parameters; those of other sizes are themselves."""
    return _NOMINAL_PARAMS.get(kernel_params, float(kernel_params))


def paper_flops_per_byte(params: float, bytes_per_token: float, m1: bool) -> float:
    """FLOPs per byte of text as the paper's tables have them (3.8 and D.4).

    Two operations a parameter and token; attention scores, embedding and head are not counted.

    Args:
      params: of M2, nominal: 25e6, 113e6, 403e6 or 2e9.
      bytes_per_token: token compression ratio.
      m1: whether M1 runs over each byte too (AC and EqualInfoAC in the paper). It does not where
        windows were compiled to a dictionary.

    Raises:
      ValueError: no bytes in a token.
    """
    if bytes_per_token <= 0:
        raise ValueError(f"bytes_per_token is {bytes_per_token}: it must be positive.")
    return 2 * params / bytes_per_token + (2 * _M1_PARAMS if m1 else 0)


@dataclasses.dataclass(frozen=True)
class Flops:
    """Operations a token in the matrix products of a forward pass, all layers together.

    Attributes:
      projections: to queries, keys and values, and back from the heads.
      attention: scores, and the weighted sums of values.
      mlp: the three products of the gated feed-forward.
      head: logits, those of padded ids too, since they are computed. The embedding is a look-up
        and costs none.
    """

    projections: float
    attention: float
    mlp: float
    head: float

    @property
    def total(self) -> float:
        return self.projections + self.attention + self.mlp + self.head


def exact_flops_per_token(config: DecoderConfig, length: int, *, causal: bool = True) -> Flops:
    """Operations a token, averaged over a sequence.

    Args:
      config: the decoder.
      length: tokens in the sequence.
      causal: count the keys that a token may read, (length + 1) / 2 on average: what the model
        needs. Or else all `length` of them: what an attention that masks a full square computes.

    Raises:
      ValueError: an empty sequence.
    """
    if length < 1:
        raise ValueError(f"length is {length}: it must be positive.")
    heads_width = config.num_heads * config.head_dim
    keys = (length + 1) / 2 if causal else length
    return Flops(
        projections=config.num_layers * 2 * 4 * config.embed_dim * heads_width,
        attention=config.num_layers * 2 * 2 * keys * heads_width,
        mlp=config.num_layers * 2 * 3 * config.embed_dim * config.mlp_dim,
        head=2 * config.embed_dim * config.padded_vocab_size,
    )
