"""What a request asks for: JSON that is checked field by field, and text with any bytes in it."""

import json
import sys
from typing import Any

import flask
from werkzeug import exceptions

from eiw import errors
from eiw.demo import run_folder

# Bytes of a request's body: JSON may take twelve for one of text.
MAX_BODY = 1 << 16


class Asked:
    """The JSON object that the current request posts.

    Args:
      run: whose methods can be named.

    Attributes:
      method: the one that is named.

    Raises:
      HTTPException: no JSON (415), or too much of it (413).
      InputError: it is broken, no object, or names no method.
    """

    def __init__(self, run: run_folder.RunFolder) -> None:
        if not flask.request.is_json:
            raise exceptions.UnsupportedMediaType(
                "Post JSON, with the header Content-Type: application/json."
            )
        try:
            self._fields = json.loads(_body().decode())
        except UnicodeDecodeError as error:
            raise errors.InputError(
                f"The request is no UTF-8 at byte {error.start:,}: JSON is sent as UTF-8."
            ) from error
        except (ValueError, RecursionError) as error:
            raise errors.InputError(f"The request is no JSON: {error}.") from error
        if not isinstance(self._fields, dict):
            raise errors.InputError("The request must be a JSON object, in braces.")
        name = self._fields.get("method")
        if not isinstance(name, str) or name not in run.methods:
            raise errors.InputError(f"method={name!r} is none of {', '.join(run.methods)}.")
        self.method = run.methods[name]

    def text(self, name: str, limit: int, taker: str) -> bytes:
        """The bytes of a text; see `to_json`.

        Raises:
          HTTPException: they are more than `limit` (413); `taker` begins the reason.
          InputError: it is no text.
        """
        text = self._fields.get(name)
        if not isinstance(text, str):
            raise errors.InputError(f"{name} must be a string of text.")
        try:
            data = text.encode(errors="surrogateescape")
        except UnicodeEncodeError as error:
            raise errors.InputError(
                f"{name} has half of a surrogate pair at character {error.start:,}, which is no "
                "Unicode text."
            ) from error
        if len(data) > limit:
            raise exceptions.RequestEntityTooLarge(
                f"{name} has {len(data):,} bytes; {taker} {limit:,} at most."
            )
        return data

    def number(self, name: str, default: float) -> float:
        """A finite number.

        Raises:
          InputError: it is none.
        """
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise errors.InputError(f"{name}={value!r} must be a number.")
        if not abs(value) <= sys.float_info.max:
            raise errors.InputError(f"{name} must be finite.")
        return float(value)

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in a range.

        Raises:
          InputError: it is none, or out of range.
        """
        value: Any = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise errors.InputError(
                f"{name}={value!r} must be a whole number from {least:,} to {most:,}."
            )
        return value


def _body() -> bytes:
    """What is posted."""
    try:
        body = flask.request.get_data()
    except exceptions.RequestEntityTooLarge:
        body = None
    # Of a body whose length was not announced this much comes, and no error.
    if body is None or len(body) >= MAX_BODY:
        raise exceptions.RequestEntityTooLarge(
            f"The request must have less than {MAX_BODY:,} bytes: send less."
        )
    return body


def to_json(data: bytes) -> str:
    """Bytes as a string that JSON can carry.

    A byte b that is no part of a UTF-8 character becomes the lone surrogate U+DC00 + b.
    """
    return data.decode(errors="surrogateescape")
