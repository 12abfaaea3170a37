"""What policies would have done with verdicts that were given: who asked, about which, and what came of it. A result is kept as it was."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import assessment, subject
from assaymark.store.tables import policy_outcome as outcomes
from assaymark.store.tables import policy_simulation as table

_VERDICTS = ("pass", "fail", "unproven")
_STATES = ("waiting", "running")


class SimulationState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Named(Struct, frozen=True):
    """A version that was asked."""

    name: str
    version: str
    digest: str
    proposed: bool
    """It is not in force."""


class Counts(Struct, frozen=True):
    """Sums of a simulation."""

    judged: int = 0
    """Verdicts that were judged again."""
    stopped: int = 0
    """Passed then, and would be stopped (fail or unproven)."""
    let_through: int = 0
    """Were stopped then, and would pass."""
    otherwise: int = 0
    """Would be stopped for another outcome: fail instead of unproven, or the other way round."""
    same: int = 0
    unknown: int = 0
    """It cannot be told; why stands beside each."""
    by_rule: dict[str, int] = {}
    """Verdicts in which each rule would have spoken."""
    why_unknown: dict[str, int] = {}


class SimulationRow(Struct, frozen=True):
    """A simulation."""

    id: int
    at: Instant
    person: PersonId | None
    actor: str
    policies: tuple[Named, ...]
    state: SimulationState
    most: int
    """So many of the newest verdicts were asked for."""
    first: AssessmentId | None
    """Oldest of the assessments that were looked at."""
    last: AssessmentId | None
    done: int
    total: int
    counts: Counts
    finished_at: Instant | None
    problem: str


class Detail(Struct, frozen=True, omit_defaults=True):
    """Why a verdict would be another one."""

    reasons: tuple[str, ...] = ()
    """Stopping reasons that it would have and had not."""
    gone: tuple[str, ...] = ()
    """Stopping reasons that it had and would not have."""
    rules: tuple[str, ...] = ()
    unknown: str = ""


class OutcomeRow(Struct, frozen=True):
    """A verdict that would be another one, or of which that cannot be told."""

    id: int
    assessment: AssessmentId
    team: TeamId | None
    subject: int
    subject_name: str
    subject_kind: str
    was: str
    would: str
    """Empty where it cannot be told."""
    detail: Detail


class NewOutcome(Struct, frozen=True):
    assessment: AssessmentId
    team: TeamId | None
    was: str
    would: str
    detail: Detail


class Past(Struct, frozen=True):
    """A verdict that was given."""

    assessment: AssessmentId
    team: TeamId | None
    state: str
    verdict: str
    grounds: str
    trigger: str


class Wish(Struct, frozen=True):
    """What is to be simulated, by whom."""

    actor: str
    person: PersonId | None
    policies: tuple[Named, ...]
    proposed: str
    """The documents that are not in force, as JSON."""
    most: int


class Ending(Struct, frozen=True):
    """How a simulation ended."""

    state: SimulationState
    counts: Counts = Counts()
    problem: str = ""


def add(connection: sa.Connection, wish: Wish, at: Instant) -> int:
    """A simulation that waits for a worker."""
    values = {"at": at, "person": wish.person, "actor": wish.actor, "proposed": wish.proposed, "most": wish.most}
    values |= {"policies": msgspec.json.encode(wish.policies).decode(), "state": SimulationState.WAITING.value, "counts": "{}"}
    return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())


def get(connection: sa.Connection, number: int) -> SimulationRow | None:
    return next(iter(_rows(connection, table.c.id == number)), None)


def proposed(connection: sa.Connection, number: int) -> str:
    """The documents that it asks and that are not in force, as JSON."""
    return str(connection.execute(sa.select(table.c.proposed).where(table.c.id == number)).scalar_one())


def page(connection: sa.Connection, *, before: int | None = None, limit: int = 50) -> list[SimulationRow]:
    """The newest first."""
    return _rows(connection, *((table.c.id < before,) if before is not None else ()), limit=limit)


def past(connection: sa.Connection, *, before: int | None, limit: int) -> list[Past]:
    """Verdicts that were given of changes, the newest first."""
    a = assessment.c
    query = sa.select(a.id, a.team, a.state, a.verdict, a.grounds, a.trigger)
    query = query.where(a.state.in_(_VERDICTS), a.verdict != "", a.trigger.not_in(("import", "advisory", "decision")))
    query = query.where(a.id < before) if before is not None else query
    rows = connection.execute(query.order_by(a.id.desc()).limit(limit))
    return [Past(AssessmentId(row.id), row.team, row.state, row.verdict, row.grounds, row.trigger) for row in rows]


def begin(connection: sa.Connection, number: int, total: int, ends: tuple[int | None, int | None]) -> bool:
    """Take it up, for the first time or again; False when it has ended."""
    alive = table.update().where(table.c.id == number, table.c.state.in_(_STATES))
    values = {"state": SimulationState.RUNNING.value, "done": 0, "total": total, "first": ends[0], "last": ends[1]}
    if not connection.execute(alive.values(**values)).rowcount:
        return False
    connection.execute(outcomes.delete().where(outcomes.c.simulation == number))  # of an attempt that was killed
    return True


def advance(connection: sa.Connection, number: int, done: int, rows: Iterable[NewOutcome]) -> None:
    """How far it is, with what was found since."""
    connection.execute(table.update().where(table.c.id == number).values(done=done))
    values = [
        {
            "simulation": number, "assessment": row.assessment, "team": row.team, "was": row.was, "would": row.would,
            "detail": msgspec.json.encode(row.detail).decode(),
        }
        for row in rows
    ]  # fmt: skip
    if values:
        connection.execute(outcomes.insert(), values)


def end(connection: sa.Connection, number: int, ending: Ending, at: Instant) -> bool:
    """It ends once; False when it had."""
    values = {"state": ending.state.value, "finished_at": at, "problem": ending.problem[:1000]}
    alive = table.update().where(table.c.id == number, table.c.state.in_(_STATES))
    return bool(connection.execute(alive.values(**values, counts=msgspec.json.encode(ending.counts).decode())).rowcount)


def differing(connection: sa.Connection, number: int, teams: Teams, *, after: int = 0, limit: int = 50) -> list[OutcomeRow]:
    """Verdicts that would be others, in the order in which they were looked at (the newest first)."""
    o = outcomes.c
    query = sa.select(*o, subject.c.id.label("subject_id"), subject.c.name.label("subject_name"), subject.c.kind.label("subject_kind"))
    query = query.join(assessment, assessment.c.id == o.assessment).join(subject, subject.c.id == assessment.c.subject)
    query = query.where(o.simulation == number, o.id > after, *of_teams(o.team, teams)).order_by(o.id).limit(limit)
    return [
        OutcomeRow(
            row.id, row.assessment, row.team, row.subject_id, row.subject_name, row.subject_kind, row.was, row.would,
            msgspec.json.decode(row.detail, type=Detail),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _rows(connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int = 1) -> list[SimulationRow]:
    query = sa.select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit)
    found = []
    for row in connection.execute(query):
        values = {name: getattr(row, name) for name in SimulationRow.__struct_fields__}
        values["policies"] = msgspec.json.decode(row.policies, type=tuple[Named, ...])
        values["counts"] = msgspec.json.decode(row.counts, type=Counts)
        values["state"] = SimulationState(row.state)
        found.append(SimulationRow(**values))
    return found
