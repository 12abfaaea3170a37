"""Saved views: a list of findings with its filter, under a name, for oneself, for a team, or for everybody.

Guarantees: a view holds what is asked, never what was found, so that whoever opens a shared one sees only what he may see anyway; a person
has at most `MOST` of them. Who may share with whom is the caller's to ask.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import person, saved_view

MOST = 100
"""Of one person; lists show no more either."""
c = saved_view.c


class Audience(StrEnum):
    """Who sees a view."""

    OWN = "own"
    TEAM = "team"
    ALL = "all"


class ViewRow(Struct, frozen=True):
    """A saved view."""

    id: int
    name: str
    query: str
    """Parameters of the list of findings, as in its address."""
    audience: Audience
    team: TeamId | None
    owner: str
    """Login of whoever made it."""
    person: PersonId
    created_at: Instant


_COLUMNS = (c.id, c.name, c.query, c.audience, c.team, person.c.login.label("owner"), c.person, c.created_at)


def seen_by(connection: sa.Connection, who: PersonId, teams: Teams) -> list[ViewRow]:
    """His own, those of his teams and those for everybody, by name; at most `MOST` of each."""
    found: list[ViewRow] = []
    shared = sa.and_(c.audience == Audience.TEAM.value, *of_teams(c.team, teams))
    for condition in (c.person == who, sa.and_(c.person != who, shared), sa.and_(c.person != who, c.audience == Audience.ALL.value)):
        query = sa.select(*_COLUMNS).join(person, person.c.id == c.person).where(condition).order_by(c.name, c.id).limit(MOST)
        found += [_row(row) for row in connection.execute(query)]
    return sorted(found, key=lambda row: (row.name.lower(), row.id))


def one(connection: sa.Connection, number: int) -> ViewRow | None:
    """One of them."""
    row = connection.execute(sa.select(*_COLUMNS).join(person, person.c.id == c.person).where(c.id == number)).first()
    return None if row is None else _row(row)


def _row(row: Any) -> ViewRow:
    values = row._asdict()
    return ViewRow(**values | {"audience": Audience(values["audience"])})


class Draft(Struct, frozen=True):
    """A view to be kept."""

    name: str
    query: str
    audience: Audience = Audience.OWN
    team: TeamId | None = None


def add(connection: sa.Connection, who: PersonId, draft: Draft, *, at: Instant) -> int | None:
    """Keep it; None when he has as many as he may have."""
    if int(connection.execute(sa.select(sa.func.count()).where(c.person == who)).scalar_one()) >= MOST:
        return None
    values = {"person": who, "audience": draft.audience.value, "team": draft.team, "name": draft.name, "query": draft.query}
    return int(connection.execute(saved_view.insert().values({**values, "created_at": at}).returning(c.id)).scalar_one())


def remove(connection: sa.Connection, number: int) -> None:
    """Forget it."""
    connection.execute(saved_view.delete().where(c.id == number))
