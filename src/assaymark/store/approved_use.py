"""Who uses a component, and what teams hold that may be unknown: asked of what subjects hold, now or then.

Guarantees: narrowed to the teams of who asks; numbers are counted up to a bound and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.components import ComponentKind
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store import bulk
from assaymark.store.approved import ComponentRow
from assaymark.store.components import IMPORTED
from assaymark.store.narrowing import Teams, of_teams, standing
from assaymark.store.tables import (
    component,
    holding,
    image_base,
    known_component,
    known_use,
    package,
    package_set,
    subject,
    unordered_component,
)

MOST = 1_000
"""Up to which users are counted."""
c, o, h, s, k = component.c, unordered_component.c, holding.c, subject.c, known_component.c


class Adoption(Struct, frozen=True):
    """How far a component is used, by what the caller may see."""

    subjects: int
    teams: int
    """Of those subjects."""
    at_least: bool
    """There are more: counting ended."""


class User(Struct, frozen=True):
    """A subject that uses it."""

    subject: SubjectId
    name: str
    kind: str
    team: TeamId | None


class Scope(Struct, frozen=True):
    """Who asks, about when, and how far he has read."""

    teams: Teams
    at: Instant | None = None
    after: int = 0
    limit: int = 50


class Change(Struct, frozen=True):
    """A subject came to hold another set of packages at a path."""

    holding: int
    subject: SubjectId
    team: TeamId | None
    path: str
    at: Instant
    before: int
    """Number of the package set that it held until then."""
    after: int


class HeldName(Struct, frozen=True):
    """A package in a version that somebody holds."""

    name: str
    version: str
    known: int | None
    """Number of the component; None where nothing endorsed ever held it."""


def adoption(connection: sa.Connection, row: ComponentRow, teams: Teams, at: Instant | None = None) -> Adoption:
    """Counted up to `MOST` subjects."""
    some = _users(row, teams, at).limit(MOST + 1).subquery()
    query = sa.select(sa.func.count(), sa.func.count(sa.distinct(some.c.team))).select_from(some)
    subjects, many = connection.execute(query).one()
    return Adoption(min(subjects, MOST), many, subjects > MOST)


def users(connection: sa.Connection, row: ComponentRow, scope: Scope) -> list[User]:
    """In order of their numbers, after one."""
    some = _users(row, scope.teams, scope.at).subquery()
    query = (
        sa.select(s.id, s.name, s.kind, s.team).join(some, some.c.id == s.id).where(s.id > scope.after).order_by(s.id).limit(scope.limit)
    )
    return [User(SubjectId(each.id), each.name, each.kind, each.team) for each in connection.execute(query)]


def _users(row: ComponentRow, teams: Teams, at: Instant | None) -> sa.Select[Any]:
    alive = s.ended_at.is_(None) if at is None else sa.or_(s.ended_at.is_(None), s.ended_at > at)
    query = sa.select(s.id, s.team).distinct().where(alive, *of_teams(s.team, teams))
    if row.kind is ComponentKind.PACKAGE:
        table = component if row.version_key else unordered_component
        chosen = [table.c.package == row.package, table.c.version == row.version]
        chosen += [c.version_key == row.version_key] if row.version_key else []
        held = sa.and_(h.package_set == table.c.package_set, *standing(holding, at))
        return query.select_from(table).join(holding, held).join(subject, s.id == h.subject).where(*chosen)
    if row.kind is ComponentKind.BASE_IMAGE:
        origin = sa.select(sa.literal("image:") + sa.cast(known_use.c.subject, sa.Text)).where(known_use.c.component == row.id)
        return query.select_from(image_base).join(subject, s.id == image_base.c.subject).where(image_base.c.base.in_(origin))
    same = sa.select(k.id).where(k.kind == row.kind.value, k.version == row.version)
    return query.select_from(known_use).join(subject, s.id == known_use.c.subject).where(known_use.c.component.in_(same))


def span_in_use(connection: sa.Connection, row: ComponentRow, teams: Teams) -> tuple[str, str]:
    """Oldest and newest version of the package that anybody holds now; empty where nobody does or there is no order."""
    if row.package is None:
        return "", ""
    held = sa.exists().where(h.package_set == c.package_set, h.closed_at.is_(None), *of_teams(h.team, teams))
    query = sa.select(c.version).where(c.package == row.package, held).limit(1)
    ends = [connection.execute(query.order_by(order)).scalar() or "" for order in (c.version_key.asc(), c.version_key.desc())]
    return ends[0], ends[1]


# --- what is held ----------------------------------------------------------------------------------------------------


def held_by(connection: sa.Connection, team: TeamId | None, limit: int) -> list[HeldName]:
    """Packages in versions that the team's subjects hold now, each once."""
    now = [h.closed_at.is_(None), h.team.is_(None) if team is None else h.team == team]
    sets = sa.select(h.package_set).join(subject, s.id == h.subject).where(*now, s.ended_at.is_(None))
    return [each for _, each in _names(connection, sets, limit)]


def held_in(connection: sa.Connection, sets: Sequence[int]) -> dict[int, set[HeldName]]:
    """By package set: what it holds."""
    found: dict[int, set[HeldName]] = {number: set() for number in sets}
    for some in bulk.portions(sorted(set(sets)), 500):
        listed = sa.select(package_set.c.id).where(bulk.among(connection, package_set.c.id, some))
        for number, each in _names(connection, listed, None):
            found[number].add(each)
    return found


def _names(connection: sa.Connection, sets: sa.Select[Any], limit: int | None) -> list[tuple[int, HeldName]]:
    found: list[tuple[int, HeldName]] = []
    is_each = limit is None
    for table, key in ((component, c.version_key), (unordered_component, sa.literal(b"", sa.LargeBinary))):
        t = table.c
        same = sa.and_(k.package == t.package, k.version == t.version, k.version_key == key)
        number = t.package_set if is_each else sa.literal(0)
        query = sa.select(number.label("number"), package.c.name, t.version, k.id).distinct().select_from(table)
        query = query.join(package, package.c.id == t.package).join(known_component, same, isouter=True)
        query = query.where(t.package_set.in_(sets))
        query = query if limit is None else query.order_by(package.c.name, t.version).limit(limit)
        found += [(row.number, HeldName(row.name, row.version, row.id)) for row in connection.execute(query)]
    return found if limit is None else found[:limit]


def changes(connection: sa.Connection, teams: Teams, most: int) -> list[Change]:
    """The last changes of what subjects hold, the newest first; a subject's beginning is none, nor what somebody imported."""
    before = holding.alias()
    same = sa.and_(
        before.c.subject == h.subject, before.c.path == h.path, before.c.closed_at == h.opened_at, before.c.package_set != h.package_set
    )
    query = sa.select(h.id, h.subject, h.team, h.path, h.opened_at, before.c.package_set.label("before"), h.package_set)
    query = query.join(before, same).where(~h.path.startswith(IMPORTED, autoescape=True), *of_teams(h.team, teams))
    rows = connection.execute(query.order_by(h.id.desc()).limit(most))
    return [Change(row.id, row.subject, row.team, row.path, row.opened_at, row.before, row.package_set) for row in rows]
