"""Which digest people want to run where: a promotion, and the votes of those who have to agree.

Guarantees: of one pair one promotion waits at a time; whoever asked does not vote, each other person does once; it ends once: promoted,
declined by one, or lapsed because another was asked for or its digest is not approved any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import deployed_pair, environment, promotion, promotion_vote
from assaymark.store.texts import cut

LONGEST_REASON = 1000
c, v, p, e = promotion.c, promotion_vote.c, deployed_pair.c, environment.c


class State(StrEnum):
    WAITING = "waiting"
    """Others have to agree."""
    PROMOTED = "promoted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """Another one was asked for meanwhile, or it was not approved any more when enough agreed."""


class Asked(Struct, frozen=True):
    """What somebody wants."""

    pair: int
    digest: str
    image: str
    reason: str
    pins: bool
    releases: bool
    asked_by: str
    person: PersonId | None
    people: int
    at: Instant


class PromotionVote(Struct, frozen=True):
    login: str
    approves: bool
    reason: str
    at: Instant


class PromotionRow(Struct, frozen=True):
    """One, as lists and pages show it."""

    id: int
    pair: int
    environment: int
    environment_name: str
    component: str
    team: TeamId | None
    digest: str
    image: str
    reason: str
    pins: bool
    """An older digest, to stay until somebody lets go of it."""
    releases: bool
    """Lets go of what is pinned."""
    asked_by: str
    person: PersonId | None
    asked_at: Instant
    people: int
    """How many have to agree, besides whoever asked."""
    state: State
    ended_at: Instant | None
    answer: str
    """Why it ended as it did, in words."""
    endorsement: str
    """By which it was approved when it was promoted."""
    log_number: int | None
    votes: tuple[PromotionVote, ...]

    @property
    def agreed(self) -> tuple[str, ...]:
        return tuple(each.login for each in self.votes if each.approves)


def ask(link: sa.Connection, asked: Asked) -> int:
    """The number of a new one; the pair's row is locked. What waits for the same pair lapses."""
    waiting = promotion.update().where(c.pair == asked.pair, c.ended_at.is_(None))
    link.execute(waiting.values(ended_at=asked.at, outcome=State.LAPSED.value, answer="another one was asked for"))
    names = ("pair", "digest", "image", "asked_by", "person", "people")
    row: dict[str, Any] = {name: getattr(asked, name) for name in names} | {"reason": cut(asked.reason, LONGEST_REASON)}
    row |= {"pins": int(asked.pins), "releases": int(asked.releases), "asked_at": asked.at}
    return int(link.execute(promotion.insert().returning(c.id), row).scalar_one())


def vote(link: sa.Connection, number: int, who: tuple[PersonId, str], said: tuple[bool, str], at: Instant) -> bool:
    """False when this person has voted."""
    reason = cut(said[1], LONGEST_REASON)
    row = {"promotion": number, "person": who[0], "login": who[1], "approves": int(said[0]), "reason": reason, "at": at}
    return insert_new(link, promotion_vote, row, "promotion", "person") is not None


def end(link: sa.Connection, number: int, state: State, answer: str, at: Instant) -> None:
    """Once."""
    values = {"ended_at": at, "outcome": state.value, "answer": cut(answer, LONGEST_REASON)}
    link.execute(promotion.update().where(c.id == number, c.ended_at.is_(None)).values(values))


def put_in_force(link: sa.Connection, row: PromotionRow, endorsement: str, line: int) -> None:
    """From now on it is what the pair should run."""
    link.execute(promotion.update().where(c.id == row.id).values(endorsement=endorsement, log_number=line))
    link.execute(deployed_pair.update().where(p.id == row.pair).values(wanted=row.id))


def one(link: sa.Connection, number: int) -> PromotionRow | None:
    return next(iter(_rows(link, _query().where(c.id == number))), None)


def of_pairs(link: sa.Connection, numbers: Sequence[int]) -> dict[int, PromotionRow]:
    """These promotions, by the pair that they are of."""
    return {row.pair: row for row in _rows(link, _query().where(bulk.among(link, c.id, numbers)))}


class Filter(Struct, frozen=True):
    """Which; empty is all."""

    state: State | None = None
    environment: int | None = None
    pair: int | None = None


def page(link: sa.Connection, teams: Teams, asked: Filter, *, before: int | None, limit: int) -> list[PromotionRow]:
    """The newest first."""
    query = _query().where(*of_teams(p.team, teams)).order_by(c.id.desc()).limit(max(1, min(limit, MOST_ROWS + 1)))
    if asked.state is not None:
        query = query.where(c.ended_at.is_(None) if asked.state is State.WAITING else c.outcome == asked.state.value)
    for column, value in ((p.environment, asked.environment), (c.pair, asked.pair)):
        query = query if value is None else query.where(column == value)
    return _rows(link, query if before is None else query.where(c.id < before))


def waiting_for(link: sa.Connection, teams: Teams, who: PersonId, limit: int) -> list[PromotionRow]:
    """Those on which this person may vote and has not, the oldest first; `teams` are those in which he promotes."""
    mine = sa.exists().where(v.promotion == c.id, v.person == who)
    his = sa.or_(c.person.is_(None), c.person != who)
    return _rows(link, _query().where(c.ended_at.is_(None), his, ~mine, *of_teams(p.team, teams)).order_by(c.id).limit(limit))


def _query() -> sa.Select[Any]:
    places = (p.environment, e.name.label("environment_name"), p.component, p.team)
    return sa.select(promotion, *places).join(deployed_pair, p.id == c.pair).join(environment, e.id == p.environment)


def _rows(link: sa.Connection, query: sa.Select[Any]) -> list[PromotionRow]:
    rows = link.execute(query).all()
    votes: dict[int, list[PromotionVote]] = {}
    asked = sa.select(v.promotion, v.login, v.approves, v.reason, v.at).where(bulk.among(link, v.promotion, [row.id for row in rows]))
    for each in link.execute(asked.order_by(v.id)) if rows else ():
        votes.setdefault(each.promotion, []).append(PromotionVote(each.login, bool(each.approves), each.reason, each.at))
    found = []
    for row in rows:
        values = {name: getattr(row, name) for name in PromotionRow.__struct_fields__ if name not in ("state", "votes")}
        state = State(row.outcome) if row.ended_at is not None else State.WAITING
        values |= {"state": state, "votes": tuple(votes.get(row.id, ())), "pins": bool(row.pins), "releases": bool(row.releases)}
        found.append(PromotionRow(**values))
    return found
