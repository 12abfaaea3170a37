"""Sessions of browsers. A session is known by the SHA-256 of what its cookie holds, so that a copy of the database opens none.

Guarantees: what `open_one` finds belongs to somebody who is not disabled, was not revoked, is younger than its end and was seen within the
idle time. `expires_at` never moves; `seen_at` moves at most once a minute.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.tables import person
from assaymark.store.tables import session as table

WRITTEN_EVERY = 60 * SECOND


class SessionRow(Struct, frozen=True):
    id: int
    person: PersonId
    method: str
    """``password``, ``passkey``, ``oidc:<provider>``, ``link``."""
    origin: str
    agent: str
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    revoked_at: Instant | None


class Opened(Struct, frozen=True):
    """A live session with its person."""

    session: int
    person: PersonId
    login: str
    seen_at: Instant


_columns = (
    table.c.id,
    table.c.person,
    table.c.method,
    table.c.origin,
    table.c.agent,
    table.c.created_at,
    table.c.seen_at,
    table.c.expires_at,
    table.c.revoked_at,
)


def start(connection: sa.Connection, hashed: str, row: SessionRow) -> int:
    """Write a new session; the id in the row is not read."""
    values = {name: getattr(row, name) for name in ("person", "method", "origin", "agent", "created_at", "seen_at", "expires_at")}
    made: int = connection.execute(table.insert().returning(table.c.id), values | {"hash": hashed}).scalar_one()
    return made


def open_one(connection: sa.Connection, hashed: str, *, now: Instant, idle: int) -> Opened | None:
    """The live session of a cookie."""
    query = sa.select(table.c.id, table.c.person, person.c.login, table.c.seen_at).join(person, person.c.id == table.c.person)
    row = connection.execute(query.where(table.c.hash == hashed, *_live(now, idle), person.c.disabled_at.is_(None))).first()
    return Opened(*row) if row else None


def _live(now: Instant, idle: int) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.revoked_at.is_(None), table.c.expires_at > now, table.c.seen_at > now - idle


def touch(connection: sa.Connection, session: int, now: Instant) -> None:
    """It was seen now."""
    connection.execute(table.update().where(table.c.id == session, table.c.seen_at <= now - WRITTEN_EVERY).values(seen_at=now))


def get(connection: sa.Connection, session: int) -> SessionRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.id == session)).first()
    return SessionRow(*row) if row else None


def live_of(connection: sa.Connection, holder: PersonId, *, now: Instant, idle: int) -> list[SessionRow]:
    """Somebody's live sessions, newest first; at most a thousand."""
    query = sa.select(*_columns).where(table.c.person == holder, *_live(now, idle)).order_by(table.c.id.desc()).limit(1000)
    return [SessionRow(*row) for row in connection.execute(query)]


def revoke(connection: sa.Connection, session: int, at: Instant) -> bool:
    """End it; False when it had ended."""
    done = table.update().where(table.c.id == session, table.c.revoked_at.is_(None)).values(revoked_at=at).returning(table.c.id)
    return connection.execute(done).first() is not None


def revoke_all(connection: sa.Connection, holder: PersonId, at: Instant, *, but: int | None = None) -> int:
    """End all of somebody's, but perhaps this one; gives how many."""
    query = table.update().where(table.c.person == holder, table.c.revoked_at.is_(None)).values(revoked_at=at).returning(table.c.id)
    return len(connection.execute(query if but is None else query.where(table.c.id != but)).all())


def forget(connection: sa.Connection, before: Instant) -> int:
    """Delete those that ended before this; gives how many."""
    return len(connection.execute(table.delete().where(table.c.expires_at < before).returning(table.c.id)).all())
