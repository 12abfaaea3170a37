"""Environments, and the pairs of environment and component that deployers tell of.

Guarantees: of one name there is one environment per team (and one that is no team's), of one component one pair in it. An environment is
there from its first telling or promotion on; what it asks of promotions is said by whoever may write policies.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.drivers.driver import Pair
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.narrowing import MOST_ROWS, Teams, like, of_teams
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import deployed_pair, drift, environment, generation

MOST_DAYS = 30
"""For which an environment's terms may let anybody look away."""
MOST_PEOPLE = 9
e, p, g, d = environment.c, deployed_pair.c, generation.c, drift.c


class Unapproved(StrEnum):
    """What to do about what runs and was revoked, where nothing that is approved can take its place."""

    ALERT = "alert"
    STOP = "stop"


class EnvironmentRow(Struct, frozen=True):
    """One environment and what it asks."""

    id: int
    name: str
    team: TeamId | None
    people: int
    """How many approve a promotion, besides whoever asked for it."""
    ignore_days: int
    """For how long a drift may be looked away from, counted from the first time that somebody did."""
    unapproved: Unapproved
    created_at: Instant


class PairRow(Struct, frozen=True):
    """A component in an environment."""

    id: int
    environment: int
    environment_name: str
    component: str
    team: TeamId | None
    steps: int
    """How many were told: the next one has the number after."""
    wanted: int | None
    """Number of the promotion in force."""
    created_at: Instant
    told_at: Instant | None
    """When a deployer was heard of last."""
    told_by: str

    @property
    def pair(self) -> Pair:
        return Pair(self.environment_name, self.component)


class EnvironmentCounts(Struct, frozen=True):
    """How an environment stands."""

    pairs: int = 0
    live: int = 0
    unapproved: int = 0
    """Live, and not approved as of the last look."""
    forced: int = 0
    """Runs by a break-glass order."""
    drifts: int = 0
    """Open; those that somebody looks away from too."""


_ENVIRONMENT = tuple(e[name] for name in EnvironmentRow.__struct_fields__)
_PAIR = tuple(e.name.label(name) if name == "environment_name" else p[name] for name in PairRow.__struct_fields__)
_PAIRS = sa.select(*_PAIR).join(environment, e.id == p.environment)


def settle(link: sa.Connection, pair: Pair, team: TeamId | None, at: Instant) -> PairRow:
    """The pair of this team; made where it is not there."""
    there = find(link, pair, team)
    if there is not None:
        return there
    row: dict[str, Any] = {"key": _key(pair.environment, team), "name": pair.environment, "team": team, "created_at": at}
    insert_new(link, environment, row, "key")
    number = link.execute(sa.select(e.id).where(e.key == row["key"])).scalar_one()
    made: dict[str, Any] = {"environment": number, "component": pair.component, "team": team, "created_at": at}
    insert_new(link, deployed_pair, made, "environment", "component")
    found = find(link, pair, team)
    assert found is not None  # noqa: S101 - it was written above, or somebody did before
    return found


def _key(name: str, team: TeamId | None) -> str:
    return f"t{int(team) if team is not None else 0}:{name}"


def find(link: sa.Connection, pair: Pair, team: TeamId | None) -> PairRow | None:
    """The pair of this team."""
    row = link.execute(_PAIRS.where(e.key == _key(pair.environment, team), p.component == pair.component)).first()
    return PairRow(*row) if row else None


def named(link: sa.Connection, pair: Pair, teams: Teams) -> list[PairRow]:
    """All of this name among these teams: more than one where several teams call theirs alike."""
    query = _PAIRS.where(e.name == pair.environment, p.component == pair.component, *of_teams(p.team, teams))
    return [PairRow(*row) for row in link.execute(query.order_by(p.id).limit(MOST_ROWS))]


def pair_of(link: sa.Connection, number: int, *, lock: bool = False) -> PairRow | None:
    """One by its number; locked, nobody else tells of it until the caller's transaction ends."""
    if lock:
        link.execute(sa.select(p.id).where(p.id == number).with_for_update())
    row = link.execute(_PAIRS.where(p.id == number)).first()
    return PairRow(*row) if row else None


class Which(Struct, frozen=True):
    """Which pairs; empty is all."""

    environment: str = ""
    component: str = ""
    number: int | None = None
    """Of the environment."""


def pairs(link: sa.Connection, teams: Teams, which: Which, *, after: int, limit: int) -> list[PairRow]:
    """In the order in which they were made."""
    query = _PAIRS.where(p.id > after, *of_teams(p.team, teams))
    asked = ((e.name, which.environment), (p.component, which.component), (p.environment, which.number))
    query = query.where(*(column == value for column, value in asked if value))
    return [PairRow(*row) for row in link.execute(query.order_by(p.id).limit(limit))]


def heard(link: sa.Connection, pair: int, by: str, at: Instant, **more: Any) -> None:
    """A deployer told something of it."""
    link.execute(deployed_pair.update().where(p.id == pair).values(told_at=at, told_by=by[:200], **more))


def page(link: sa.Connection, teams: Teams, name: str, *, after: tuple[str, int] | None, limit: int) -> list[EnvironmentRow]:
    """By name."""
    query = sa.select(*_ENVIRONMENT).where(*of_teams(e.team, teams)).order_by(e.name, e.id).limit(max(1, min(limit, MOST_ROWS + 1)))
    if name:
        query = query.where(sa.func.lower(e.name).like(like(name.lower()), escape="\\"))
    if after is not None:
        query = query.where(sa.tuple_(e.name, e.id) > sa.tuple_(*(sa.literal(value) for value in after)))
    return [_environment(row) for row in link.execute(query)]


def one(link: sa.Connection, number: int) -> EnvironmentRow | None:
    row = link.execute(sa.select(*_ENVIRONMENT).where(e.id == number)).first()
    return _environment(row) if row else None


def _environment(row: Any) -> EnvironmentRow:
    values = row._asdict()
    return EnvironmentRow(**values | {"unapproved": Unapproved(values["unapproved"])})


def put_terms(link: sa.Connection, number: int, *, people: int, ignore_days: int, unapproved: Unapproved) -> None:
    """What it asks from now on."""
    values = {"people": people, "ignore_days": ignore_days, "unapproved": unapproved.value}
    link.execute(environment.update().where(e.id == number).values(values))


def counts(link: sa.Connection, numbers: list[int]) -> dict[int, EnvironmentCounts]:
    """How each of these stands."""
    if not numbers:
        return {}
    live = sa.and_(g.live_at.is_not(None), g.ended_at.is_(None))
    runs = sa.select(
        p.environment,
        sa.func.count(sa.distinct(p.id)).label("pairs"),
        sa.func.sum(sa.case((live, 1), else_=0)).label("live"),
        sa.func.sum(sa.case((sa.and_(live, g.doubt != ""), 1), else_=0)).label("unapproved"),
        sa.func.sum(sa.case((sa.and_(g.forced_at.is_not(None), g.ended_at.is_(None)), 1), else_=0)).label("forced"),
    ).join(generation, sa.and_(g.pair == p.id, g.ended_at.is_(None)), isouter=True)
    found = {row.environment: row for row in link.execute(runs.where(p.environment.in_(numbers)).group_by(p.environment))}
    many = sa.select(p.environment, sa.func.count()).join(drift, d.pair == p.id).where(d.resolved_at.is_(None), p.environment.in_(numbers))
    drifts = {row[0]: row[1] for row in link.execute(many.group_by(p.environment))}
    return {number: EnvironmentCounts(*(int(each or 0) for each in (*row[1:], drifts.get(number)))) for number, row in found.items()}
