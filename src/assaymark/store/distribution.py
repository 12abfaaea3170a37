"""What is distributed, as the files that are served, and the keys of TUF's roles. One state at a time; a root stays for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store.tables import trust_file as files
from assaymark.store.tables import trust_role_key as keys

_LOCK = 0x747566


class RoleKeyRow(Struct, frozen=True):
    """A key of a role."""

    id: int
    role: str
    keyid: str
    public: str
    sealed: bytes | None
    """By the vault; None when its private part was taken off this server."""


def lock(link: sa.Connection) -> None:
    """Nobody else publishes until this transaction ends."""
    if link.dialect.name != "sqlite":
        link.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def role_keys(link: sa.Connection) -> dict[str, RoleKeyRow]:
    """Role -> its present key."""
    return _rows(link, keys.c.adopted_at.is_not(None))


def waiting_keys(link: sa.Connection) -> dict[str, RoleKeyRow]:
    """Role -> the key that becomes its present one with the root that names it."""
    return _rows(link, keys.c.adopted_at.is_(None))


def _rows(link: sa.Connection, which: sa.ColumnElement[bool]) -> dict[str, RoleKeyRow]:
    columns = (keys.c.id, keys.c.role, keys.c.keyid, keys.c.public, keys.c.sealed)
    rows = link.execute(sa.select(*columns).where(which, keys.c.ended_at.is_(None)).order_by(keys.c.id))
    return {row.role: RoleKeyRow(*row) for row in rows}


def add_role_key(link: sa.Connection, row: RoleKeyRow, at: Instant, *, waits: bool = False) -> None:
    """The role's key from now on; or from when a root that names it is adopted, instead of another that waited for that."""
    same = keys.c.adopted_at.is_(None) if waits else keys.c.adopted_at.is_not(None)
    _end(link, sa.and_(keys.c.role == row.role, same), at)
    adopted = None if waits else at
    values = {"role": row.role, "keyid": row.keyid, "public": row.public, "sealed": row.sealed, "created_at": at, "adopted_at": adopted}
    link.execute(keys.insert(), values)


def adopt_waiting(link: sa.Connection, roles: Iterable[str], at: Instant) -> None:
    """The keys that waited are the roles' present ones; the private parts of those before are gone."""
    for role in roles:
        _end(link, sa.and_(keys.c.role == role, keys.c.adopted_at.is_not(None)), at)
        waits = sa.and_(keys.c.role == role, keys.c.adopted_at.is_(None), keys.c.ended_at.is_(None))
        link.execute(keys.update().where(waits).values(adopted_at=at))


def _end(link: sa.Connection, which: sa.ColumnElement[bool], at: Instant) -> None:
    link.execute(keys.update().where(which, keys.c.ended_at.is_(None)).values(ended_at=at, sealed=None))


def drop_private(link: sa.Connection, role: str, at: Instant) -> None:
    """The role's key lies elsewhere from now on: the private part that was here is gone."""
    _end(link, keys.c.role == role, at)


def file(link: sa.Connection, name: str) -> bytes | None:
    """What is served under this path."""
    found = link.execute(sa.select(files.c.data).where(files.c.name == name)).scalar()
    return bytes(found) if found is not None else None


def state(link: sa.Connection) -> dict[str, bytes]:
    """The present state, and all roots."""
    return {row.name: bytes(row.data) for row in link.execute(sa.select(files.c.name, files.c.data).where(files.c.kept == 1))}


def put(link: sa.Connection, made: Mapping[str, bytes], at: Instant) -> None:
    """These are part of the present state."""
    for name, data in made.items():
        changed = link.execute(files.update().where(files.c.name == name).values(data=data, at=at, kept=1))
        if not changed.rowcount:
            link.execute(files.insert(), {"name": name, "data": data, "at": at, "kept": 1})


def leave(link: sa.Connection, made: Mapping[str, bytes], at: Instant, *, forget: Instant) -> None:
    """What is no root and not among these belongs to the past, and is gone when it was left before `forget`."""
    past = [name for name in state(link) if name not in made and not name.endswith("root.json")]
    for name in past:
        link.execute(files.update().where(files.c.name == name).values(kept=0, at=at))
    link.execute(files.delete().where(files.c.kept == 0, files.c.at < forget))
