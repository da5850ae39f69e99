"""A tiny network and an endless source of batches, for the trainer's tests."""

import numpy as np

from eiw.models import config, decoder

VOCAB_SIZE = 259
BATCH, LENGTH = 4, 16


def tiny_model(**changes) -> decoder.Decoder:
    """Two layers, 32 wide; `changes` are fields of its config."""
    fields = {
        "vocab_size": VOCAB_SIZE,
        "embed_dim": 32,
        "num_heads": 2,
        "num_layers": 2,
        "mlp_dim": 64,
        "head_dim": 16,
    }
    return decoder.Decoder(config.DecoderConfig(**(fields | changes)))


class RandomSource:
    """Batches that are a function of (seed, index); the first `repeat` of them come again."""

    def __init__(self, seed: int = 0, repeat: int | None = None):
        self.seed = seed
        self.repeat = repeat
        self.index = 0

    def next_batch(self) -> dict[str, np.ndarray]:
        number = self.index if self.repeat is None else self.index % self.repeat
        self.index += 1
        rng = np.random.default_rng((self.seed, number))
        tokens = rng.integers(3, VOCAB_SIZE, (BATCH, LENGTH)).astype(np.int32)
        inputs = np.pad(tokens[:, :-1], ((0, 0), (1, 0)))
        weights = np.ones((BATCH, LENGTH), np.float32)
        weights[0, -3:] = 0
        return {
            "decoder_input_tokens": inputs,
            "decoder_target_tokens": tokens,
            "decoder_loss_weights": weights,
        }

    def last_examples(self) -> np.ndarray:
        return np.arange(BATCH * (self.index - 1), BATCH * self.index)

    def state(self) -> dict:
        return {"seed": self.seed, "index": self.index}

    def restore(self, state: dict) -> None:
        self.seed, self.index = state["seed"], state["index"]
