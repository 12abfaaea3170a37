"""JSON of strangers: the same bytes mean the same to every reader, or they mean nothing.

A name that stands twice in an object is refused, because readers differ about which one counts; so are text that is no UTF-8 and numbers
that are none.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec

from assaymark.formats.undecodable import UNDECODABLE

Shape = TypeVar("Shape")


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
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
        return msgspec.convert(found, shape)
    except NotStrictError:
        raise
    except (*UNDECODABLE, ValueError) as error:
        raise NotStrictError(str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NameTwiceError("a name stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise NotStrictError(f"{name} is no number of JSON")
