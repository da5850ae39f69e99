"""Batches for the trainer straight from a SeqIO task, compressed on the fly or cached."""

import numpy as np

from eiw import errors, remote_object
from eiw.data import batches


class TaskSource:
    """A SeqIO task as a `batches.BatchSource`; another process reads it.

    It resumes by making and dropping the examples that were used before: no iterator of a pipeline
    with Python in it can be saved. And every host makes the whole global batch, so that the batch
    is the same for any number of hosts. Where either costs too much, write token files, or cache
    the task and train with T5X.
    """

    def __init__(
        self,
        reader: remote_object.RemoteObject,
        task: str,
        batch_size: int,
        length: int,
        seed: int,
        host: int = 0,
        num_hosts: int = 1,
        split: str = "train",
    ) -> None:
        """Begins to make the first batch.

        Args:
          reader: a `task_reader.TaskReader`; it makes the batches of one source at a time.
          task: its name.
          batch_size: examples of the global batch, all hosts together.
          length: ids of an example; longer ones are cut, shorter ones padded.
          seed: decides the order.
          host: this host, `jax.process_index()`.
          num_hosts: `jax.process_count()`.
          split: of the task.

        Raises:
          InputError: the hosts cannot share a batch evenly.
        """
        if batch_size < 1 or batch_size % num_hosts:
            raise errors.InputError(
                f"A batch of {batch_size} cannot be shared by {num_hosts} hosts: choose a multiple."
            )
        self._data = {"task": task, "split": split, "length": length, "seed": seed}
        self._reader = reader
        self._batch_size, self._host, self._num_hosts = batch_size, host, num_hosts
        self._go_to(0)

    def next_batch(self) -> batches.Batch:
        """See `BatchSource`.

        Raises:
          InputError: the split has no examples.
        """
        targets_BT = self._next.result()
        if targets_BT is None:
            raise errors.InputError(
                f"Task {self._data['task']} has no examples in {self._data['split']}."
            )
        # The next one is made while the device is busy with this one.
        self._next = self._reader.ask("next_batch")
        self._position += self._batch_size
        return batches.language_model_batch(targets_BT[self._host :: self._num_hosts])

    def last_examples(self) -> np.ndarray:
        """Numbers in the task's order for this seed, which is what can be made again."""
        first = self._position - self._batch_size
        return np.arange(first + self._host, self._position, self._num_hosts)

    def state(self) -> dict:
        return {**self._data, "example": self._position}

    def restore(self, state: dict) -> None:
        for name, value in self._data.items():
            if state.get(name) != value:
                raise errors.InputError(
                    f"The checkpoint's data position is of other data ({name} was "
                    f"{state.get(name)}, is {value}): resume with the data, the length and the "
                    "seed of the run."
                )
        if state["example"] != self._position:
            self._go_to(state["example"])

    def _go_to(self, position: int) -> None:
        self._position = position
        split, length, seed = (self._data[name] for name in ("split", "length", "seed"))
        self._next = self._reader.ask(
            "first_batch", split, self._batch_size, length, seed, position
        )
