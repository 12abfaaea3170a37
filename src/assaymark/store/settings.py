"""Settings that people make while the server runs, as documents by name. Which there are, their owners know."""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.model.assessment import Instant
from assaymark.store.tables import setting as table


def get(connection: sa.Connection, name: str) -> str | None:
    """The document."""
    found: str | None = connection.execute(sa.select(table.c.value).where(table.c.name == name)).scalar()
    return found


def put(connection: sa.Connection, name: str, value: str, *, at: Instant) -> None:
    """Keep a document in place of the one before."""
    connection.execute(table.delete().where(table.c.name == name))
    connection.execute(table.insert(), {"name": name, "value": value, "changed_at": at})


def remove(connection: sa.Connection, name: str) -> bool:
    """Forget it; False when there was none."""
    return connection.execute(table.delete().where(table.c.name == name).returning(table.c.name)).first() is not None


def under(connection: sa.Connection, prefix: str) -> list[tuple[str, str]]:
    """(rest of the name, document) of all whose names begin so, by name; a few."""
    query = sa.select(table.c.name, table.c.value).where(table.c.name.startswith(prefix, autoescape=True)).order_by(table.c.name)
    return [(name.removeprefix(prefix), value) for name, value in connection.execute(query.limit(500))]
