"""An object in a process of its own, whose imports and work leave this one's Python lock alone."""

import collections
import contextlib
import dataclasses
import gc
import importlib
import multiprocessing
import os
import pickle
import signal
import traceback
import weakref
from collections.abc import Callable, Mapping
from multiprocessing import connection
from typing import Any

from eiw import garbage


class RemoteObject:
    """Calls an object's methods in another process, one after the other in the order of asking.

    The process starts from nothing, as threads here may hold locks. It is not to be interrupted:
    Ctrl-C and SIGTERM are for this process, which ends it with `close`. It ends by itself when this
    process does. Use it as a context manager.
    """

    def __init__(self, factory: str, *arguments: Any, environment: Mapping[str, str]) -> None:
        """Starts the process and returns at once; what goes wrong there is raised by the calls.

        Args:
          factory: "package.module:name" of a class or function; imported there, not here.
          arguments: for it, to be pickled.
          environment: variables that are set there before the import.
        """
        self._factory = factory
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, factory, arguments, dict(environment))
        )
        self._process.start()
        theirs.close()
        # Also where nobody closes it: Python waits for its child processes at its end.
        self._end = weakref.finalize(self, _end, self._process, self._connection)
        self._asked: collections.deque[Answer] = collections.deque()

    def ask(self, method: str, *arguments: Any) -> "Answer":
        """Asks for a method's result without waiting for it."""
        with contextlib.suppress(BrokenPipeError):  # its answer will say so
            self._connection.send((method, arguments))
        answer = Answer(self)
        self._asked.append(answer)
        return answer

    def call(self, method: str, *arguments: Any) -> Any:
        """The result of a method, see `Answer.result`."""
        return self.ask(method, *arguments).result()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._end()

    def __enter__(self) -> "RemoteObject":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, wanted: "Answer") -> None:
        """Reads answers, which come in the order of asking, up to the one that is wanted."""
        while wanted.outcome is None:
            try:
                outcome = self._connection.recv()
            except (EOFError, ConnectionResetError) as error:
                self._process.join()
                raise RuntimeError(
                    f"The process of {self._factory} has ended with status "
                    f"{self._process.exitcode}; -9 often means that memory ran out."
                ) from error
            self._asked.popleft().outcome = outcome


@dataclasses.dataclass
class _Outcome:
    """What a method returned, or raised."""

    value: Any = None
    error: Exception | None = None


@dataclasses.dataclass
class Answer:
    """What was asked for; `outcome` is None until it has come."""

    remote: RemoteObject
    outcome: _Outcome | None = None

    def result(self) -> Any:
        """Waits for it.

        Raises:
          RuntimeError: the process has died.
          Exception: what the method raised there, or what kept the object from being made. A note
            has the traceback.
        """
        self.remote._receive(self)
        if self.outcome.error is not None:
            raise self.outcome.error
        return self.outcome.value


def _end(process: multiprocessing.Process, asking: connection.Connection) -> None:
    process.kill()
    process.join()
    asking.close()


def _serve(
    asked: connection.Connection,
    factory: str,
    arguments: tuple[Any, ...],
    environment: Mapping[str, str],
) -> None:
    """The other process: makes the object, then does what is asked until nobody can ask."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.environ.update(environment)
    made = _outcome(lambda: _make(factory, arguments))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            method, values = asked.recv()
            done = made
            if made.error is None:
                done = _outcome(lambda: getattr(made.value, method)(*values))  # noqa: B023
            asked.send(done)


def _make(factory: str, arguments: tuple[Any, ...]) -> Any:
    module, _, name = factory.partition(":")
    with garbage.kept():
        make = getattr(importlib.import_module(module), name)
        # What was imported stays.
        gc.freeze()
    return make(*arguments)


def _outcome(work: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(work())
    except Exception as error:
        # Pickling keeps notes, and no traceback.
        error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # pickle raises anything
            plain = RuntimeError(f"{type(error).__name__}: {error}")
            plain.add_note(error.__notes__[-1])
            return _Outcome(error=plain)
        return _Outcome(error=error)
