"""Files and folders that are either whole or absent: written under a temporary name, then renamed.

A kill leaves at most a `NAME.tmp-PID` beside the target, which no reader opens.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from eiw import errors


@contextlib.contextmanager
def replace_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path; renames it to `path` if the block ends well, else deletes it.

    Raises:
      InputError: the folder cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        make_folder(path.parent)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except PermissionError as error:
        raise errors.InputError(_no_permission(error.filename or path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new temporary folder that takes the place of `path` if the block ends well.

    Raises:
      InputError: the parent folder cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        make_folder(temporary)
        yield temporary
        # A folder cannot be renamed over a full one. Between these two steps there is no `path`:
        # a reader then finds nothing, never half of something.
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except PermissionError as error:
        raise errors.InputError(_no_permission(error.filename or path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: str | os.PathLike) -> pathlib.Path:
    """Makes `path` and its parents; returns it.

    Raises:
      InputError: it cannot be made: no permission, or a file stands in the way.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise errors.InputError(_no_permission(path)) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.InputError(f"{path} cannot be a folder: a file stands in the way.") from error
    return path


def _no_permission(path: str | os.PathLike) -> str:
    return f"No permission to write {path}: choose another folder, or change its permissions."
