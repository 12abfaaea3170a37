"""JSON of strangers: the same bytes mean the same to every reader, or they mean nothing.

Refused is what readers differ about: a name that stands twice in an object; a name of the formats read here beside one that differs from it
in capitals only (some readers take either); numbers that are none or too large to be one; halves of characters; nesting deeper than
`MOST_DEPTH`, whose end would otherwise depend on how much of the stack is left; text that is no UTF-8 or begins with a byte order mark.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, TypeVar

import msgspec

from assaymark.formats.undecodable import UNDECODABLE

Shape = TypeVar("Shape")

MOST_DEPTH = 64
"""An approval has six levels, a bill of materials about ten."""
_NAMES = (
    "payload", "payloadType", "signatures", "sig", "keyid", "mediaType", "dsseEnvelope", "verificationMaterial", "publicKey",
    "hint", "_type", "subject", "predicateType", "predicate", "name", "digest", "verifier", "id", "version", "timeVerified",
    "resourceUri", "policy", "verificationResult", "verifiedLevels", "expires", "environments", "lineage", "roots", "keys",
    "threshold", "resources", "levels", "since", "until", "maxAgeDays", "log", "required", "entries", "target", "reason",
)  # fmt: skip
_KNOWN = frozenset(_NAMES)
_FOLDED = {each.casefold(): each for each in _NAMES}


class NotStrictError(ValueError):
    """These bytes are no document of that shape."""


class NameTwiceError(NotStrictError):
    """A name stands twice in one object."""


def read(data: bytes, shape: type[Shape]) -> Shape:
    """The document.

    Raises:
        NameTwiceError: when a name stands twice in one object.
        NotStrictError: when it is no JSON in UTF-8, or of another shape.
    """
    try:
        text = data.decode("utf-8")
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
        _look_at_depth(text, found)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # halves of characters cannot be encoded
        return msgspec.convert(found, shape)
    except NotStrictError:
        raise
    except (*UNDECODABLE, ValueError) as error:
        raise NotStrictError(str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NameTwiceError("a name stands twice in one object")
    for name in found:
        if name not in _KNOWN and _FOLDED.get(name.casefold()) in found:
            raise NameTwiceError(f"{_FOLDED[name.casefold()]!r} stands twice in one object, once in other letters")
    return found


def _constant(name: str) -> NoReturn:
    raise NotStrictError(f"{name} is no number of JSON")


def _number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise NotStrictError("a number is too large to be one")
    return found


def _look_at_depth(text: str, found: Any) -> None:
    if text.count("[") + text.count("{") <= MOST_DEPTH:  # what nearly always holds, and costs nothing
        return
    level = [found]
    for _ in range(MOST_DEPTH):
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each) if isinstance(inner, dict | list)]
        if not level:
            return
    raise NotStrictError(f"it is nested deeper than {MOST_DEPTH}")
