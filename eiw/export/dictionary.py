"""Dictionaries that other programs can cut text with: those that plain longest match goes by."""

from eiw import errors
from eiw.compressors import base, parse, tunstall, window_dictionary


def longest_match_texts(compressor: base.Compressor) -> list[bytes]:
    """The text of each code, if the longest text of these that comes next is always the next code.

    Raises:
      InputError: the compressor has no dictionary, or cuts text in a way of its own.
    """
    if isinstance(compressor, tunstall.Tunstall):
        if compressor.parse != parse.Parse():
            raise errors.InputError(
                f"{compressor.name} cuts text by {compressor.parse.variant!r}; other programs know "
                "longest match only: compile it with parse.Parse.cut='greedy' and words='ignore'."
            )
    elif isinstance(compressor, window_dictionary.WindowDictionary):
        if not compressor.dense or compressor.format.window_end != "exact":
            raise errors.InputError(
                f"{compressor.name} is no plain dictionary: only windows with window_end='exact' "
                "and dense=True have one text for each code."
            )
    else:
        raise errors.InputError(
            f"{compressor.name} has no dictionary to export: compile 16-bit Equal-Info Windows or "
            "Tunstall's."
        )
    return compressor.texts()
