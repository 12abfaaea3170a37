"""The place in a list at which a page ended, as text that a client gives back unread.

Guarantees: `decode` gives values of exactly the types asked for, whole numbers of 64 bits and text that a database takes, or refuses; a
cursor that was cut, altered, or made by another version or for a list with another key is refused.
Does not hide: whoever decodes a cursor sees the sort key of a row that he was shown. Its digest is there against accidents, not against
forgers, who gain nothing: what a list shows is narrowed by permission, not by its cursor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from assaymark.formats.undecodable import UNDECODABLE
from assaymark.server.problem import ApiError, invalid

_VERSION = b"\x01"
_DIGEST = 6
MOST = 2048
"""Characters of a cursor."""


def encode(values: tuple[Any, ...]) -> str:
    """Text for the sort key of the last row of a page: whole numbers, texts, None."""
    return _text(msgspec.msgpack.encode(values))


def decode(text: str, types: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sort key.

    Raises:
        ApiError: 400 when it is none of ours.
    """
    try:
        raw = base64.urlsafe_b64decode(text[: MOST + 1] + "=" * (-len(text) % 4))
        packed = raw[1 + _DIGEST :]
        if _text(packed) != text:  # one spelling only
            raise _refused()
        values = _decoder(types).decode(packed)
    except (*UNDECODABLE, binascii.Error, ValueError) as error:
        raise _refused() from error
    if not all(_is_storable(value) for value in values):
        raise _refused()
    return values


def _text(packed: bytes) -> str:
    digest = hashlib.blake2b(packed, digest_size=_DIGEST, person=b"assay-cursor").digest()
    return base64.urlsafe_b64encode(_VERSION + digest + packed).rstrip(b"=").decode()


@lru_cache(maxsize=256)
def _decoder(types: tuple[Any, ...]) -> msgspec.msgpack.Decoder[tuple[Any, ...]]:
    return msgspec.msgpack.Decoder(tuple.__class_getitem__(types))


def _is_storable(value: Any) -> bool:
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return not isinstance(value, str) or "\0" not in value


def _refused() -> ApiError:
    return invalid("`after` is no place in this list", "give `next` of a page of the same list as it came, or leave it out")
