"""Where the trainer's batches come from: arrays, and a position that fits in a checkpoint."""

from typing import Protocol

import numpy as np

from eiw import errors, vocab
from eiw.data import crops, permutation, token_files

Batch = dict[str, np.ndarray]


class BatchSource(Protocol):
    """Batches for one host, for ever, and a position to come back to.

    Two sources that were made alike give the same batches after `restore(state())`, bit for bit.
    The global batch does not depend on the number of hosts: host h of H has its rows h::H.
    """

    def next_batch(self) -> Batch:
        """int32[B, T] `decoder_input_tokens` and `decoder_target_tokens`, and float32[B, T]
        `decoder_loss_weights`: T5X's names."""
        ...

    def last_examples(self) -> np.ndarray:
        """int64[B]: which examples of the data the last batch was made of, by number."""
        ...

    def state(self) -> dict:
        """The position before the next batch, as JSON; the same on every host."""
        ...

    def restore(self, state: dict) -> None:
        """Goes to a position that `state` gave. Raises InputError if it is of other data."""
        ...


class TokenFileSource:
    """A token file, cut into examples of `length` ids, each once an epoch in a random order.

    Document ends play no part: an example begins where the last one ended, at any id, and what is
    left after the last whole example is not used; or examples begin where they are told to and
    overlap. Epochs follow each other without a break in the batches. Nothing but the position is
    kept, whatever the size of the file.
    """

    def __init__(
        self,
        tokens: token_files.TokenFile,
        batch_size: int,
        length: int,
        seed: int,
        host: int = 0,
        num_hosts: int = 1,
        starts: crops.Starts | None = None,
    ):
        """Args:
          tokens: the opened file.
          batch_size: examples of the global batch, all hosts together.
          length: ids of an example.
          seed: names the order.
          host: this host, `jax.process_index()`.
          num_hosts: `jax.process_count()`.
          starts: where examples begin; one after another for None.

        Raises:
          InputError: the file holds no whole example, or the hosts cannot share a batch evenly.
        """
        if not 0 <= host < num_hosts:
            raise ValueError(f"host {host} of {num_hosts}")
        if batch_size < 1 or batch_size % num_hosts:
            raise errors.InputError(
                f"A batch of {batch_size} cannot be shared by {num_hosts} hosts: choose a multiple."
            )
        if starts is None:
            starts = crops.Starts("blocks", range(0, tokens.num_tokens - length + 1, length))
        self._starts = starts
        self._examples = len(starts.places)
        if not self._examples:
            raise errors.InputError(
                f"The training text gives {tokens.num_tokens} tokens, fewer than one example of "
                f"{length}: give more text or a shorter length."
            )
        self._tokens, self._length, self._seed = tokens, length, seed
        self._batch_size = batch_size
        self._rows = np.arange(host, batch_size, num_hosts)
        # Examples that all hosts together have given out since the very start.
        self._position = 0
        self._last_examples = np.zeros(0, np.int64)

    def next_batch(self) -> Batch:
        epochs, indices = np.divmod(self._position + self._rows, self._examples)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            key = (self._seed, int(epoch))
            indices[chosen] = permutation.permute(indices[chosen], self._examples, key)
        self._position += self._batch_size
        self._last_examples = indices
        places = np.array([self._starts.places[index] for index in indices.tolist()], np.int64)
        ids = places[:, None] + np.arange(self._length)
        return language_model_batch(self._tokens.ids[ids].astype(np.int32))

    def last_examples(self) -> np.ndarray:
        return self._last_examples

    def state(self) -> dict:
        epoch, example = divmod(self._position, self._examples)
        return {
            "seed": self._seed,
            "epoch": epoch,
            "example": example,
            "examples": self._examples,
            "starts": self._starts.name,
            "tokens_sha256": self._tokens.sha256,
        }

    def restore(self, state: dict) -> None:
        own = self.state()
        for name in ("seed", "examples", "starts", "tokens_sha256"):
            if state.get(name) != own[name]:
                raise errors.InputError(
                    f"The checkpoint's data position is of other data ({name} was "
                    f"{state.get(name)}, is {own[name]}): resume with the data, the length and the "
                    "seed of the run."
                )
        self._position = state["epoch"] * self._examples + state["example"]


def language_model_batch(targets_BT: np.ndarray) -> Batch:
    """What T5X's LM feature converter makes of int32[B, T] targets.

    The input is the target moved right, its first id PAD_ID as the sign for "begin"; padding
    weighs nothing.
    """
    inputs_BT = np.full_like(targets_BT, vocab.PAD_ID)
    inputs_BT[:, 1:] = targets_BT[:, :-1]
    return {
        "decoder_input_tokens": inputs_BT,
        "decoder_target_tokens": targets_BT,
        "decoder_loss_weights": (targets_BT != vocab.PAD_ID).astype(np.float32),
    }
