"""Batches for the trainer straight from a SeqIO task, compressed on the fly or cached."""

from collections.abc import Iterator
from concurrent import futures

import numpy as np
import seqio

from eiw import errors
from eiw.data import batches


class SeqioSource:
    """A SeqIO task or mixture as a `batches.BatchSource`.

    It resumes by making and dropping the examples that were used before: no iterator of a pipeline
    with Python in it can be saved. And every host makes the whole global batch, so that the batch
    is the same for any number of hosts. Where either costs too much, write token files, or cache
    the task and train with T5X.
    """

    def __init__(
        self,
        task: str,
        batch_size: int,
        length: int,
        seed: int,
        host: int = 0,
        num_hosts: int = 1,
        split: str = "train",
        use_cached: bool = False,
    ):
        """Args:
          task: name of a registered task or mixture with the feature "targets".
          batch_size: examples of the global batch, all hosts together.
          length: ids of an example; longer ones are cut, shorter ones padded.
          seed: decides the order.
          host: this host, `jax.process_index()`.
          num_hosts: `jax.process_count()`.
          split: of the task.
          use_cached: read what `seqio_cache_tasks` wrote.

        Raises:
          InputError: the hosts cannot share a batch evenly, or the task lacks its compressor.
        """
        if batch_size < 1 or batch_size % num_hosts:
            raise errors.InputError(
                f"A batch of {batch_size} cannot be shared by {num_hosts} hosts: choose a multiple."
            )
        self._data = {"task": task, "split": split, "length": length, "seed": seed}
        self._batch_size, self._host, self._num_hosts = batch_size, host, num_hosts
        self._use_cached = use_cached
        self._thread = futures.ThreadPoolExecutor(1, "batches")
        self._go_to(0)

    def next_batch(self) -> batches.Batch:
        """See `BatchSource`.

        Raises:
          InputError: the split has no examples.
        """
        examples = self._next.result()
        if examples is None:
            raise errors.InputError(
                f"Task {self._data['task']} has no examples in {self._data['split']}."
            )
        self._make_next()
        targets_BT = examples["targets"]
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
                    f"{state.get(name)}, is {value}): resume with the data and seed of the run."
                )
        self._go_to(state["example"])

    def _go_to(self, position: int) -> None:
        # Without a feature converter, which would trace TensorFlow functions for a second: padding
        # is all that is wanted of it. The task itself cuts what is too long.
        length = self._data["length"]
        dataset = seqio.get_mixture_or_task(self._data["task"]).get_dataset(
            {"targets": length},
            self._data["split"],
            shuffle=True,
            num_epochs=None,
            use_cached=self._use_cached,
            seed=self._data["seed"],
        )
        shapes = {name: spec.shape for name, spec in dataset.element_spec.items()}
        dataset = dataset.skip(position).padded_batch(
            self._batch_size, shapes | {"targets": [length]}, drop_remainder=True
        )
        self._iterator: Iterator[dict[str, np.ndarray]] = dataset.as_numpy_iterator()
        self._position = position
        self._make_next()

    def _make_next(self) -> None:
        """Begins to make a batch, while the device is busy with the one before, or compiling."""
        self._next = self._thread.submit(next, self._iterator, None)
