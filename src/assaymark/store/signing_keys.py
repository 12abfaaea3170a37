"""Keys that the server signs with: public parts for ever, private ones sealed."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store.tables import signing_key as table

_LOCK = 0x7369676E


class KeyRow(Struct, frozen=True):
    """A key's public part."""

    id: int
    keyid: str
    public: str
    """PEM."""
    created_at: Instant
    ended_at: Instant | None


_columns = tuple(table.c[name] for name in KeyRow.__struct_fields__)


def lock(connection: sa.Connection) -> None:
    """Nobody else makes a key until this transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def present(connection: sa.Connection) -> tuple[KeyRow, bytes] | None:
    """The one that signs now, with its sealed private part."""
    query = sa.select(*_columns, table.c.sealed).where(table.c.ended_at.is_(None)).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return (KeyRow(*row[:5]), bytes(row.sealed)) if row is not None else None


def add(connection: sa.Connection, row: KeyRow, sealed: bytes) -> None:
    """Another one, which signs from now on; the one before has ended."""
    connection.execute(table.update().where(table.c.ended_at.is_(None)).values(ended_at=row.created_at))
    connection.execute(table.insert(), {"keyid": row.keyid, "public": row.public, "sealed": sealed, "created_at": row.created_at})


def every(connection: sa.Connection) -> list[KeyRow]:
    """Newest first."""
    return [KeyRow(*row) for row in connection.execute(sa.select(*_columns).order_by(table.c.id.desc()).limit(100))]
