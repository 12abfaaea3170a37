"""People are asked whether something may be endorsed: a request, and their votes.

Guarantees: of one assessment one request waits at a time; each person says yes or no once; whoever asked for it, or made it, does not count
(`may_vote`). A request ends once: approved by enough, declined by one, or lapsed because what it is about cannot be endorsed any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import endorsement_request as table
from assaymark.store.tables import endorsement_vote as votes
from assaymark.store.tables import person

c, v = table.c, votes.c


class State(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    LAPSED = "lapsed"


class Asked(Struct, frozen=True):
    """What is asked."""

    assessment: AssessmentId
    team: TeamId | None
    resource: str
    """Name of what is to be endorsed, for people."""
    head: str
    asked_by: str
    person: PersonId | None
    authors: tuple[str, ...]
    """By which names whoever made it goes."""
    people: int
    at: Instant


class Vote(Struct, frozen=True):
    login: str
    approves: bool
    reason: str
    at: Instant


class ApprovalRequest(Struct, frozen=True):
    """A request as a list shows it."""

    id: int
    assessment: AssessmentId
    team: TeamId | None
    resource: str
    head: str
    asked_by: str
    person: PersonId | None
    asked_at: Instant
    authors: tuple[str, ...]
    people: int
    state: State
    ended_at: Instant | None
    reason: str
    votes: tuple[Vote, ...]

    @property
    def approved_by(self) -> tuple[str, ...]:
        return tuple(each.login for each in self.votes if each.approves)


def ask(connection: sa.Connection, asked: Asked) -> int:
    """The number of the request that waits: a new one, or the one that waits already."""
    waiting = sa.select(c.id).where(c.assessment == asked.assessment, c.ended_at.is_(None))
    found = connection.execute(waiting).scalar()
    if found is not None:
        return int(found)
    row = {name: getattr(asked, name) for name in Asked.__struct_fields__ if name not in ("at", "authors")}
    row |= {"asked_at": asked.at, "authors": msgspec.json.encode(asked.authors).decode()}
    return int(connection.execute(table.insert().returning(c.id), row).scalar_one())


def vote(connection: sa.Connection, number: int, who: tuple[PersonId, str], said: tuple[bool, str], at: Instant) -> bool:
    """Within the caller's transaction; False when this person has voted."""
    row = {"request": number, "person": who[0], "login": who[1], "approves": int(said[0]), "reason": said[1], "at": at}
    return insert_new(connection, votes, row, "request", "person") is not None


def end(connection: sa.Connection, number: int, state: State, reason: str, at: Instant) -> bool:
    """Once; False when it had ended."""
    mine = table.update().where(c.id == number, c.ended_at.is_(None))
    return bool(connection.execute(mine.values(ended_at=at, outcome=state.value, reason=reason)).rowcount)


def lock(connection: sa.Connection, number: int) -> ApprovalRequest | None:
    """It, while nobody else votes or ends it until the caller's transaction does."""
    connection.execute(sa.select(c.id).where(c.id == number).with_for_update())
    return one(connection, number)


def one(connection: sa.Connection, number: int) -> ApprovalRequest | None:
    return next(iter(_rows(connection, sa.select(table).where(c.id == number))), None)


def last_of(connection: sa.Connection, number: AssessmentId) -> ApprovalRequest | None:
    """The newest about an assessment."""
    return next(iter(_rows(connection, sa.select(table).where(c.assessment == number).order_by(c.id.desc()).limit(1))), None)


def page(connection: sa.Connection, teams: Teams, state: State | None, before: int | None, limit: int) -> list[ApprovalRequest]:
    """The newest first."""
    query = sa.select(table).where(*of_teams(c.team, teams)).order_by(c.id.desc()).limit(max(1, min(limit, MOST_ROWS + 1)))
    if before is not None:
        query = query.where(c.id < before)
    if state is not None:
        query = query.where(c.ended_at.is_(None) if state is State.WAITING else c.outcome == state.value)
    return _rows(connection, query)


def waiting_for(connection: sa.Connection, teams: Teams, who: PersonId, limit: int) -> list[ApprovalRequest]:
    """Requests on which this person may vote and has not, the oldest first; `teams` are those in which he approves."""
    mine = sa.exists().where(v.request == c.id, v.person == who)
    query = sa.select(table).where(c.ended_at.is_(None), ~mine, *of_teams(c.team, teams)).order_by(c.id).limit(MOST_ROWS)
    names = names_of(connection, who)
    return [row for row in _rows(connection, query) if may_vote(row, who, names)][:limit]


def names_of(connection: sa.Connection, who: PersonId) -> frozenset[str]:
    """How a forge or git may call him, in small letters."""
    row = connection.execute(sa.select(person.c.login, person.c.email, person.c.name).where(person.c.id == who)).first()
    return frozenset(name.casefold() for name in (row or ()) if name)


def may_vote(row: ApprovalRequest, who: PersonId, names: Iterable[str]) -> bool:
    """Whether he counts: he neither asked for it nor made it, and it waits."""
    called = frozenset(names)
    made = {row.asked_by.casefold(), *(each.casefold() for each in row.authors)}
    return row.state is State.WAITING and row.person != who and not called & made


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[ApprovalRequest]:
    rows = connection.execute(query).all()
    said: dict[int, list[Vote]] = {}
    numbers = [row.id for row in rows]
    for each in connection.execute(sa.select(votes).where(v.request.in_(numbers)).order_by(v.id)) if numbers else ():
        said.setdefault(each.request, []).append(Vote(each.login, bool(each.approves), each.reason, each.at))
    return [_row(row, tuple(said.get(row.id, ()))) for row in rows]


def _row(row: Any, said: tuple[Vote, ...]) -> ApprovalRequest:
    return ApprovalRequest(
        id=row.id, assessment=row.assessment, team=row.team, resource=row.resource, head=row.head, asked_by=row.asked_by,
        person=row.person, asked_at=row.asked_at, authors=msgspec.json.decode(row.authors, type=tuple[str, ...]), people=row.people,
        state=State(row.outcome) if row.ended_at is not None else State.WAITING, ended_at=row.ended_at, reason=row.reason, votes=said,
    )  # fmt: skip
