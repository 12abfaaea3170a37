"""Environments: what each asks of promotions, and what runs in it, since when, by which approval."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, TeamId
from assaymark.server.api import cursor, rights
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.server.work import wanting
from assaymark.server.work.wanting import WantedPair
from assaymark.store import environments, generations, trail
from assaymark.store.environments import MOST_DAYS, MOST_PEOPLE, EnvironmentCounts, EnvironmentRow, PairRow, Unapproved, Which
from assaymark.store.generations import GenerationRow, InstanceRow
from assaymark.store.trail import Action

router = Router("environments")
_READ = Permission.DEPLOYMENTS_READ


class EnvironmentView(Struct, frozen=True):
    """One, with how it stands."""

    id: int
    name: str
    team: TeamId | None
    people: int
    """How many agree to a promotion, besides whoever asked."""
    ignore_days: int
    """For how long a drift may be looked away from, from the first time on."""
    unapproved: Unapproved
    """What to do about what runs and was revoked, where nothing approved can take its place."""
    counts: EnvironmentCounts


class DeployedPair(Struct, frozen=True):
    """A component in an environment."""

    pair: PairRow
    wanted: WantedPair
    """What should run, what does, and how both stand now."""
    generations: tuple[GenerationRow, ...]
    """Live or on their way, the oldest first."""
    instances: tuple[InstanceRow, ...]


class EnvironmentTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What an environment asks."""

    people: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)] = 0
    ignore_days: Annotated[int, Meta(ge=0, le=MOST_DAYS)] = 7
    """0: nobody looks away from anything."""
    unapproved: Unapproved = Unapproved.ALERT


@router.add("GET", "/environments", _READ)
def list_environments(call: Call, name: str = "", after: str | None = None, limit: int = 50) -> Page[EnvironmentView]:
    """Environments of which deployers told, or to which something was promoted, by name."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (str, int)) if after else None
    with call.service.database.read() as link:
        teams = call.who.teams_with(_READ)
        rows = environments.page(link, teams, name[:300], after=(start[0], start[1]) if start else None, limit=limit + 1)
        counts = environments.counts(link, [row.id for row in rows[:limit]])
    following = cursor.encode((rows[limit - 1].name, rows[limit - 1].id)) if len(rows) > limit else None
    return Page(tuple(_view(row, counts.get(row.id, EnvironmentCounts())) for row in rows[:limit]), next=following)


@router.add("GET", "/environments/{environment}", _READ)
def get_environment(call: Call, environment: int) -> EnvironmentView:
    """One environment: its terms, and how it stands."""
    with call.service.database.read() as link:
        row = visible(call, link, environment)
        return _view(row, environments.counts(link, [row.id]).get(row.id, EnvironmentCounts()))


@router.add("GET", "/environments/{environment}/pairs", _READ)
def list_running_pairs(call: Call, environment: int, after: str | None = None, limit: int = 50) -> Page[DeployedPair]:
    """What runs in it: each component with its generations, instances, what is wanted, and how that stands now."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        row = visible(call, link, environment)
        pairs = environments.pairs(link, call.who.teams_with(_READ), Which(number=row.id), after=start, limit=limit + 1)
        found = runs(call, link, pairs[:limit])
    return Page(tuple(found), next=cursor.encode((pairs[limit - 1].id,)) if len(pairs) > limit else None)


def runs(call: Call, link: sa.Connection, pairs: list[PairRow]) -> list[DeployedPair]:
    """The same for pages."""
    numbers = [pair.id for pair in pairs]
    going, there = generations.going_on(link, numbers), generations.instances(link, numbers)
    answers = wanting.wanted(call.service, link, pairs)
    return [
        DeployedPair(pair, answer, tuple(going.get(pair.id, ())), tuple(there.get(pair.id, ())))
        for pair, answer in zip(pairs, answers, strict=True)
    ]


@router.add("PUT", "/environments/{environment}/terms", Permission.POLICIES_WRITE)
def put_environment_terms(call: Call, environment: int, body: EnvironmentTerms) -> EnvironmentView:
    """Say how many people agree to a promotion, for how long anybody may look away from a drift, and what to do about what was revoked.

    A promotion that waits keeps the number of people that held when it was asked for.
    """
    by = rights.by(call)
    with call.service.database.write() as link:
        row = visible(call, link, environment)
        call.need(Permission.POLICIES_WRITE, row.team)
        environments.put_terms(link, row.id, people=body.people, ignore_days=body.ignore_days, unapproved=body.unapproved)
        told = {"name": row.name, "people": str(body.people), "ignore_days": str(body.ignore_days), "unapproved": body.unapproved.value}
        told |= {"people before": str(row.people), "ignore_days before": str(row.ignore_days), "unapproved before": row.unapproved.value}
        now = call.service.now()
        done = Action(now, by.actor, "environment.changed", "success", by.person, "environment", str(row.id), row.team, by.origin, told)
        trail.record(link, done)
        return _view(visible(call, link, environment), environments.counts(link, [row.id]).get(row.id, EnvironmentCounts()))


def visible(call: Call, link: sa.Connection, number: int) -> EnvironmentRow:
    """The environment.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = environments.one(link, number)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"environment {number}")
    return row


def _view(row: EnvironmentRow, counts: EnvironmentCounts) -> EnvironmentView:
    return EnvironmentView(row.id, row.name, row.team, row.people, row.ignore_days, row.unapproved, counts)
