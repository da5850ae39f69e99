"""gin at the rim: files and bindings in, one built object out, every mistake named in one line.

Gin files use dynamic registration: each imports the modules that it binds, so library code never
mentions gin. Files are found beside the package wherever `eiw` is called from.
"""

import difflib

# gin-config 0.5 uses importlib.util without importing it.
import importlib.util
import logging
import os
import pathlib
import re
import tokenize
from collections.abc import Callable, Sequence
from typing import TypeVar

import gin
from eiw import errors

Built = TypeVar("Built")

_PACKAGE = pathlib.Path(__file__).parent
# `NAME = value` and `scope/module.NAME.parameter = value`, as gin prints them: what does not fit
# in a line goes on in indented ones.
_BINDING = re.compile(r"^([\w./]+) = (.*(?:\n[ \t]+.*)*)", re.MULTILINE)
# What gin raises.
_MISTAKES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    NameError,
    ImportError,
)


def folder() -> pathlib.Path:
    """The folder of eiw's own gin files: in the package, or beside it in a source checkout."""
    installed = _PACKAGE / "gin"
    return installed if installed.is_dir() else _PACKAGE.parent / "gin"


def build(
    factory: Callable[..., Built],
    files: Sequence[str],
    bindings: Sequence[str] = (),
    search_paths: Sequence[str] = (),
) -> tuple[Built, str]:
    """Calls `factory` with what gin files and bindings give its arguments.

    Args:
      factory: a function or class that the files bind.
      files: gin files, relative to this folder, a search path or eiw's own gin folder.
      bindings: `NAME=VALUE` strings that override the files.
      search_paths: folders to look for files in, before eiw's own.

    Returns:
      What `factory` returned, and the resolved configuration as gin text.

    Raises:
      InputError: a file that does not exist or does not parse, a name that nothing has (with the
        nearest one that does), a value of the wrong kind, or a binding that nothing reads.
        Of files, only those without overrides are held to that.
    """
    gin.clear_config()
    # gin would also look inside Python packages, and stumbles over any folder of the working
    # directory that is called like the first part of a path: runs/, which we make ourselves.
    gin.config._FILE_READERS[:] = [(open, os.path.isfile)]
    gin.config._LOCATION_PREFIXES[:] = ["", *map(str, search_paths), str(folder())]
    # gin logs each prefix that does not hold a file as an error, even if a later one does.
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        gin.parse_config_files_and_bindings(list(files), [], finalize_config=False)
        # Bindings know what the files import, and can so name what no file does. Dynamic
        # registration must come first.
        imports = {statement.format() for statement in gin.config._IMPORTS}
        imports = sorted(imports, key=lambda line: (not line.startswith("from __gin__"), line))
        gin.parse_config([*imports, *bindings])
        gin.finalize()
        built = gin.get_configurable(factory)()
    except errors.InputError as error:
        # gin adds lines about where it was called.
        raise errors.InputError(str(error).partition("\n")[0]) from error
    except tokenize.TokenError as error:
        raise errors.InputError("gin: a bracket or a quote is never closed.") from error
    except _MISTAKES as error:
        raise errors.InputError(_explain(error)) from error
    finally:
        logger.setLevel(level)
    read = _names(gin.operative_config_str())
    # What is read within a scope stands there with the scope, even if it was bound without.
    read |= {name.rpartition("/")[2] for name in read}
    # An override may make what a file says pointless (another list of methods), so with overrides
    # only they are checked.
    given = {binding.partition("=")[0].strip() for binding in bindings}
    unread = (given or _names(gin.config_str())) - read
    if unread:
        name = min(unread)
        raise errors.InputError(f"gin: nothing reads {name}.{_suggestion(name, read)}")
    return built, gin.operative_config_str()


def bindings_of(config: str) -> dict[str, str]:
    """Names and values, as gin writes them, of a configuration that `build` returned."""
    return {
        name: " ".join(value.removeprefix("\\").split()) for name, value in _BINDING.findall(config)
    }


def _names(config: str) -> set[str]:
    return set(bindings_of(config))


def _suggestion(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _explain(error: Exception) -> str:
    """gin's message in one line: its own dumps the whole configuration or a source excerpt."""
    message = str(error)
    if missing := re.search(r"Could not find <class '[\w.]+?(\w+\.\w+)'> in the Gin", message):
        return f"gin: the files say nothing about {missing.group(1)}: name the one that does too."
    if missing := re.search(
        r"(\w+)\.__init__\(\) missing \d+ required .*?arguments?: (.+)", message
    ):
        wanted, names = missing.group(1), missing.group(2).replace("'", "").rstrip(". ")
        return f"gin: the files do not say {wanted}'s {names}: name the one that does too."
    if missing := re.search(r"<module '([\w.]+)' from .*> has no attribute (\w+)", message):
        module = importlib.import_module(missing.group(1))
        return (
            f"gin: {module.__name__} has no {missing.group(2)}."
            f"{_suggestion(missing.group(2), set(vars(module)))}"
        )
    if missing := re.search(
        r"'(\w+)' was not provided .*?line \d+\s+([\w./]+)", message, re.DOTALL
    ):
        known = {statement.bound_name() for statement in gin.config._IMPORTS}
        return (
            f"gin: no file imports the {missing.group(1)} of {missing.group(2)}."
            f"{_suggestion(missing.group(1), known)}"
        )
    name = re.search(r"(?:matching (?:reference )?'@?|parameter named ')([\w./]+)", message)
    # Not the line of a binding: it has none, and is named by what is wrong with it.
    place = re.search(r"In file[^\n]*line \d+", message)
    first = message.partition("\n")[0].removesuffix(" in config string: ").rstrip(" .")
    if isinstance(error, SyntaxError) and error.text and first.startswith("malformed node"):
        # Python's own words name a node of a syntax tree by its address.
        value = error.text.partition("=")[2].strip()
        first = f"{error.text.strip()}: {value} is no value; text needs quotes of its own"
    elif isinstance(error, SyntaxError) and error.text:
        first = re.sub(r"\. \(line \d+\)$", "", first) + f": {error.text.strip()}"
    known = _names(gin.config_str()) if name else set()
    # gin knows what is bound; a parameter is compared by its last part.
    if name and "parameter named" in message:
        known = {bound.rpartition(".")[2] for bound in known}
    suggestion = _suggestion(name.group(1), known) if name else ""
    where = f" ({place.group(0)})" if place else ""
    return f"gin: {first}{where}.{suggestion}"
