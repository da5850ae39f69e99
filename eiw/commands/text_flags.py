"""Text, for the commands that read some: files, a corpus on disk, or installed documentation."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

from absl import flags

from eiw import errors
from eiw.data import corpus, docstrings, text_files


def define(values: flags.FlagValues) -> None:
    """Adds --text and --corpus."""
    flags.DEFINE_string(
        "text",
        None,
        "Glob of text: .txt, or .jsonl with a field 'text'; also .gz and .xz. "
        "Default: documentation of the installed packages.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "corpus",
        None,
        "Folder of a corpus that `eiw smoke` or `eiw compress` left, instead of --text.",
        flag_values=values,
    )


@contextlib.contextmanager
def open_text(values: flags.FlagValues) -> Iterator[corpus.Corpus]:
    """The corpus that the flags name; what was read for it is deleted in the end.

    Raises:
      InputError: both flags are given, or there is no such text.
      ArtefactError: there is no such corpus, or it is damaged.
    """
    if values.corpus is not None:
        if values.text is not None:
            raise errors.InputError("Give --text or --corpus, not both.")
        yield corpus.open_corpus(pathlib.Path(values.corpus))
        return
    with tempfile.TemporaryDirectory(prefix="eiw-corpus-") as folder:
        if values.text is None:
            source = "documentation of the installed packages"
            documents = docstrings.docstring_documents()
        else:
            source, documents = values.text, text_files.text_documents(values.text)
        yield corpus.write_corpus(pathlib.Path(folder) / "corpus", documents, source)
