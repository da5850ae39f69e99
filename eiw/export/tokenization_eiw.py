"""A tokenizer of `transformers` that cuts text into the longest texts of a dictionary.

eiw copies this file beside the vocabulary that it exports; it needs `transformers` alone:

    AutoTokenizer.from_pretrained(folder, trust_remote_code=True)

Text is coded as UTF-8. Bytes that are none can be given as surrogates, as Python decodes them with
"surrogateescape", and come back so with `errors="surrogateescape"`.
"""

import json
import os
import pathlib

from transformers import PreTrainedTokenizer


class EiwTokenizer(PreTrainedTokenizer):
    """Longest match over bytes, exact for any text.

    Args:
      vocab_file: token -> id as JSON; a token is a text's bytes as Latin-1 characters.
      errors: what `decode` does with bytes that are no UTF-8, as in `bytes.decode`.
    """

    vocab_files_names = {"vocab_file": "vocab.json"}  # noqa: RUF012, transformers' own contract
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file: str, errors: str = "replace", **kwargs):
        self._ids = json.loads(pathlib.Path(vocab_file).read_text(encoding="utf-8"))
        self._tokens = {number: token for token, number in self._ids.items()}
        # How long the texts are that begin with two bytes, the longest first.
        self._lengths: dict[str, list[int]] = {}
        for token in self._ids:
            if len(token) > 1:
                self._lengths.setdefault(token[:2], []).append(len(token))
        for start, lengths in self._lengths.items():
            self._lengths[start] = sorted(set(lengths), reverse=True)
        self._errors = errors
        super().__init__(errors=errors, **kwargs)

    @property
    def vocab_size(self) -> int:
        return len(self._ids)

    def get_vocab(self) -> dict[str, int]:
        return self._ids | self.added_tokens_encoder

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Nothing is added: whoever wants an end writes it."""
        return token_ids_0 + (token_ids_1 or [])

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        data = "".join(token for token in tokens if self._is_text(token)).encode("latin-1")
        return data.decode("utf-8", self._errors)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple:
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        path = os.path.join(save_directory, f"{prefix}vocab.json")  # noqa: PTH118
        pathlib.Path(path).write_text(json.dumps(self._ids, indent=1) + "\n", encoding="utf-8")
        return (path,)

    def _tokenize(self, text: str, **kwargs) -> list[str]:
        data = text.encode("utf-8", "surrogateescape").decode("latin-1")
        tokens, place = [], 0
        while place < len(data):
            for length in self._lengths.get(data[place : place + 2], ()):
                token = data[place : place + length]
                if len(token) == length and token in self._ids:
                    break
            else:
                token = data[place]
            tokens.append(token)
            place += len(token)
        return tokens

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, self._ids[self.unk_token])

    def _convert_id_to_token(self, index: int) -> str:
        return self._tokens.get(index, self.unk_token)

    def _is_text(self, token: str) -> bool:
        return all(ord(character) < 256 for character in token)
