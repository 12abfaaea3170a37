"""Tokens of programs. A token is known by its SHA-256; it is shown once, when it is made.

Guarantees: `open_one` tells apart what is unknown, what has ended and what lives; a token of a disabled person does not live.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Permission, PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.tables import person
from assaymark.store.tables import token as table

WRITTEN_EVERY = 60 * SECOND


class TokenRow(Struct, frozen=True):
    id: int
    person: PersonId
    name: str
    hint: str
    """Its first letters, to know it again."""
    scopes: frozenset[Permission]
    team: TeamId | None
    """The only team in which it does anything; None for all of its owner's."""
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None
    used_at: Instant | None


class State(StrEnum):
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISABLED = "disabled"
    """Its owner is."""


class Opened(Struct, frozen=True):
    """A token that is known, with its owner."""

    token: TokenRow
    login: str
    state: State


_columns = (
    table.c.id,
    table.c.person,
    table.c.name,
    table.c.hint,
    table.c.scopes,
    table.c.team,
    table.c.created_at,
    table.c.expires_at,
    table.c.revoked_at,
    table.c.used_at,
)


def add(connection: sa.Connection, hashed: str, row: TokenRow) -> int:
    """Write a new token; the id in the row is not read."""
    values = {name: getattr(row, name) for name in ("person", "name", "hint", "team", "created_at", "expires_at")}
    scopes = msgspec.json.encode(sorted(row.scopes)).decode()
    made: int = connection.execute(table.insert().returning(table.c.id), values | {"hash": hashed, "scopes": scopes}).scalar_one()
    return made


def open_one(connection: sa.Connection, hashed: str, *, now: Instant) -> Opened | None:
    """The token of this hash; None when it is not known."""
    query = sa.select(*_columns, person.c.login, person.c.disabled_at).join(person, person.c.id == table.c.person)
    row = connection.execute(query.where(table.c.hash == hashed)).first()
    if row is None:
        return None
    found = _row(row[:-2])
    if row.disabled_at is not None:
        state = State.DISABLED
    elif found.revoked_at is not None:
        state = State.REVOKED
    else:
        state = State.LIVE if found.expires_at > now else State.EXPIRED
    return Opened(found, row.login, state)


def _row(row: sa.Row[tuple[object, ...]] | tuple[object, ...]) -> TokenRow:
    values = list(row)
    known = {each.value for each in Permission}
    # A scope that this release does not know gives nothing.
    values[4] = frozenset(Permission(each) for each in msgspec.json.decode(str(values[4]), type=list[str]) if each in known)
    return TokenRow(*values)  # type: ignore[arg-type]


def touch(connection: sa.Connection, token: int, now: Instant) -> None:
    """It was used now; written at most once a minute."""
    stale = sa.or_(table.c.used_at.is_(None), table.c.used_at <= now - WRITTEN_EVERY)
    connection.execute(table.update().where(table.c.id == token, stale).values(used_at=now))


def get(connection: sa.Connection, token: int) -> TokenRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.id == token)).first()
    return _row(row) if row else None


def page(connection: sa.Connection, holder: PersonId, *, before: int | None, limit: int) -> list[TokenRow]:
    """Somebody's, newest first, those that ended too."""
    query = sa.select(*_columns).where(table.c.person == holder).order_by(table.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(query if before is None else query.where(table.c.id < before))]


def revoke(connection: sa.Connection, token: int, at: Instant) -> bool:
    """End it; False when it had been revoked."""
    done = table.update().where(table.c.id == token, table.c.revoked_at.is_(None)).values(revoked_at=at).returning(table.c.id)
    return connection.execute(done).first() is not None


def revoke_all(connection: sa.Connection, holder: PersonId, at: Instant) -> int:
    """End all of somebody's; gives how many."""
    query = table.update().where(table.c.person == holder, table.c.revoked_at.is_(None)).values(revoked_at=at).returning(table.c.id)
    return len(connection.execute(query).all())
