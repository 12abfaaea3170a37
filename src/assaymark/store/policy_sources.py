"""Repositories in which policies of the organisation live: which path of which branch, and how the last look at it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant, RepositoryId
from assaymark.store.tables import policy_source as table
from assaymark.store.tables import repository


class SourceRow(Struct, frozen=True):
    """One of them."""

    id: int
    repository: RepositoryId
    repository_name: str
    path: str
    """A file, or a folder of which every ``*.yaml`` and ``*.yml`` is read."""
    branch: str
    """Empty: the default branch."""
    commit: str
    """That was read last."""
    problem: str
    created_at: Instant
    read_at: Instant | None
    ended_at: Instant | None


_COLUMNS = (
    *(table.c[name] for name in SourceRow.__struct_fields__ if name != "repository_name"),
    repository.c.name.label("repository_name"),
)


def add(connection: sa.Connection, number: RepositoryId, path: str, branch: str, at: Instant) -> int:
    """Read it from now on; gives the one that is there already when nothing differs."""
    same = (table.c.repository == number, table.c.path == path, table.c.branch == branch, table.c.ended_at.is_(None))
    there = connection.execute(sa.select(table.c.id).where(*same)).scalar()
    if there is not None:
        return int(there)
    values = {"repository": number, "path": path, "branch": branch, "created_at": at}
    return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())


def get(connection: sa.Connection, number: int) -> SourceRow | None:
    return next(iter(_rows(connection, table.c.id == number)), None)


def page(connection: sa.Connection, *, after: int, limit: int) -> list[SourceRow]:
    """Those that are read, in the order in which they came."""
    return _rows(connection, table.c.id > after, table.c.ended_at.is_(None), limit=limit)


def of_repository(connection: sa.Connection, number: RepositoryId) -> list[SourceRow]:
    return _rows(connection, table.c.repository == number, table.c.ended_at.is_(None))


def end(connection: sa.Connection, number: int, at: Instant) -> bool:
    """Read it no more; what is in force stays."""
    mine = table.update().where(table.c.id == number, table.c.ended_at.is_(None))
    return bool(connection.execute(mine.values(ended_at=at)).rowcount)


def was_read(connection: sa.Connection, number: int, at: Instant, *, commit: str = "", problem: str = "") -> None:
    """How a look went; without a commit the last one stays."""
    values: dict[str, Any] = {"read_at": at, "problem": problem[:1000]} | ({"commit": commit} if commit else {})
    connection.execute(table.update().where(table.c.id == number).values(**values))


def _rows(connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int = 200) -> list[SourceRow]:
    query: sa.Select[Any] = sa.select(*_COLUMNS).join(repository, repository.c.id == table.c.repository).where(*conditions)
    rows: Sequence[Any] = connection.execute(query.order_by(table.c.id).limit(limit)).all()
    return [SourceRow(**{name: getattr(row, name) for name in SourceRow.__struct_fields__}) for row in rows]
