"""T5X's trainer with our network, tasks and sizes: `python -m eiw.t5x train|eval|infer [flags]`.

T5X is not on PyPI, so it is no dependency: put a checkout of it on PYTHONPATH, and install what
else it needs with `pip install 'eiw[t5x]'`. The flags are those of `t5x.main`, and gin files are
also looked for in eiw's own gin folder:

    python -m eiw.t5x train --gin_file=t5x/train.gin --gin_file=sizes/25m.gin \\
      --gin.MIXTURE_OR_TASK_NAME='"c4_bytes"' --gin.MODEL_DIR='"/tmp/run"'

What this module adds to T5X is what it takes to start today, and what its gin files bind.
"""

import contextlib
import functools
import importlib.util
import logging
import runpy
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.experimental.pjit
import jax.numpy as jnp
import seqio

import gin
from eiw import errors, gin_config
from eiw.models import config
from eiw.training import step_speed

_MODES = ("train", "eval", "infer")
_REPOSITORY = "https://github.com/google-research/t5x"
# Imported by T5X, and not brought by eiw's other dependencies.
_NEEDED = ("cached_property", "chex", "fiddle", "jaxtyping", "jestimator", "tensorboard")
# All of airio that T5X touches: it asks whether datasets and tasks are of these classes.
_AIRIO_CLASSES = ("AirIODatasetIterator", "DatasetProviderBase", "Mixture", "Task")


def task_vocabulary(task: str) -> seqio.Vocabulary:
    """The vocabulary of a task's targets, for gin: M2 needs no vocabulary of its own.

    Raises:
      InputError: the task's compressor is missing.
    """
    return seqio.get_mixture_or_task(task).output_features["targets"].vocabulary


def num_ids(task: str) -> int:
    """Ids of a task's targets, special ones included and padding not: `DecoderConfig.vocab_size`.

    Raises:
      InputError: the task's compressor is missing.
    """
    return task_vocabulary(task).vocab_size


def make_importable() -> None:
    """Does what T5X needs to be imported with the JAX of today and without airio.

    Raises:
      InputError: T5X or a package that it needs is not there.
    """
    if importlib.util.find_spec("t5x") is None:
        raise errors.InputError(
            f"There is no T5X on PYTHONPATH: clone {_REPOSITORY} and put the clone there."
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise errors.InputError(f"T5X needs {', '.join(missing)}: pip install 'eiw[t5x]'.")
    if "airio" not in sys.modules and importlib.util.find_spec("airio") is None:
        _add_airio()
    # jestimator imports it from where JAX had it until 2025.
    if not hasattr(jax.experimental.pjit, "PartitionSpec"):
        jax.experimental.pjit.PartitionSpec = jax.sharding.PartitionSpec


def train_step_of_example(
    model: config.DecoderConfig, batch_size: int, length: int
) -> step_speed.Subject:
    """T5X's own train step of its decoder-only example, of `model`'s dimensions: a rival to time.

    With T5X's Adafactor, z-loss and metrics; no dropout. Its layers share one relative bias.

    Raises:
      InputError: T5X or a package that it needs is not there.
    """
    make_importable()
    # T5X registers what gin may bind as it is imported, which gin refuses once it has parsed files.
    with gin.unlock_config():
        from t5x import adafactor, models, train_state, trainer
        from t5x.examples.decoder_only import network

    t5x_config = network.TransformerConfig(
        vocab_size=model.padded_vocab_size,
        dtype=model.dtype,
        emb_dim=model.embed_dim,
        num_heads=model.num_heads,
        num_layers=model.num_layers,
        head_dim=model.head_dim,
        mlp_dim=model.mlp_dim,
        mlp_activations=("relu", "linear"),
        dropout_rate=0.0,
    )
    t5x_model = models.DecoderOnlyModel(
        network.DecoderWrapper(t5x_config),
        seqio.ByteVocabulary(),
        adafactor.Adafactor(logical_factor_rules=adafactor.standard_logical_factor_rules()),
        z_loss=1e-4,
    )
    batch = jax.device_put(step_speed.random_batch((batch_size, length), model.vocab_size))
    variables = t5x_model.get_initial_variables(
        jax.random.key(0), {name: x.shape for name, x in batch.items()}
    )
    # T5X says for each parameter that its rule does not matter.
    with _quiet():
        state = train_state.FlaxOptimTrainState.create(t5x_model.optimizer_def, variables)

        @functools.partial(jax.jit, donate_argnums=0)
        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            return trainer.train_with_lr(
                state, batch, jnp.float32(0.01), jax.random.key(1), t5x_model, None
            )

        return step_speed.Subject(step.lower(state, batch).compile(), state, batch)


def main(argv: Sequence[str]) -> int:
    """Runs T5X's own main; `argv` is the mode and its flags. Returns the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if argv else 2
    mode, *flags = argv
    if mode not in _MODES:
        print(f"eiw.t5x: no mode {mode!r}; choose {', '.join(_MODES)}", file=sys.stderr)
        return 2
    try:
        make_importable()
        gin.add_config_file_search_path(str(gin_config.folder()))
        sys.argv = ["eiw.t5x", f"--run_mode={mode}", *flags]
        # T5X's gin files bind functions of `__main__`, so it has to be that.
        runpy.run_module("t5x.main", run_name="__main__", alter_sys=True)
    except errors.InputError as error:
        print(f"eiw.t5x {mode}: error: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _add_airio() -> None:
    """Stands in for airio, which is not on PyPI, by classes that nothing is an instance of."""
    package, core = types.ModuleType("airio"), types.ModuleType("airio.core")
    for name in _AIRIO_CLASSES:
        setattr(core, name, type(name, (), {}))
    package.core = core
    sys.modules |= {"airio": package, "airio.core": core}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
