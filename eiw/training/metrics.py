"""Numbers of a run: to `metrics.jsonl` (one object a line), to TensorBoard and to the terminal.

Of several hosts the first one writes; the others' logs take numbers and do nothing.
"""

import contextlib
import json
import pathlib
import time
from collections.abc import Mapping

from tensorboardX import event_file_writer, summary
from tensorboardX.proto import event_pb2

from eiw import atomic, errors, progress
from eiw.training import hosts

# How old TensorBoard's numbers are at most.
_FLUSH_SECONDS = 10


class MetricsLog:
    """Writes each step's numbers to three places. Close it, or use it as a context manager."""

    def __init__(
        self, run_dir: pathlib.Path, step: int, total_steps: int, total_seconds: float | None = None
    ) -> None:
        """Opens the log of a run that stands at `step`; what it wrote later on is taken back.

        A killed run has logged steps that its last checkpoint does not know, and will log them
        again.

        Args:
          run_dir: the run's folder.
          step: updates made so far.
          total_steps: updates planned, for the progress bar.
          total_seconds: where not None the bar shows these instead, as the time is what ends.

        Raises:
          InputError: the folder cannot be written.
          ArtefactError: the log so far is damaged.
        """
        self._step, self._numbers = step, {}
        self._writes = hosts.is_first()
        if not self._writes:
            return
        self._path = run_dir / "metrics.jsonl"
        kept = _kept_lines(self._path, step)
        with atomic.replace_file(self._path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._file = self._path.open("a", encoding="utf-8")
        self._board = _Board(run_dir / "tensorboard", step)
        self._by_seconds = total_seconds is not None
        if self._by_seconds:
            self._bar = progress.bar(f"train {run_dir.name}", total=total_seconds, unit="s")
        else:
            self._bar = progress.bar(f"train {run_dir.name}", total=total_steps, unit="step")
            # The rate on the bar is of this process's own steps.
            self._bar.initial = self._bar.n = step
        self._bar.refresh()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Records the numbers of a step, everywhere.

        Raises:
          InputError: the disk is full.
        """
        if not self._writes:
            return
        try:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
            self._board.write(step, values)
        except OSError as error:
            raise errors.InputError(f"Cannot write {self._path}: {error.strerror}.") from error
        self._numbers |= {name: f"{number:.4g}" for name, number in values.items()}

    def advance(self, seconds: float) -> None:
        """Moves the progress bar by a step, to the run's `seconds` so far."""
        if not self._writes:
            return
        self._step += 1
        self._bar.set_postfix({"step": self._step} | self._numbers, refresh=False)
        if self._by_seconds:
            # Steps that overrun the budget do not overrun the bar.
            self._bar.update(min(seconds, self._bar.total) - self._bar.n)
        else:
            self._bar.update(1)

    def close(self) -> None:
        """Closes the files and leaves the bar as it stands."""
        if not self._writes:
            return
        self._bar.set_postfix({"step": self._step} | self._numbers, refresh=False)
        self._bar.close()
        # What could not be written has been said.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._board.close()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Board:
    """TensorBoard's file of a process: what `tensorboardX.SummaryWriter` would write.

    That one writes in a thread, which a full disk ends; whoever waits for it then waits for ever.
    """

    def __init__(self, folder: pathlib.Path, step: int) -> None:
        """Opens a new file; TensorBoard no longer shows later steps of the files before it."""
        atomic.make_folder(folder)
        self._flushed = time.monotonic()
        self._writer = event_file_writer.EventsWriter(str(folder / "events"), f".after_step_{step}")
        self._write(step + 1, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, number in values.items():
            self._write(step, summary=summary.scalar(name, number))
        # It waits for the disk, which is too slow for every step.
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._writer.flush()
            self._flushed = time.monotonic()

    def _write(self, step: int, **content: object) -> None:
        self._writer.write_event(event_pb2.Event(wall_time=time.time(), step=step, **content))

    def close(self) -> None:
        self._writer.close()


def _kept_lines(path: pathlib.Path, step: int) -> list[str]:
    """The lines of a log up to `step`."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    kept = []
    # What follows the last newline is empty, or a line that a kill has torn.
    for number, line in enumerate(lines[:-1], 1):
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError) as error:
            raise errors.ArtefactError(
                f"Line {number} of {path} is damaged: remove the line, or the file."
            ) from error
    return kept
