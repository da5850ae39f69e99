"""English text that every install of eiw already has: the documentation inside installed packages.

The long docstrings of the standard library and of the packages that eiw depends on, and Python's
help topics. Sources are parsed, never imported. Documentation repeats across packages, so
near-duplicates are dropped; the splits are whole packages, so that what a model is tested on was
written by other people than what it was trained on.
"""

import ast
import importlib.util
import inspect
import logging
import pathlib
import sysconfig
import warnings
from collections.abc import Iterable, Iterator

from eiw import errors, garbage, progress

# Only packages that `pip install eiw` brings along, directly or through another one: with a
# package that one machine happens to have, no two machines would agree on the corpus.
# "stdlib" stands for the whole standard library.
PACKAGES = (
    *("stdlib", "jax", "jaxlib", "flax", "numpy", "scipy", "matplotlib", "mpl_toolkits", "numba"),
    *("llvmlite", "absl", "gin", "tensorboardX", "tqdm", "contourpy", "dateutil", "etils"),
    *("fontTools", "fsspec", "markdown_it", "opt_einsum", "packaging", "psutil"),
    *("prometheus_client", "pygments", "simplejson", "tensorstore", "treescope"),
)
VALIDATION_PACKAGES = ("optax", "rich")
TEST_PACKAGES = ("orbax", "PIL", "pyparsing")

# Shorter docstrings are labels ("Returns the size.") rather than prose.
MIN_CHARACTERS = 100

# Strings of tests are data, not prose; packages inside the standard library's folder are not it.
_TEST_FOLDERS = ("test", "tests", "testing", "_testing", "testdata", "idle_test")
_SKIPPED_FOLDERS = frozenset((*_TEST_FOLDERS, "site-packages", "dist-packages"))
# Lines shorter than this ("Parameters", "----------") say nothing about where a text came from.
_MIN_LINE = 20


def docstring_documents(
    packages: Iterable[str] = PACKAGES,
    validation_packages: Iterable[str] = VALIDATION_PACKAGES,
    test_packages: Iterable[str] = TEST_PACKAGES,
) -> Iterator[tuple[str, bytes]]:
    """Yields (split, text as UTF-8), always in the same order for the same installed versions.

    A text is a near-duplicate, and dropped, when at least half of it is lines that earlier texts
    have. Validation and test come first, so that it is the training copy that goes.

    Args:
      packages: top-level packages to train on; "stdlib" is the whole standard library.
      validation_packages: packages whose texts are the validation split.
      test_packages: packages whose texts are the test split.

    Raises:
      InputError: a package is in two splits, or a split comes out empty.
    """
    split_of = {}
    for split, names in (
        ("validation", validation_packages),
        ("test", test_packages),
        ("train", packages),
    ):
        for name in names:
            if split_of.setdefault(name, split) != split:
                raise errors.InputError(f"Package {name} is in both {split_of[name]} and {split}.")
    sources = {name: list(_source_files(name)) for name in split_of}
    if missing := [name for name, files in sources.items() if not files]:
        logging.warning("The embedded corpus lacks what is not installed: %s", ", ".join(missing))
    work = [(split_of[name], path) for name, files in sources.items() for path in files]

    seen = _SeenLines()
    found = dict.fromkeys(("train", "validation", "test"), 0)
    duplicates = unreadable = 0
    for split, path in progress.track(work, "Reading docstrings", unit="file"):
        texts = _texts_of_file(path)
        if texts is None:
            unreadable += 1
            continue
        for text in texts:
            if seen.repeats(text):
                duplicates += 1
                continue
            found[split] += 1
            yield split, text.encode()
    logging.info(
        "Docstrings: %d kept, %d near-duplicates dropped, %d of %d files unreadable",
        sum(found.values()), duplicates, unreadable, len(work),
    )  # fmt: skip
    if empty := [split for split, count in found.items() if not count]:
        raise errors.InputError(
            f"No docstrings for {' and '.join(empty)}: name installed packages for every split."
        )


class _SeenLines:
    """Remembers the lines of all texts, and says which text mostly repeats them."""

    def __init__(self):
        self._lines: set[str] = set()

    def repeats(self, text: str) -> bool:
        # Indentation, case and spacing differ between copies of the same text.
        lines = {" ".join(line.lower().split()) for line in text.splitlines()}
        lines = {line for line in lines if len(line) >= _MIN_LINE} or lines
        total = sum(map(len, lines))
        old = sum(len(line) for line in lines if line in self._lines)
        # A dropped text's own lines count as seen too: copies of copies drift.
        self._lines |= lines
        return 2 * old >= total


def _source_files(package: str) -> Iterator[pathlib.Path]:
    """The package's own .py and .pyi files, in an order that no file system decides."""
    if package == "stdlib":
        roots = [sysconfig.get_paths()["stdlib"]]
    else:
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        roots = spec.submodule_search_locations or () if spec else ()
    for root in map(pathlib.Path, roots):
        relative = (path.relative_to(root) for path in root.rglob("*.py*"))
        for path in sorted(relative, key=lambda path: path.as_posix()):
            if path.suffix in (".py", ".pyi") and not (
                _SKIPPED_FOLDERS.intersection(path.parts[:-1]) or path.name.startswith("test_")
            ):
                yield root / path


def _texts_of_file(path: pathlib.Path) -> list[str] | None:
    """The long texts of one source file; None where Python cannot read it."""
    try:
        source = path.read_bytes()
        with warnings.catch_warnings():
            # Invalid escapes in other people's strings.
            warnings.simplefilter("ignore")
            with garbage.kept():
                tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return None
    texts = (inspect.cleandoc(text) for text in _strings(tree.body) if len(text) >= MIN_CHARACTERS)
    # A lone surrogate cannot be written as UTF-8: such a string is no prose.
    return [text for text in texts if len(text) >= MIN_CHARACTERS and _is_utf8(text)]


def _strings(body: list[ast.stmt]) -> Iterator[str]:
    """Strings that document something, out of the statements of a module, class or function.

    That is: a string as a statement (docstrings), an argument of `add_newdoc(...)` and the like
    (how NumPy and SciPy document compiled functions), and the values of a dictionary that is
    assigned (Python's help topics). Walking statements only is several times as fast as `ast.walk`.
    """
    for node in body:
        if isinstance(node, ast.Expr | ast.Assign):
            yield from _constants(node.value, in_call=isinstance(node, ast.Expr))
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _strings(getattr(node, field, ()))
        for handler in getattr(node, "handlers", ()):
            yield from _strings(handler.body)


def _constants(value: ast.expr, in_call: bool) -> Iterator[str]:
    candidates: list[ast.expr | None] = []
    if in_call and isinstance(value, ast.Constant):
        candidates = [value]
    elif in_call and isinstance(value, ast.Call) and "doc" in _called(value):
        for argument in value.args:
            # NumPy documents methods by ("name", "text") pairs.
            candidates += argument.elts if isinstance(argument, ast.Tuple) else [argument]
    elif isinstance(value, ast.Dict):
        candidates = list(value.values)
    for node in candidates:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _called(call: ast.Call) -> str:
    """The last part of a called function's name; log messages are strings in calls, too."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
