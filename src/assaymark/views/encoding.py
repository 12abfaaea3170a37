r"""JSON for reports: readable, in a stable order, and valid whatever the content was.

A lone surrogate (a byte of a file name that is no UTF-8) has no place in JSON; it is written visibly as ``\xNN`` instead.
Control, bidirectional and invisible characters are written as JSON escapes: nothing is lost, and nothing is obeyed by a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from assaymark.views.sanitise import visible

_SUSPECT = re.compile(r"[^\n -~]")


def json_text(value: Any) -> str:
    """The value as indented JSON with a final line feed."""
    return _shown(msgspec.json.format(packed(value), indent=2).decode()) + "\n"


def packed(value: Any) -> bytes:
    """The value as JSON without white space, to be kept and read again."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def _shown(text: str) -> str:
    """Characters that a terminal would obey or hide, as JSON escapes. Outside strings JSON is plain ASCII, so only strings change."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _SUSPECT.sub(lambda match: match[0] if visible(match[0], keep="\n") == match[0] else _escape(match[0]), text)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return well_formed(value)
        case Mapping():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case _:
            return value


def well_formed(text: str) -> str:
    """The text with only its surrogates made visible."""
    if text.isascii():
        return text
    return "".join(visible(char) if "\ud800" <= char <= "\udfff" else char for char in text)
