"""Files and folders that are either whole or absent: written under a temporary name, then renamed.

A kill leaves at most a `NAME.tmp-PID` beside the target, which no reader opens.
"""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator

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
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        # Where a file stands in a folder's place, this would fail too, and hide why.
        with contextlib.suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new temporary folder that takes the place of `path` if the block ends well.

    What stands there is deleted, so it must be of the same sort: `refuse_other_folder`.

    Raises:
      InputError: the parent folder cannot be written, or `path` holds something else.
    """
    path = pathlib.Path(path)
    if path.name in ("", ".."):
        raise errors.InputError(f"{path} cannot be replaced as a whole: name a folder inside it.")
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        make_folder(path.parent)
        shutil.rmtree(temporary, ignore_errors=True)
        make_folder(temporary)
        yield temporary
        refuse_other_folder(path, [each.name for each in temporary.iterdir()])
        # A folder cannot be renamed over a full one. Between these two steps there is no `path`:
        # a reader then finds nothing, never half of something.
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_other_folder(path: str | os.PathLike, names: Iterable[str]) -> None:
    """Keeps a folder from being deleted that was written by something, or someone, else.

    Args:
      path: a folder that is to be replaced, if it is there at all.
      names: what it then holds. A damaged one of its sort may lack some, but not all.

    Raises:
      InputError: `path` is a file, or a folder that holds something, and none of `names`.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise errors.InputError(f"{path} cannot be a folder: a file stands in the way.")
    found = {each.name for each in path.iterdir()} if path.is_dir() else set()
    if found and found.isdisjoint(names):
        raise errors.InputError(
            f"{path} holds something else ({min(found)}), which would be deleted: choose another "
            "folder, or move it away."
        )


def make_folder(path: str | os.PathLike) -> pathlib.Path:
    """Makes `path` and its parents; returns it.

    Raises:
      InputError: it cannot be made: no permission, or a file stands in the way.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.InputError(f"{path} cannot be a folder: a file stands in the way.") from error
    except FileNotFoundError as error:
        raise errors.InputError(f"{path} cannot be made: choose another folder.") from error
    except OSError as error:
        raise _explained(error, path) from error
    return path


def _explained(error: OSError, path: pathlib.Path) -> Exception:
    """What a user can do about it; an error of the block itself stays as it is."""
    place = error.filename or path
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return errors.InputError(
            f"No permission to write {place}: choose another folder, or change its permissions."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.InputError(f"The disk is full: no room for {place}. Free some and run again.")
    return error
