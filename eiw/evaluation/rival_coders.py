"""The entropy coders of constriction, to measure ours against; of the extra `bench`, optional."""

from collections.abc import Sequence

import numpy as np

from eiw.evaluation import coder_speed


def constriction_coders(symbols: np.ndarray) -> list[coder_speed.Coder]:
    """Its range coder and its ANS with the distribution of uint8[n] symbols; none if not installed.

    The model is made once, with `perfect=False`, its faster way to round probabilities.
    """
    try:
        import constriction
    except ImportError:
        return []
    weights = np.bincount(symbols, minlength=256) + 1.0
    model = constriction.stream.model.Categorical(weights / weights.sum(), perfect=False)

    def encode_range(blocks: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray]]:
        codes = []
        for block in blocks:
            encoder = constriction.stream.queue.RangeEncoder()
            encoder.encode(block.astype(np.int32), model)
            codes.append((len(block), encoder.get_compressed()))
        return codes

    def decode_range(codes: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        return [
            constriction.stream.queue.RangeDecoder(words).decode(model, length)
            for length, words in codes
        ]

    def encode_ans(blocks: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray]]:
        codes = []
        for block in blocks:
            encoder = constriction.stream.stack.AnsCoder()
            encoder.encode_reverse(block.astype(np.int32), model)
            codes.append((len(block), encoder.get_compressed()))
        return codes

    def decode_ans(codes: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        return [
            constriction.stream.stack.AnsCoder(words).decode(model, length)
            for length, words in codes
        ]

    def count_bits(codes: list[tuple[int, np.ndarray]]) -> int:
        return 32 * sum(len(words) for _, words in codes)

    return [
        coder_speed.Coder("constriction range coder", encode_range, decode_range, count_bits),
        coder_speed.Coder("constriction ANS", encode_ans, decode_ans, count_bits),
    ]
