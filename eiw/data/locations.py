"""Where tasks find their compressors and their text: looked up at use, set by gin or environment.

Tasks are registered when `eiw.tasks` is imported, long before anybody trained a compressor.
"""

import dataclasses
import os
import pathlib

from eiw import errors

# Set by `set_locations`; None falls back to the environment.
_compressors: str | None = None
_text: str | None = None


def set_locations(compressors: str | None = None, text: str | None = None) -> None:
    """Says where compressors and text are, before the environment variables do.

    Args:
      compressors: folder that holds NAME/ for each compressor; None leaves it to EIW_COMPRESSORS.
      text: glob of the files of `text_` tasks; None leaves it to EIW_TEXT.
    """
    global _compressors, _text
    _compressors, _text = compressors, text


def text_pattern() -> str:
    """The glob of the `text_` tasks' files.

    Raises:
      InputError: none is set.
    """
    pattern = _text or os.environ.get("EIW_TEXT")
    if not pattern:
        raise errors.InputError(
            "The text_ tasks have no text: set EIW_TEXT to a glob of text or JSONL files "
            "(gin: locations.set_locations.text)."
        )
    return pattern


@dataclasses.dataclass(frozen=True)
class NamedCompressor:
    """A compressor by its name alone; calling it gives the folder where it is now.

    Attributes:
      name: for example "equal_info_b16_v65k".
    """

    name: str

    def __call__(self) -> pathlib.Path:
        """The absolute path of the compressor's folder.

        Raises:
          InputError: no folder of compressors is set, or it has none of this name.
        """
        root = _compressors or os.environ.get("EIW_COMPRESSORS")
        if not root:
            raise errors.InputError(
                f"Nothing says where compressor {self.name} is: set EIW_COMPRESSORS to the folder "
                f"that holds {self.name}/ (gin: locations.set_locations.compressors)."
            )
        folder = pathlib.Path(root).expanduser().resolve() / self.name
        if not folder.is_dir():
            raise errors.InputError(
                f"{folder.parent} holds no compressor {self.name}: make it first, or set "
                "EIW_COMPRESSORS to the folder that has it."
            )
        return folder
