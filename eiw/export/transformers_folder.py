"""A dictionary as a tokenizer of `transformers`: a folder that `AutoTokenizer` loads.

    FOLDER/vocab.json              token -> id; a token is the text's bytes as Latin-1 characters
    FOLDER/tokenization_eiw.py     the tokenizer, which needs nothing of eiw
    FOLDER/tokenizer_config.json   names it

Ids are M2's: padding 0, EOS 1, unknown 2, then code c as c + 3 (`eiw.vocab`).
"""

import json
import pathlib

from eiw import atomic, vocab
from eiw.compressors import base
from eiw.export import dictionary

_MODULE = pathlib.Path(__file__).with_name("tokenization_eiw.py")
_CLASS = "EiwTokenizer"
_CONFIG = "tokenizer_config.json"
# None is Latin-1, so that no text of a dictionary is spelt like them.
_SPECIAL_TOKENS = {"pad_token": "⟨pad⟩", "eos_token": "⟨eos⟩", "unk_token": "⟨unk⟩"}
_SPECIAL_IDS = {"pad_token": vocab.PAD_ID, "eos_token": vocab.EOS_ID, "unk_token": vocab.UNK_ID}


def write_tokenizer(folder: pathlib.Path, compressor: base.Compressor) -> None:
    """Writes the folder in place of what was there; `transformers` is not needed for it.

    Raises:
      InputError: the compressor is no plain dictionary, or the folder cannot be written.
    """
    texts = dictionary.longest_match_texts(compressor)
    ids = {token: _SPECIAL_IDS[name] for name, token in _SPECIAL_TOKENS.items()}
    ids |= {text.decode("latin-1"): code + vocab.NUM_SPECIAL_IDS for code, text in enumerate(texts)}
    config = {
        "tokenizer_class": _CLASS,
        "auto_map": {"AutoTokenizer": [f"{_MODULE.stem}.{_CLASS}", None]},
        **_SPECIAL_TOKENS,
        # Any text may be coded, the names of special tokens too.
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "eiw_fingerprint": compressor.fingerprint,
    }
    with atomic.replace_folder(folder, _CONFIG) as temporary:
        for name, content in (("vocab.json", ids), (_CONFIG, config)):
            text = json.dumps(content, indent=1) + "\n"
            (temporary / name).write_text(text, encoding="utf-8")
        (temporary / _MODULE.name).write_bytes(_MODULE.read_bytes())
