"""in-toto Statement v1: what is said of which bytes, as the payload of an envelope."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.errors import SignatureInvalid

PAYLOAD_TYPE = "application/vnd.in-toto+json"
TYPE = "https://in-toto.io/Statement/v1"


class Named(Struct, frozen=True, omit_defaults=True):
    """Bytes, by their digest (in-toto ResourceDescriptor)."""

    name: str
    digest: dict[str, str]
    annotations: dict[str, Any] = {}
    """What else is said of them; nothing is decided by it."""


class Statement(Struct, frozen=True, rename="camel"):
    subject: tuple[Named, ...]
    predicate_type: str
    predicate: Any
    type: str = msgspec.field(default=TYPE, name="_type")


class _Received(Struct, frozen=True, rename="camel"):
    """As `Statement`, of which nothing may be left out: what does not say what it is, is none."""

    subject: tuple[Named, ...]
    predicate_type: str
    predicate: Any
    type: str = msgspec.field(name="_type")


def statement(subjects: Mapping[str, bytes], predicate_type: str, predicate: Any) -> bytes:
    """As JSON; the same input gives the same bytes."""
    named = tuple(Named(name, {"sha256": hashlib.sha256(data).hexdigest()}) for name, data in subjects.items())
    return written(Statement(named, predicate_type, predicate))


def written(said: Statement) -> bytes:
    """As JSON; the same input gives the same bytes."""
    return msgspec.json.encode(said, order="deterministic")


def parsed(payload: bytes) -> Statement:
    """A statement of version 1 about something; what it says of it is looked at by whoever knows its predicate.

    Raises:
        NotStrictError: when it is none.
    """
    found = strict_json.read(payload, _Received)
    if found.type != TYPE or not found.subject:
        raise strict_json.NotStrictError(f"its type is {found.type[:100]!r} and it names {len(found.subject)} subjects")
    return Statement(found.subject, found.predicate_type, found.predicate)


def read(payload: bytes) -> Statement:
    """A statement, of which nothing is believed yet but who signed it.

    Raises:
        SignatureInvalid: when it is none.
    """
    try:
        return parsed(payload)
    except strict_json.NotStrictError as error:
        raise SignatureInvalid("the envelope holds no in-toto statement", why=str(error)) from error


def names_of(said: Statement, data: bytes) -> list[str]:
    """Under which names these very bytes stand in the statement; empty when they do not."""
    digest = hashlib.sha256(data).hexdigest()
    return [each.name for each in said.subject if hmac.compare_digest(each.digest.get("sha256", "").encode(), digest.encode())]
