"""The plain vocabulary file of RWKV's tokenizers: a line `id literal length` for each text.

Code c has id c + 1, as id 0 means the end of a text there; M2's id of the same code is c + 3
(`eiw.vocab`). A literal is one of Python's, as in RWKV's own file: of text or, where bytes are no
printable text, of bytes, all of them spelt \\xNN, which every reader of the format understands.
"""

import pathlib

from eiw import atomic
from eiw.compressors import base
from eiw.export import dictionary

# Readers that keep ids in 16 bits, pyrwkv-tokenizer among them, know no more.
MAX_IDS_OF_16_BITS = (1 << 16) - 1
FIRST_ID = 1


def write_vocabulary(path: pathlib.Path, compressor: base.Compressor) -> None:
    """Writes the dictionary to `path`, whole or not at all.

    Raises:
      InputError: the compressor is no plain dictionary, or the file cannot be written.
    """
    texts = dictionary.longest_match_texts(compressor)
    lines = [f"{code + FIRST_ID} {_literal(text)} {len(text)}\n" for code, text in enumerate(texts)]
    with atomic.replace_file(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")


def _literal(text: bytes) -> str:
    """A literal on one line. Text that Python would write with long escapes is left as bytes."""
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        characters = None
    if characters is not None and (characters.isascii() or characters.isprintable()):
        return repr(characters)
    return "b'" + "".join(f"\\x{byte:02x}" for byte in text) + "'"
