"""Decisions as rows: made, followed by steps (approved, withdrawn, ended, reminded), asked for as of an instant.

Guarantees: a decision's row is never changed and each step is written once, so that as of an instant the answer stays the same whenever it
is asked; what is in force for a finding is found by the finding's own names, so that it costs the same with ten decisions and ten thousand.
Not here: what a decision does to what stands open (`store.deciding`), and who may decide.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant, RepositoryId, SubjectId
from assaymark.model.decision import Decision, DecisionId, DecisionKind, Justification, Scope
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_ROWS, Teams, counted
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import decision as table
from assaymark.store.tables import decision_step as steps
from assaymark.store.tables import repository, subject, team
from assaymark.verdict.given import anchor

DAY = 86_400 * SECOND
SOON = 14 * DAY
_LOCK = 0x6465636964
_SEVERITIES = tuple(Severity)
c = table.c


class Step(StrEnum):
    """What becomes of a decision."""

    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    """Its last day is over, and what it covered stands open again."""
    REMINDED = "reminded"
    """It was said that it ends soon."""


class Standing(StrEnum):
    """How a decision stands at an instant."""

    IN_FORCE = "in-force"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class About(Struct, frozen=True):
    """A subject, as far as scopes speak of it."""

    subject: SubjectId
    repository: RepositoryId | None
    team: TeamId | None


class By(Struct, frozen=True):
    """Who does it."""

    login: str
    person: PersonId | None = None


class Said(Struct, frozen=True):
    """A word about a decision."""

    by: By
    at: Instant
    reason: str = ""


class Part(Struct, frozen=True):
    """Which part of a list: older than this one."""

    before: int | None = None
    limit: int = 50


class Draft(Struct, frozen=True):
    """A decision that is to be made."""

    kind: DecisionKind
    scope: Scope
    reason: str
    owner: str
    until: dt.date
    by: By
    team: TeamId | None
    """Whose it is: the team of what it is about, None when it is about everybody's."""
    justification: Justification | None = None
    source: str = "person"
    origin: str = ""
    """The same is not made twice; empty for what may be."""
    renews: DecisionId | None = None


class DecisionRow(Struct, frozen=True):
    """A decision in a list."""

    id: DecisionId
    kind: DecisionKind
    scope: Scope
    about: str
    """What it is about, in a few words."""
    reason: str
    justification: Justification | None
    owner: str
    team: TeamId | None
    until: dt.date
    made_at: Instant
    made_by: str
    source: str
    standing: Standing
    approved_by: str = ""
    approved_at: Instant | None = None
    withdrawn_by: str = ""
    withdrawn_at: Instant | None = None
    withdrawn_why: str = ""
    renews: DecisionId | None = None


class Filter(Struct, frozen=True):
    """Which decisions; everything is joined by "and"."""

    standing: Standing | None = Standing.IN_FORCE
    kind: DecisionKind | None = None
    ends_before: Instant | None = None
    """In force and ending before then."""
    team: TeamId | None = None
    subject: SubjectId | None = None
    repository: RepositoryId | None = None
    finding: str = ""
    """Fingerprint."""
    owner: str = ""
    unapproved: bool = False
    """Nobody but who made it agreed so far."""


def lock(connection: sa.Connection, *, shared: bool = False) -> None:
    """Until the transaction ends nobody decides while something is recorded, nor the other way round; recorders do not wait for each other.

    The first lock that a transaction takes. SQLite has one writer anyway.
    """
    if not bulk.is_sqlite(connection):
        name = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(sa.text(f"SELECT {name}(:key)"), {"key": _LOCK})


def end_of(until: dt.date) -> Instant:
    """Midnight after the day."""
    return Instant(int(dt.datetime.combine(until, dt.time(), dt.UTC).timestamp()) * SECOND + DAY)


def day_of(at: Instant | int) -> dt.date:
    """The day of an instant."""
    return dt.datetime.fromtimestamp(at / SECOND, dt.UTC).date()


def add(connection: sa.Connection, draft: Draft, at: Instant) -> DecisionId | None:
    """The new row; None when one of the same origin is there."""
    scope = draft.scope
    row = {
        "kind": draft.kind.value, "reason": draft.reason, "justification": (draft.justification or ""), "owner": draft.owner,
        "anchor": anchor(scope), "finding": scope.finding, "rule": scope.rule, "package": scope.package, "version": scope.version,
        "advisory": scope.advisory, "path": scope.path, "layer": scope.layer or "",
        "severity": -1 if scope.severity is None else scope.severity.rank, "subject": scope.subject, "repository": scope.repository,
        "within": scope.team, "team": draft.team, "made_at": at, "ends_at": end_of(draft.until), "made_by": draft.by.login,
        "person": draft.by.person, "source": draft.source, "origin": draft.origin, "renews": draft.renews,
    }  # fmt: skip
    if not draft.origin:
        return DecisionId(connection.execute(table.insert().returning(c.id), row).scalar_one())
    if connection.execute(sa.select(c.id).where(c.origin == draft.origin)).first() is not None:
        return None
    return DecisionId(connection.execute(table.insert().returning(c.id), row).scalar_one())


def step(connection: sa.Connection, number: DecisionId, what: Step, said: Said) -> bool:
    """Append what became of it; False when that was written before."""
    row: dict[str, Any] = {"decision": number, "what": what.value, "at": said.at, "by": said.by.login}
    row |= {"person": said.by.person, "reason": said.reason}
    return insert_new(connection, steps, row, "decision", "what") is not None


# --- what is in force ------------------------------------------------------------------------------------------------


def _stepped(what: Step, at: Instant | None = None) -> sa.Exists:
    asked = [steps.c.decision == c.id, steps.c.what == what.value]
    return sa.exists().where(*asked, *([] if at is None else [steps.c.at <= at]))


def _within(about: About) -> list[sa.ColumnElement[bool]]:
    """Scopes that hold the subject."""
    pairs = ((c.subject, about.subject), (c.repository, about.repository), (c.within, about.team))
    return [column.is_(None) if value is None else sa.or_(column.is_(None), column == value) for column, value in pairs]


def concerning(connection: sa.Connection, names: Iterable[str], at: Instant, about: About | None = None) -> list[Decision]:
    """What is in force at the instant and kept under one of these names of findings (`verdict.given.anchors`); for one subject, or any."""
    approval = steps.alias()
    query = (
        sa.select(table, approval.c.by.label("approver"))
        .join(approval, sa.and_(approval.c.decision == c.id, approval.c.what == Step.APPROVED.value, approval.c.at <= at), isouter=True)
        .where(c.made_at <= at, c.ends_at > at, ~_stepped(Step.WITHDRAWN, at), *(_within(about) if about else []))
    )
    found: dict[int, Decision] = {}
    for portion in bulk.portions(dict.fromkeys(names)):
        for row in connection.execute(query.where(bulk.among(connection, c.anchor, portion))):
            found[row.id] = decision_of(row, row.approver or "")
    return [found[number] for number in sorted(found)]


def is_any(connection: sa.Connection) -> bool:
    """Whether anything was ever decided."""
    return connection.execute(sa.select(c.id).limit(1)).first() is not None


def speaks_of(scope: Scope, about: About) -> bool:
    """Whether the subject is one of the scope's."""
    return (
        scope.subject in (None, about.subject)
        and scope.repository in (None, about.repository)
        and (scope.team is None or scope.team == about.team)
    )


def _scope(row: Any) -> Scope:
    return Scope(
        finding=row.finding, rule=row.rule, package=row.package, version=row.version, advisory=row.advisory, path=row.path,
        subject=row.subject, repository=row.repository, team=row.within, layer=Layer(row.layer) if row.layer else None,
        severity=None if row.severity < 0 else _SEVERITIES[row.severity],
    )  # fmt: skip


def decision_of(row: Any, approver: str) -> Decision:
    """A row as what it says."""
    return Decision(
        id=row.id, kind=DecisionKind(row.kind), scope=_scope(row), reason=row.reason, owner=row.owner, until=day_of(row.ends_at - 1),
        made=day_of(row.made_at), justification=Justification(row.justification) if row.justification else None,
        approver=approver,
    )  # fmt: skip


def of_ids(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, Decision]:
    """By number, whether they are in force or not."""
    approval = steps.alias()
    query = sa.select(table, approval.c.by.label("approver")).join(
        approval, sa.and_(approval.c.decision == c.id, approval.c.what == Step.APPROVED.value), isouter=True
    )
    found: dict[int, Decision] = {}
    for portion in bulk.portions(sorted(set(numbers))):
        found |= {
            row.id: decision_of(row, row.approver or "") for row in connection.execute(query.where(bulk.among(connection, c.id, portion)))
        }
    return found


# --- what is asked of them -------------------------------------------------------------------------------------------


def page(
    connection: sa.Connection, teams: Teams, asked: Filter, now: Instant, part: Part | None = None
) -> tuple[list[DecisionRow], int | None]:
    """The newest first, as of `now`; and where the page ended when there is more."""
    part = part or Part()
    limit = max(1, min(part.limit, MOST_ROWS))
    query = sa.select(table).where(*_conditions(teams, asked, now)).order_by(c.id.desc()).limit(limit + 1)
    if part.before is not None:
        query = query.where(c.id < part.before)
    rows = connection.execute(query).all()
    return _rows(connection, rows[:limit], now), rows[limit - 1].id if len(rows) > limit else None


def count(connection: sa.Connection, teams: Teams, asked: Filter, now: Instant) -> int:
    """How many there are, up to 1000."""
    return counted(connection, sa.select(c.id).where(*_conditions(teams, asked, now)))


def one(connection: sa.Connection, number: int, now: Instant) -> DecisionRow | None:
    """As of then; the caller asks whether it may be seen."""
    rows = connection.execute(sa.select(table).where(c.id == number, c.made_at <= now)).all()
    return next(iter(_rows(connection, rows, now)), None)


def made_by(connection: sa.Connection, number: int) -> By:
    """Who made it."""
    row = connection.execute(sa.select(c.made_by, c.person).where(c.id == number)).one()
    return By(row.made_by, row.person)


def may_see(teams: Teams, row: DecisionRow) -> bool:
    """What is about everybody's things is for everybody: it says why theirs do not stop."""
    return teams is None or row.team is None or row.team in teams


def _conditions(teams: Teams, asked: Filter, now: Instant) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [c.made_at <= now]
    if teams is not None:
        found.append(sa.or_(c.team.is_(None), c.team.in_(sorted(teams))) if teams else sa.false())
    match asked.standing:
        case Standing.IN_FORCE:
            found += [c.ends_at > now, ~_stepped(Step.WITHDRAWN, now)]
        case Standing.ENDED:
            found += [c.ends_at <= now, ~_stepped(Step.WITHDRAWN, now)]
        case Standing.WITHDRAWN:
            found.append(_stepped(Step.WITHDRAWN, now))
        case _:
            pass
    if asked.ends_before is not None:
        found += [c.ends_at > now, c.ends_at <= asked.ends_before, ~_stepped(Step.WITHDRAWN, now)]
    if asked.unapproved:
        found.append(~_stepped(Step.APPROVED, now))
    exact = {c.kind: asked.kind, c.within: asked.team, c.subject: asked.subject, c.repository: asked.repository, c.owner: asked.owner}
    found += [column == value for column, value in {**exact, c.finding: asked.finding}.items() if value not in ("", None)]
    return found


def _rows(connection: sa.Connection, rows: Sequence[Any], now: Instant) -> list[DecisionRow]:
    said: dict[tuple[int, str], Any] = {}
    if rows:
        chosen = bulk.among(connection, steps.c.decision, [row.id for row in rows])
        for row in connection.execute(sa.select(steps).where(chosen, steps.c.at <= now)):
            said[row.decision, row.what] = row
    return [_row(row, said.get((row.id, Step.APPROVED)), said.get((row.id, Step.WITHDRAWN)), now) for row in rows]


def _row(row: Any, approved: Any, withdrawn: Any, now: Instant) -> DecisionRow:
    scope = _scope(row)
    return DecisionRow(
        id=row.id, kind=DecisionKind(row.kind), scope=scope, about=scope.named(), reason=row.reason,
        justification=Justification(row.justification) if row.justification else None, owner=row.owner, team=row.team,
        until=day_of(row.ends_at - 1), made_at=row.made_at, made_by=row.made_by, source=row.source,
        standing=Standing.WITHDRAWN if withdrawn else Standing.ENDED if row.ends_at <= now else Standing.IN_FORCE,
        approved_by=approved.by if approved else "", approved_at=approved.at if approved else None,
        withdrawn_by=withdrawn.by if withdrawn else "", withdrawn_at=withdrawn.at if withdrawn else None,
        withdrawn_why=withdrawn.reason if withdrawn else "", renews=row.renews,
    )  # fmt: skip


def over(connection: sa.Connection, now: Instant, most: int) -> list[DecisionId]:
    """Those whose last day is over and of whom nobody noted it yet, the longest over first."""
    noted = sa.exists().where(steps.c.decision == c.id, steps.c.what.in_((Step.ENDED.value, Step.WITHDRAWN.value)))
    query = sa.select(c.id).where(c.ends_at <= now, ~noted).order_by(c.ends_at, c.id).limit(most)
    return [DecisionId(number) for number in connection.execute(query).scalars()]


def ending(connection: sa.Connection, now: Instant, most: int) -> list[DecisionId]:
    """Those that end within 14 days and of which nobody was reminded."""
    noted = sa.exists().where(steps.c.decision == c.id, steps.c.what.in_((Step.REMINDED.value, Step.WITHDRAWN.value)))
    query = sa.select(c.id).where(c.ends_at > now, c.ends_at <= now + SOON, ~noted).order_by(c.ends_at, c.id).limit(most)
    return [DecisionId(number) for number in connection.execute(query).scalars()]


def of_source(connection: sa.Connection, source: str, scope: Scope, now: Instant) -> list[DecisionId]:
    """What is in force of this source with exactly this package, advisory and place, e.g. to be taken back by a later statement."""
    same = [c.package == scope.package, c.advisory == scope.advisory, c.source == source, c.anchor == anchor(scope)]
    places = ((c.subject, scope.subject), (c.repository, scope.repository), (c.within, scope.team))
    same += [column.is_(None) if value is None else column == value for column, value in places]
    query = sa.select(c.id).where(*same, c.ends_at > now, ~_stepped(Step.WITHDRAWN))
    return [DecisionId(number) for number in connection.execute(query).scalars()]


def about_subject(connection: sa.Connection, number: SubjectId) -> About | None:
    """A subject as scopes speak of it."""
    row = connection.execute(sa.select(subject.c.repository, subject.c.team).where(subject.c.id == number)).first()
    return None if row is None else About(number, row.repository, row.team)


def repository_name(connection: sa.Connection, number: RepositoryId) -> str:
    """As people know it."""
    return str(connection.execute(sa.select(repository.c.name).where(repository.c.id == number)).scalar() or f"repository {number}")


def team_name(connection: sa.Connection, number: TeamId) -> str:
    """As people know it."""
    return str(connection.execute(sa.select(team.c.name).where(team.c.id == number)).scalar() or number)


def encoded(scope: Scope) -> str:
    """As text that a row keeps."""
    return msgspec.json.encode(scope, order="sorted").decode()


def decoded(text: str) -> Scope:
    """The scope again."""
    return msgspec.json.decode(text, type=Scope)
