"""All that training wants of a SeqIO task, in one object that can live in a process of its own."""

from collections.abc import Iterator, Sequence

import numpy as np
import seqio

from eiw import errors
from eiw.data import task_facts, task_text, token_files


class TaskReader:
    """An opened task.

    `remote_object.RemoteObject("eiw.data.task_reader:TaskReader", ...)` makes one where neither its
    import nor its work keeps a trainer waiting; arguments and results are small enough for that.
    """

    def __init__(
        self,
        name: str,
        modules: Sequence[str],
        use_cached: bool = False,
        cache_dirs: Sequence[str] = (),
        tfds_data_dir: str | None = None,
    ) -> None:
        """Registers tasks and looks one of them up.

        Args:
          name: of the task.
          modules: which register tasks; they are imported.
          use_cached: read the ids from its offline cache.
          cache_dirs: where caches are looked for, besides those that SeqIO knows.
          tfds_data_dir: where TFDS has its data; default: TFDS's own choice.

        Raises:
          InputError: there is no such module, task or cache.
        """
        task_text.register(modules)
        if tfds_data_dir is not None:
            seqio.set_tfds_data_dir_override(tfds_data_dir)
        self._task = task_text.find(name)
        seqio.add_global_cache_dirs(list(cache_dirs))
        if use_cached and not self._task.cache_dir:
            raise errors.InputError(
                f"{name} is in none of the caches {seqio.get_global_cache_dirs()}: make it by "
                "`eiw compress --tasks`, and say where by --cache_dirs."
            )
        self._use_cached = use_cached
        self._vocabulary = self._task.output_features["targets"].vocabulary
        self._batches: Iterator[np.ndarray] = iter(())

    def facts(self, scored_split: str) -> task_facts.TaskFacts:
        """What the task is; loads its compressor.

        Raises:
          InputError: it is missing, or `scored_split` cannot be scored: `task_text.check_scorable`.
        """
        task_text.check_scorable(self._task, scored_split)
        compressor = self._vocabulary.compressor
        return task_facts.TaskFacts(
            self._task.name,
            token_files.compressor_facts(compressor),
            compressor.fingerprint,
            compressor.vocab_size,
        )

    def first_batch(
        self, split: str, batch_size: int, length: int, seed: int, position: int
    ) -> np.ndarray | None:
        """Goes to a position in the shuffled, endless examples of a split; see `next_batch`.

        Args:
          split: its name.
          batch_size: examples of a batch.
          length: ids of an example; longer ones are cut, shorter ones padded.
          seed: decides the order.
          position: examples to skip; they are made nevertheless.
        """
        # Without a feature converter, which would trace TensorFlow functions for a second: padding
        # is all that is wanted of it. The task itself cuts what is too long.
        dataset = self._task.get_dataset(
            {"targets": length},
            split,
            shuffle=True,
            num_epochs=None,
            use_cached=self._use_cached,
            seed=seed,
        )
        shapes = {name: spec.shape for name, spec in dataset.element_spec.items()}
        dataset = dataset.skip(position).padded_batch(
            batch_size, shapes | {"targets": [length]}, drop_remainder=True
        )
        examples = dataset.as_numpy_iterator()
        self._batches = (batch["targets"] for batch in examples)
        return self.next_batch()

    def next_batch(self) -> np.ndarray | None:
        """int32[B, T] targets; None if the split has no examples."""
        return next(self._batches, None)

    def held_out(self, split: str, max_examples: int, length: int) -> task_facts.HeldOut:
        """See `task_text.held_out`."""
        return task_text.held_out(self._task, split, max_examples, length, self._use_cached)

    def first_examples(self, split: str, min_bytes: int) -> tuple[list[np.ndarray], np.ndarray]:
        """See `task_text.first_examples`."""
        return task_text.first_examples(self._task, split, min_bytes)

    def training_ids(self, max_examples: int, length: int) -> np.ndarray:
        """See `task_text.training_ids`."""
        return task_text.training_ids(self._task, max_examples, length, self._use_cached)
