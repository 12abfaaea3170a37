"""What may be used once, by whoever holds its secret, until its time is over: links to set up, join and reset, challenges of passkeys, and
what is remembered of a sign-in while an identity provider has it.

Guarantees: of two who come with the same secret at the same time one gets it (`take` is one statement). Only the secret's SHA-256 is kept.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError

from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.tables import invitation as table

_KEPT = 86400 * SECOND


class Purpose(StrEnum):
    SETUP = "setup"
    JOIN = "join"
    RESET = "reset"
    PASSKEY_ADD = "passkey-add"
    PASSKEY_SIGN_IN = "passkey-sign-in"
    OIDC = "oidc"
    EXCHANGED = "exchanged"
    """A token of another issuer that was changed for one of ours: kept so that it is not changed again."""


class Invitation(Struct, frozen=True):
    purpose: Purpose
    person: PersonId | None
    details: str
    """Whatever belongs to it, as JSON or sealed."""
    created_at: Instant
    expires_at: Instant


def put(connection: sa.Connection, hashed: str, invitation: Invitation) -> int:
    """Write one."""
    row = {
        "hash": hashed,
        "purpose": invitation.purpose.value,
        "person": invitation.person,
        "details": invitation.details,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }
    made: int = connection.execute(table.insert().returning(table.c.id), row).scalar_one()
    return made


def forget(connection: sa.Connection, now: Instant) -> None:
    """Delete those that ended more than a day ago."""
    connection.execute(table.delete().where(table.c.expires_at < now - _KEPT))


def put_once(connection: sa.Connection, hashed: str, invitation: Invitation) -> bool:
    """Write one unless it is there, used or not; False when it is. Of two at the same time one is told so."""
    try:
        with connection.begin_nested():
            put(connection, hashed, invitation)
    except IntegrityError:
        return False
    return True


_columns = (table.c.purpose, table.c.person, table.c.details, table.c.created_at, table.c.expires_at)


def look(connection: sa.Connection, hashed: str, purposes: tuple[Purpose, ...], *, now: Instant) -> Invitation | None:
    """What `take` would give, without using it."""
    row = connection.execute(sa.select(*_columns).where(*_usable(hashed, purposes, now))).first()
    return _invitation(row) if row else None


def take(connection: sa.Connection, hashed: str, purposes: tuple[Purpose, ...], *, now: Instant) -> Invitation | None:
    """Use it up; None when it is unknown, was used, or its time is over."""
    query = table.update().where(*_usable(hashed, purposes, now)).values(used_at=now).returning(*_columns)
    row = connection.execute(query).first()
    return _invitation(row) if row else None


def withdraw(connection: sa.Connection, purposes: tuple[Purpose, ...], *, person: PersonId | None, now: Instant) -> None:
    """Make those of a purpose useless, of one person or (None) of nobody in particular."""
    whose = table.c.person.is_(None) if person is None else table.c.person == person
    named = table.c.purpose.in_([each.value for each in purposes])
    connection.execute(table.update().where(named, whose, table.c.used_at.is_(None)).values(used_at=now))


def _usable(hashed: str, purposes: tuple[Purpose, ...], now: Instant) -> tuple[sa.ColumnElement[bool], ...]:
    named = table.c.purpose.in_([each.value for each in purposes])
    return table.c.hash == hashed, named, table.c.used_at.is_(None), table.c.expires_at > now


def _invitation(row: Any) -> Invitation:
    return Invitation(Purpose(row[0]), *row[1:])
