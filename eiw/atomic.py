"""Files and folders that are either whole or absent: written under a temporary name, then renamed.

A kill leaves at most a `NAME.tmp-PID` beside the target, which no reader opens.
"""

import contextlib
import errno
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
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        # Where a file stands in a folder's place, this would fail too, and hide why.
        with contextlib.suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path: str | os.PathLike, mark: str | None) -> Iterator[pathlib.Path]:
    """Yields a new temporary folder that takes the place of `path` if the block ends well.

    Args:
      path: of the folder; where it is a link, what that names is replaced.
      mark: a file that all folders of this kind have. A full folder without it is somebody's, and
        stays. None only for folders that no user names.

    Raises:
      InputError: the parent folder cannot be written, or `path` must not be replaced.
    """
    if mark is not None:
        check_replaceable(path, mark)
    path = pathlib.Path(path).resolve()
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        make_folder(temporary)
        yield temporary
        # A folder cannot be renamed over a full one. Between these two steps there is no `path`:
        # a reader then finds nothing, never half of something.
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(path: str | os.PathLike, mark: str) -> None:
    """Finds out, before long work, whether `replace_folder` would replace what is there.

    Raises:
      InputError: `path` is no folder, a mount point, or where the process is, or is full and holds
        no file `mark`.
    """
    path = pathlib.Path(path)
    try:
        absolute, here = path.resolve(), pathlib.Path.cwd()
        is_fixed = absolute.is_mount() or absolute in (here, *here.parents)
        is_foreign = any(path.iterdir()) and not (path / mark).exists()
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise errors.InputError(f"{path} cannot be a folder: a file stands in the way.") from error
    except OSError as error:
        raise errors.InputError(f"{path} cannot be read: {error.strerror}.") from error
    if is_foreign:
        raise errors.InputError(
            f"{path} holds files of something else ({mark} is missing), which would be deleted: "
            "choose another folder, or move it away."
        )
    if is_fixed:
        raise errors.InputError(
            f"{path} is a mount point or the folder you are in: choose a folder inside of it."
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
