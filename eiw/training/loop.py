"""The training loop: batches in, checkpoints and numbers out, stoppable and resumable anywhere."""

import collections
import dataclasses
import enum
import functools
import json
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

from eiw import atomic, errors
from eiw.data import batches
from eiw.models import decoder
from eiw.training import (
    checkpoint,
    hosts,
    metrics,
    profile,
    programs,
    sharding,
    state,
    step,
    stop_signal,
    tallies,
)
from eiw.training import optimizer as optimizers

# Called with the parameters; what it returns (bits/byte on held-out text) is logged.
Evaluate = Callable[[Any], Mapping[str, float]]

# Of the numbers of a `TrainConfig`.
_LEAST = {
    **dict.fromkeys(("steps", "log_every", "checkpoint_every", "keep"), 1),
    **dict.fromkeys(("loss_chunk_logits", "microbatches"), 1),
    **dict.fromkeys(("evaluate_every", "profile_steps"), 0),
}
# Steps the device may be behind the host: enough to never wait for it, few enough to stop soon.
_STEPS_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
      steps: updates to make, those before a resume included.
      max_seconds: wall time, those before a resume, compiling, evaluating and saving included; the
        last steps and the last checkpoint come on top. None: no limit.
      seed: of the parameters and of dropout; the data have their own.
      optimizer: a factory from `eiw.training.optimizer`.
      z_loss: coefficient of the z-loss.
      log_every: steps a logged loss is the mean of.
      checkpoint_every: steps between checkpoints; one more is written at the end.
      evaluate_every: steps between evaluations; 0: none.
      keep: checkpoints that stay on disk.
      mesh: sizes of the mesh's axes, see `sharding.make_mesh`.
      loss_chunk_logits: see `step.make_train_step`.
      microbatches: see `step.make_train_step`.
      profile_steps: steps that `jax.profiler` traces into the run's profile/, after the first ones.

    Raises:
      InputError: a number that makes no sense.
    """

    steps: int
    max_seconds: float | None = None
    seed: int = 0
    optimizer: optimizers.OptimizerFactory = dataclasses.field(default_factory=optimizers.Adafactor)
    z_loss: float = 1e-4
    log_every: int = 100
    checkpoint_every: int = 1_000
    evaluate_every: int = 0
    keep: int = 2
    mesh: Mapping[str, int] = dataclasses.field(default_factory=dict)
    loss_chunk_logits: int = 2**25
    microbatches: int | None = None
    profile_steps: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            number = getattr(self, name)
            if name == "microbatches" and number is None:
                continue
            errors.check_whole_number(f"TrainConfig.{name}", number, least)
        limit = self.max_seconds
        if limit is not None and not (isinstance(limit, int | float) and limit >= 0):
            raise errors.InputError(
                f"TrainConfig.max_seconds is {limit!r}: give seconds, or None for no limit."
            )
        if isinstance(self.optimizer, type):
            name = self.optimizer.__name__
            raise errors.InputError(
                f"TrainConfig.optimizer is a class: @optimizer.{name}() makes one."
            )


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
      state: the last state, on the mesh.
      steps: updates made, those before a resume included.
      tokens: tokens that counted in the loss, likewise.
      seconds: wall time, likewise; compiling included.
      steps_per_s: of this call, without compiling, evaluating and saving; 0 if it made no step.
      tokens_per_s: likewise.
      loss_nats: cross entropy a token over the last `log_every` steps, z-loss not included.
      interrupted: a signal ended the run; calling `train` again goes on.
    """

    state: state.TrainState
    steps: int
    tokens: int
    seconds: float
    steps_per_s: float
    tokens_per_s: float
    loss_nats: float
    interrupted: bool


def prepare(
    model: decoder.Decoder,
    run_dir: pathlib.Path,
    config: TrainConfig,
    batch_shape: tuple[int, int] | None = None,
) -> programs.Programs:
    """The programs that `train` will run.

    Args:
      model: as of `train`.
      run_dir: likewise.
      config: likewise.
      batch_shape: rows and ids of the global batch: they are compiled from now on, in threads.

    Raises:
      InputError: the mesh does not fit.
    """
    blueprint = state.blueprint(model, config.optimizer, sharding.make_mesh(config.mesh))
    prepared = programs.Programs(
        blueprint,
        functools.partial(
            step.make_train_step,
            z_loss=config.z_loss,
            loss_chunk_logits=config.loss_chunk_logits,
            microbatches=config.microbatches,
        ),
    )
    if batch_shape is not None:
        prepared.start(batch_shape, init=not checkpoint.steps(run_dir))
    return prepared


def train(
    model: decoder.Decoder,
    source: batches.BatchSource,
    run_dir: pathlib.Path,
    config: TrainConfig,
    *,
    evaluate: Evaluate | None = None,
    prepared: programs.Programs | None = None,
    data: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Trains from the run's newest checkpoint, or from the start, until steps or seconds are up.

    A resumed run equals an uninterrupted one bit for bit on the same number of visible CPUs:
    parameters, optimizer, random keys, logged losses and the order of the data. SIGTERM and SIGINT
    save a checkpoint and return; a second signal, later than an echo, acts as usual.

    Several hosts (`hosts.join`) call this alike, each with a source of its own rows and all with
    the same `run_dir`, on storage that they share. The first one writes what is written; a run may
    go on with another number of hosts.

    Args:
      model: the network.
      source: batches; its position is saved and restored.
      run_dir: gets config.json, metrics.jsonl, tensorboard/ and checkpoints/.
      config: how to train.
      evaluate: called every `config.evaluate_every` steps with the parameters on the mesh, which
        the next step consumes.
      prepared: what `prepare` gave for the same model, folder and config.
      data: what the data are, as JSON, for config.json.

    Raises:
      InputError: the loss or the gradient is not finite (the step is named, and nothing of it is
        saved), the folder cannot be written, or the mesh does not fit.
      ArtefactError: no checkpoint of the run is whole, or they are of another network.
    """
    run_dir = pathlib.Path(run_dir)
    atomic.make_folder(run_dir)
    prepared = prepared or prepare(model, run_dir, config)
    run = _Run(model, source, run_dir, config, evaluate, prepared, data)
    with jax.set_mesh(run.blueprint.mesh), stop_signal.listen() as stop:
        return run.train(stop)


class _Stop(enum.IntEnum):
    """Why to stop before the last step; of several hosts' reasons the greatest counts."""

    NOT = 0
    TIME = 1
    SIGNAL = 2


class _Run:
    """One call of `train`."""

    def __init__(
        self,
        model: decoder.Decoder,
        source: batches.BatchSource,
        run_dir: pathlib.Path,
        config: TrainConfig,
        evaluate: Evaluate | None,
        prepared: programs.Programs,
        data: Mapping[str, Any] | None,
    ) -> None:
        self.started = time.monotonic()
        self.model, self.source, self.run_dir, self.config = model, source, run_dir, config
        self.evaluate, self.data = evaluate, data
        self.prepared, self.blueprint = prepared, prepared.blueprint

    def train(self, stop: list[int]) -> TrainResult:
        config = self.config
        restored = checkpoint.restore(self.run_dir, self.blueprint)
        if restored is None:
            current, host = self.prepared.init(config.seed), {}
        else:
            current, host = restored
            # A checkpoint converted from T5X does not know our data: it begins anew.
            if "data" in host:
                self.source.restore(host["data"])
        self._write_config()
        tally = tallies.Tally(**host.get("tally", {}))
        self.seconds_before = host.get("seconds", 0.0)
        done = saved = int(current.step) if restored else 0
        pending: collections.deque = collections.deque()
        clock = tallies.Clock()
        train_step = None
        with metrics.MetricsLog(self.run_dir, done, config.steps, config.max_seconds) as log:

            def read(most: int) -> None:
                """Reads metrics until at most `most` steps are still on their way."""
                while len(pending) > most:
                    number, values, stops, examples = pending.popleft()
                    self.stopping = max(self.stopping, _Stop(int(stops)))
                    tally.add(number, jax.device_get(values), examples)
                    log.advance(self._seconds())
                    if number % config.log_every == 0:
                        log.write(number, tally.mean() | clock.rates(number, tally.tokens))

            # All hosts stop after the same step, though their clocks and signals differ.
            agreement = hosts.Agreement(self.blueprint.mesh)
            self.stopping = _Stop(hosts.from_first(self._reason_to_stop([])))
            profiler = profile.Profiler(self.run_dir, done, config.profile_steps)
            while done < config.steps and not self.stopping:
                profiler.before_step(done)
                batch = sharding.put_batch(self.blueprint.mesh, self.source.next_batch())
                if train_step is None:
                    train_step = self.prepared.step(batch)
                    clock.start(done, tally.tokens)
                current, values = train_step(current, batch)
                done += 1
                stops = agreement.ask(self._reason_to_stop(stop))
                pending.append((done, values, stops, self.source.last_examples()))
                read(_STEPS_AHEAD)
                if self._due(config.evaluate_every, done) and self.evaluate is not None:
                    read(0)
                    with clock.paused():
                        log.write(done, dict(self.evaluate(current.params)))
                if self._due(config.checkpoint_every, done):
                    read(0)
                    with clock.paused():
                        self._save(current, tally)
                    saved = done
            read(0)
            profiler.stop()
            rates = clock.total_rates(done, tally.tokens)
            if done > saved or not restored:
                self._save(current, tally)
        return TrainResult(
            state=current,
            steps=done,
            tokens=int(tally.tokens),
            seconds=self._seconds(),
            **rates,
            loss_nats=tally.last_loss(),
            interrupted=self.stopping is _Stop.SIGNAL,
        )

    def _save(self, current: state.TrainState, tally: tallies.Tally) -> None:
        host = {
            "data": self.source.state(),
            "tally": dataclasses.asdict(tally),
            "seconds": self._seconds(),
        }
        keep = self.config.keep
        checkpoint.save(self.run_dir, current, self.model.config, host, keep=keep)

    def _write_config(self) -> None:
        """For people, and for who runs the model on codes: checkpoints carry the network alone."""
        config = dataclasses.asdict(self.config)
        config["optimizer"] = repr(self.config.optimizer)
        content = {"model": self.model.config.to_dict(), "train": config, "data": self.data}
        if hosts.is_first():
            with atomic.replace_file(self.run_dir / "config.json") as temporary:
                temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _reason_to_stop(self, received: list[int]) -> "_Stop":
        """This host's."""
        if received:
            return _Stop.SIGNAL
        limit = self.config.max_seconds
        return _Stop.TIME if limit is not None and self._seconds() >= limit else _Stop.NOT

    @staticmethod
    def _due(every: int, done: int) -> bool:
        return every > 0 and done % every == 0
