"""Settings that people change while the server runs: one JSON value per name."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import Instant
from assaymark.store.tables import setting

_T = TypeVar("_T")
_MOST = 500


def get(connection: sa.Connection, name: str, kind: type[_T], otherwise: _T) -> _T:
    """The value; `otherwise` when nobody set it, or what was set makes no sense to this release."""
    value = connection.execute(sa.select(setting.c.value).where(setting.c.name == name)).scalar()
    if value is None:
        return otherwise
    try:
        return msgspec.json.decode(value, type=kind)
    except UNDECODABLE:
        return otherwise


def put(connection: sa.Connection, name: str, value: Any, at: Instant) -> None:
    """Set it."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"value": msgspec.json.encode(value).decode(), "changed_at": at}
    statement = dialect.insert(setting).values(name=name, **row).on_conflict_do_update(index_elements=["name"], set_=row)
    connection.execute(statement)


def remove(connection: sa.Connection, name: str) -> bool:
    """Forget it; False when nobody had set it."""
    return connection.execute(setting.delete().where(setting.c.name == name).returning(setting.c.name)).first() is not None


def under(connection: sa.Connection, prefix: str, kind: type[_T]) -> dict[str, _T]:
    """Rest of the name -> value, of all whose names begin so, in the order of names; what makes no sense to this release is left out."""
    query = sa.select(setting.c.name, setting.c.value).where(setting.c.name.startswith(prefix, autoescape=True)).order_by(setting.c.name)
    found: dict[str, _T] = {}
    for name, value in connection.execute(query.limit(_MOST)):
        with contextlib.suppress(*UNDECODABLE):
            found[name.removeprefix(prefix)] = msgspec.json.decode(value, type=kind)
    return found
