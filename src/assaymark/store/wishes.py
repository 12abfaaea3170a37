"""Requests for a decision, by people who may not decide, and their answers: both only grow, and each request is answered once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.decision import DecisionId, DecisionKind, Justification, Scope
from assaymark.store import decisions
from assaymark.store.decisions import By
from assaymark.store.narrowing import MOST_ROWS, Teams
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import decision_answer as answers
from assaymark.store.tables import decision_request as table

c = table.c


class State(StrEnum):
    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"


class Wish(Struct, frozen=True):
    """What somebody asks for."""

    kind: DecisionKind
    scope: Scope
    reason: str
    until: dt.date
    by: By
    team: TeamId | None
    """Who decides there answers."""
    finding: int | None = None
    justification: Justification | None = None


class RequestRow(Struct, frozen=True):
    """A request as a list shows it."""

    id: int
    kind: DecisionKind
    scope: Scope
    about: str
    reason: str
    justification: Justification | None
    until: dt.date
    finding: int | None
    team: TeamId | None
    asked_at: Instant
    asked_by: str
    person: PersonId | None
    state: State
    answered_at: Instant | None = None
    answered_by: str = ""
    answer: str = ""
    """What was said with it."""
    decision: DecisionId | None = None


class Filter(Struct, frozen=True):
    """Which requests."""

    state: State | None = None
    person: PersonId | None = None
    """Who asked."""
    finding: int | None = None


class Answer(Struct, frozen=True):
    """What is said to a request."""

    by: By
    at: Instant
    reason: str
    decision: DecisionId | None = None
    """None refuses."""


def add(connection: sa.Connection, wish: Wish, at: Instant) -> int:
    """A request that waits."""
    row = {
        "kind": wish.kind.value, "reason": wish.reason, "justification": wish.justification or "", "scope": decisions.encoded(wish.scope),
        "finding": wish.finding, "team": wish.team, "ends_at": decisions.end_of(wish.until), "asked_at": at, "asked_by": wish.by.login,
        "person": wish.by.person,
    }  # fmt: skip
    return int(connection.execute(table.insert().returning(c.id), row).scalar_one())


def answer(connection: sa.Connection, number: int, said: Answer) -> bool:
    """Once; False when it was answered before."""
    row = {
        "request": number, "granted": int(said.decision is not None), "decision": said.decision, "reason": said.reason, "at": said.at,
        "by": said.by.login, "person": said.by.person,
    }  # fmt: skip
    return insert_new(connection, answers, row, "request") is not None


def page(
    connection: sa.Connection, teams: Teams, asked: Filter, now: Instant, part: decisions.Part | None = None
) -> tuple[list[RequestRow], int | None]:
    """The newest first, as of `now`."""
    part = part or decisions.Part()
    limit = max(1, min(part.limit, MOST_ROWS))
    query = _query(now).where(c.asked_at <= now).order_by(c.id.desc()).limit(limit + 1)
    if teams is not None:
        query = query.where(c.team.in_(sorted(teams)) if teams else sa.false())
    if part.before is not None:
        query = query.where(c.id < part.before)
    match asked.state:
        case State.WAITING:
            query = query.where(answers.c.id.is_(None))
        case State.GRANTED | State.REFUSED:
            query = query.where(answers.c.granted == int(asked.state is State.GRANTED))
        case _:
            pass
    exact = {c.person: asked.person, c.finding: asked.finding}
    query = query.where(*(column == value for column, value in exact.items() if value is not None))
    rows = connection.execute(query).all()
    return [_row(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


def one(connection: sa.Connection, number: int, now: Instant) -> RequestRow | None:
    """As of then."""
    rows: Sequence[Any] = connection.execute(_query(now).where(c.id == number, c.asked_at <= now)).all()
    return _row(rows[0]) if rows else None


def _query(now: Instant) -> sa.Select[Any]:
    a = answers.c
    said = (a.granted, a.at.label("answered_at"), a.by.label("answered_by"), a.reason.label("answer"), a.decision)
    return sa.select(table, *said).join(answers, sa.and_(a.request == c.id, a.at <= now), isouter=True)


def _row(row: Any) -> RequestRow:
    scope = decisions.decoded(row.scope)
    state = State.WAITING if row.granted is None else State.GRANTED if row.granted else State.REFUSED
    return RequestRow(
        id=row.id, kind=DecisionKind(row.kind), scope=scope, about=scope.named(), reason=row.reason,
        justification=Justification(row.justification) if row.justification else None, until=decisions.day_of(row.ends_at - 1),
        finding=row.finding, team=row.team, asked_at=row.asked_at, asked_by=row.asked_by, person=row.person, state=state,
        answered_at=row.answered_at, answered_by=row.answered_by or "", answer=row.answer or "", decision=row.decision,
    )  # fmt: skip
