"""The server's side of phoenix upgrades: deployers tell their steps and what drifted, and ask what is wanted.

A pair is an environment and a component, of one team; its deployer keeps the journal, and what is told here follows from it. Steps are told
in order and may be told again; a second deployer that tells another step under the same number is refused.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.deployment.drift.drifted import Drift
from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix.generation import Step
from assaymark.model.access import Permission, TeamId
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import ApiError, invalid, not_found
from assaymark.server.work import deploying, drifting, wanting
from assaymark.server.work.deploying import MOST_STEPS, StepsTaken
from assaymark.server.work.drifting import MOST_DRIFTS, DriftsTaken, Seen
from assaymark.server.work.wanting import WantedPair
from assaymark.store import environments, generations
from assaymark.store.environments import PairRow, Which
from assaymark.store.generations import GenerationRow, StepRow

router = Router("phoenix")
_READ, _TELL = Permission.DEPLOYMENTS_READ, Permission.DEPLOYMENTS_TELL
_MOST_BYTES = 8 << 20
_LONGEST = 2000

EnvironmentName = Annotated[str, Meta(min_length=1, max_length=300)]
ComponentName = Annotated[str, Meta(min_length=1, max_length=300)]


class Steps(Struct, frozen=True, forbid_unknown_fields=True):
    """What a pair went through, in order and without a gap."""

    environment: EnvironmentName
    component: ComponentName
    steps: Annotated[tuple[Step, ...], Meta(max_length=MOST_STEPS)]
    team: int | None = None
    """Whose it is; may be left out by whoever may tell in one team only, or where one pair is called so."""


class Drifts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a look at a pair found."""

    environment: EnvironmentName
    component: ComponentName
    drifts: Annotated[tuple[Drift, ...], Meta(max_length=MOST_DRIFTS)]
    """All that there are of what was looked at; what is not among them has vanished."""
    generation: Annotated[int, Meta(ge=0)] = 0
    """0: the one that is live."""
    looked: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=10_000)] | None = None
    """Which instances and trees were looked at as a whole; left out: all of the pair; empty: none (a watcher tells of one change)."""
    team: int | None = None


@router.add("POST", "/deployments/steps", _TELL, most_bytes=_MOST_BYTES)
def tell_steps(call: Call, body: Steps) -> StepsTaken:
    """Tell steps of a pair: in the order of their numbers, from 1 on. What was told before may be told again, the same.

    409 says why they are not taken: `steps-contradict` (another deployer told another step under this number), `steps-missing` (tell those
    before them first), `step-does-not-follow`.
    """
    with call.service.database.write() as link:
        pair = settled(call, link, Pair(body.environment, body.component), body.team, _TELL)
        return deploying.tell(call.service, link, pair, body.steps, rights.by(call))


@router.add("POST", "/deployments/drifts", _TELL, most_bytes=_MOST_BYTES)
def tell_drifts(call: Call, body: Drifts) -> DriftsTaken:
    """Tell what differs from what was endorsed. The same again is seen again; nobody can accept it, only a newer generation ends it."""
    for each in body.drifts:
        texts = (each.where, each.what, each.kind, each.expected, each.observed)
        if any(len(text) > _LONGEST for text in texts) or len(each.where) > 300 or not each.where or not each.kind:
            raise invalid(f"a drift has a text of more than {_LONGEST} letters, or says not where or of which kind it is")
    with call.service.database.write() as link:
        pair = known(call, link, Pair(body.environment, body.component), body.team, _TELL)
        return drifting.tell(call.service, link, pair, Seen(body.generation, body.drifts, body.looked), rights.by(call))


@router.add("GET", "/deployments/wanted", _READ)
def list_wanted(call: Call, environment: str = "", component: str = "", after: str | None = None, limit: int = 50) -> Page[WantedPair]:
    """What each pair should run, whether it and what runs are approved now, and what is to be done: ask again and again.

    A revocation shows with the next question. `do` is `deploy` or `replace` only with a digest that verifies for the environment now;
    `stop` and `alert` say what to do about what was revoked where nothing approved can take its place.
    """
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = environments.pairs(link, call.who.teams_with(_READ), Which(environment, component), after=start, limit=limit + 1)
        found = wanting.wanted(call.service, link, rows[:limit])
    return Page(tuple(found), next=cursor.encode((rows[limit - 1].id,)) if len(rows) > limit else None)


@router.add("GET", "/deployments/pairs", _READ)
def list_pairs(call: Call, environment: str = "", component: str = "", after: str | None = None, limit: int = 50) -> Page[PairRow]:
    """Components in environments, in the order in which they were first told of."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = environments.pairs(link, call.who.teams_with(_READ), Which(environment, component), after=start, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/deployments/pairs/{pair}/generations", _READ)
def list_generations(call: Call, pair: int, after: str | None = None, limit: int = 50) -> Page[GenerationRow]:
    """Generations of a pair, the newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = generations.page(link, visible(call, link, pair).id, before=before, limit=limit + 1)
    return page_of(rows, limit, "number")


@router.add("GET", "/deployments/pairs/{pair}/steps", _READ)
def list_steps(call: Call, pair: int, generation: int | None = None, after: str | None = None, limit: int = 50) -> Page[StepRow]:
    """Steps of a pair, or of one generation of it, the newest first, each with its line in the transparency log."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = generations.steps(link, visible(call, link, pair).id, before=before, limit=limit + 1, of=generation)
    return page_of(rows, limit, "number")


# --- which pair ------------------------------------------------------------------------------------------------------


def visible(call: Call, link: sa.Connection, number: int) -> PairRow:
    """The pair.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = environments.pair_of(link, number)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"pair {number}")
    return row


def known(call: Call, link: sa.Connection, pair: Pair, team: int | None, permission: Permission) -> PairRow:
    """The pair that is meant, where there is one.

    Raises:
        ApiError: 400 when it is not said whose it is, 403 and 404.
    """
    row = _meant(call, link, pair, team, permission)
    if row is None:
        raise not_found(f"a pair {pair}")
    return row


def settled(call: Call, link: sa.Connection, pair: Pair, team: int | None, permission: Permission) -> PairRow:
    """The same, made where there is none.

    Raises:
        ApiError: 400 when it is not said whose it is, 403.
    """
    for name in (pair.environment, pair.component):
        if not name.isprintable() or name != name.strip():
            raise invalid(f"{name[:80]!r} is no name", "printable, without blanks at its ends")
    row = _meant(call, link, pair, team, permission)
    return row if row is not None else environments.settle(link, pair, _owner(call, team, permission), call.service.now())


def _meant(call: Call, link: sa.Connection, pair: Pair, team: int | None, permission: Permission) -> PairRow | None:
    if team is not None:
        call.need(permission, TeamId(team))
        return environments.find(link, pair, TeamId(team))
    rows = environments.named(link, pair, call.who.teams_with(permission))
    if len(rows) > 1:
        raise _whose(f"{pair} is there for {len(rows)} teams")
    return rows[0] if rows else None


def _owner(call: Call, team: int | None, permission: Permission) -> TeamId | None:
    if team is not None:
        return TeamId(team)
    teams = call.who.teams_with(permission)
    if teams is not None and len(teams) != 1:
        raise _whose("you may in several teams")
    return None if teams is None else next(iter(teams))


def _whose(why: str) -> ApiError:
    return invalid(f"`team` is missing: {why}", "say whose it is, by the team's number; or use a token of one team")
