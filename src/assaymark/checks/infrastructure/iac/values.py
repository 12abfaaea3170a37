"""What an expression can be worth when only the text is known.

Known values are plain: None, bool, int, float, str, list, dict. What follows only from a plan or a state is `Unknown`, a value of its own
that every operation passes on; a rule never fires over it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.formats.undecodable import UNDECODABLE

Value = Any
"""None, bool, int, float, str, list, dict, `Unknown` or `Encoded`."""

HOLE = "\ufffc"
"""Stands in a text for a part that is not known."""
LONGEST_TEXT = 1 << 16
"""Characters of a text that expressions make; a longer one is not known. Real policies have fewer than 20,000."""
MOST_ITEMS = 10_000
"""Of a collection that expressions make."""


class Unknown:
    """A value that the text does not give."""

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text
        """For a template, the text with `HOLE` for each unknown part."""

    def __repr__(self) -> str:
        return f"Unknown({self.text!r})"


class Encoded:
    """A JSON text, kept as the value that was encoded, since parts of that may be unknown."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Missing:
    """Not written at all."""

    def __repr__(self) -> str:
        return "MISSING"


UNKNOWN = Unknown()
MISSING = Missing()


def bounded_text(text: str) -> Value:
    """The text, or unknown when it is longer than anybody would write."""
    if len(text) > LONGEST_TEXT:
        return UNKNOWN
    return Unknown(text) if HOLE in text else text


def is_known(value: Value) -> bool:
    """Whether nothing of the value is unknown."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) is Unknown:
            return False
        if type(each) is Encoded:
            waiting.append(each.value)
        elif type(each) is list:
            waiting.extend(each)
        elif type(each) is dict:
            waiting.extend(each.values())
    return True


def as_text(value: Value) -> str:  # noqa: PLR0911 - one return per type
    """How a value reads inside of a template; unknown parts are holes."""
    if type(value) is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) in (int, float):
        return number_text(value)
    if type(value) is Unknown:
        return value.text or HOLE
    if type(value) is Encoded and is_known(value.value):
        return msgspec.json.encode(value.value).decode()
    return HOLE


def number_text(value: float) -> str:
    """A number as Terraform writes it."""
    return str(int(value)) if type(value) is float and value.is_integer() else str(value)


def truth(value: Value) -> bool | None:
    """The value as a condition, None when it is not known."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    return None


def decoded(value: Value) -> Value:
    """The document behind a JSON text; unknown when it is none."""
    if type(value) is Encoded:
        return value.value
    text = value.text if type(value) is Unknown else value
    if type(text) is not str or not text.strip().startswith(("{", "[")):
        return UNKNOWN
    try:
        return _with_holes(msgspec.json.decode(text))
    except UNDECODABLE:
        return UNKNOWN


def _with_holes(value: Value, depth: int = 0) -> Value:
    """Texts with holes in them are unknown."""
    if type(value) is str:
        return bounded_text(value)
    if depth > 100:
        return UNKNOWN
    if type(value) is list:
        return [_with_holes(each, depth + 1) for each in value]
    if type(value) is dict:
        return {key: _with_holes(each, depth + 1) for key, each in value.items()}
    return value
