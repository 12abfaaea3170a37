"""Connections: forges, registries and git servers that things come from, with what they are trusted by.

Guarantees: what is sealed leaves this module only by `keys`, for who is about to use it; rows that are listed say whether there is a token
or secret and not which. An ended connection stays as a row, because deliveries and repositories refer to it, and its name is free again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.tables import connection as table
from assaymark.store.tables import delivery

KINDS = ("github", "gitlab", "gitea", "bitbucket", "git", "registry", "ci", "jira")


class ConnectionRow(Struct, frozen=True):
    """A connection as everybody may see it who may see it at all."""

    id: int
    kind: str
    name: str
    web_url: str
    api_url: str
    team: TeamId | None
    options: dict[str, Any]
    created_at: Instant
    ended_at: Instant | None
    has_token: bool
    has_secret: bool
    previous_until: Instant | None
    """Until when the secret before the present one holds too."""


class Keys(Struct, frozen=True):
    """What is sealed."""

    token: bytes | None
    webhook_secret: bytes | None
    previous_secret: bytes | None
    previous_until: Instant | None


class DeliveryRow(Struct, frozen=True):
    """A delivery that was taken in."""

    id: int
    delivery: str
    event: str
    received_at: Instant
    outcome: str


_SEEN = (
    *(
        table.c[name]
        for name in ("id", "kind", "name", "web_url", "api_url", "team", "options", "created_at", "ended_at", "previous_until")
    ),
    table.c.token.is_not(None).label("has_token"),
    table.c.webhook_secret.is_not(None).label("has_secret"),
)


def create(link: sa.Connection, values: Mapping[str, Any]) -> int:
    """A row; what is sealed is added when its number is known, because the number is part of what it is sealed for."""
    return int(link.execute(table.insert().returning(table.c.id), dict(values)).scalar_one())


def change(link: sa.Connection, number: int, values: Mapping[str, Any]) -> None:
    """Other values for some columns."""
    link.execute(table.update().where(table.c.id == number).values(**values))


def end(link: sa.Connection, number: int, at: Instant) -> None:
    """Nothing is taken from it or asked of it any more; its keys are forgotten and its name is free."""
    forgotten = {"token": None, "webhook_secret": None, "previous_secret": None, "previous_until": None}
    name = table.c.name.concat(f" (ended {number})")
    link.execute(table.update().where(table.c.id == number, table.c.ended_at.is_(None)).values(ended_at=at, name=name, **forgotten))


def get(link: sa.Connection, number: int, *, lock: bool = False) -> ConnectionRow | None:
    """One."""
    query = sa.select(*_SEEN).where(table.c.id == number)
    row = link.execute(query.with_for_update(key_share=True) if lock else query).first()
    return _row(row) if row else None


def named(link: sa.Connection, name: str) -> int | None:
    """The number of the one with this name."""
    return link.execute(sa.select(table.c.id).where(table.c.name == name)).scalar()


def keys(link: sa.Connection, number: int) -> Keys:
    """What is sealed, for who is about to open it."""
    row = link.execute(sa.select(*(table.c[name] for name in Keys.__struct_fields__)).where(table.c.id == number)).first()
    return Keys(*row) if row else Keys(None, None, None, None)


def page(link: sa.Connection, teams: frozenset[TeamId] | None, *, after: int, limit: int) -> list[ConnectionRow]:
    """Those of these teams that have not ended, in the order in which they were made."""
    query = sa.select(*_SEEN).where(table.c.id > after, table.c.ended_at.is_(None)).order_by(table.c.id).limit(limit)
    if teams is not None:
        query = query.where(table.c.team.in_(teams))
    return [_row(row) for row in link.execute(query)]


def deliveries(link: sa.Connection, number: int, *, before: int | None, limit: int) -> list[DeliveryRow]:
    """What came by a connection, newest first."""
    columns = [delivery.c[name] for name in DeliveryRow.__struct_fields__]
    query = sa.select(*columns).where(delivery.c.connection == number).order_by(delivery.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(delivery.c.id < before)
    return [DeliveryRow(*row) for row in link.execute(query)]


def _row(row: Any) -> ConnectionRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["options"] = msgspec.json.decode(values["options"])
    return ConnectionRow(**values)
