"""Errors that a user can act on. The command line prints them as one line, without a traceback."""


class InputError(Exception):
    """Bad input: the message says in one line what was wrong and what to do about it."""


class ArtefactError(InputError):
    """A saved artefact is missing, damaged, or made by another model, kind or format version."""


def check_whole_number(name: str, number: object, least: int = 1) -> None:
    """Raises InputError unless `number`, the setting `name`, is an int of `least` or more."""
    if not isinstance(number, int) or number < least:
        raise InputError(f"{name} is {number!r}: give a whole number >= {least}.")
