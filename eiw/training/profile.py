"""A trace of a few steps for TensorBoard's profile page or Perfetto."""

import pathlib

import jax

# The first steps of a process fill caches and queues: they are not what one wants to see.
_SKIPPED = 5


class Profiler:
    """Traces some steps of a run into `RUN/profile`."""

    def __init__(self, run_dir: pathlib.Path, done: int, steps: int) -> None:
        """For a call of `train` that begins after `done` steps; traces none for `steps` = 0."""
        self._folder = run_dir / "profile"
        self._first = done + _SKIPPED
        self._end = self._first + steps
        self._tracing = False

    def before_step(self, done: int) -> None:
        """Begins or ends the trace, with `done` steps made."""
        if done == self._first < self._end:
            jax.profiler.start_trace(str(self._folder))
            self._tracing = True
        elif done == self._end:
            self.stop()

    def stop(self) -> None:
        """Ends the trace if it has begun; a run of too few steps has none."""
        if self._tracing:
            jax.profiler.stop_trace()
            self._tracing = False
