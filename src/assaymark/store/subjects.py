"""What is looked after: lists, one subject, and how many findings stand open in it or in all of them, now or as of an instant.

As of an instant a subject is there from its beginning to its end, in the state of its last verdict up to then, with the counts that were
noted up to then. Its name, address, repository and team are those of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, RepositoryId, SubjectId
from assaymark.model.severity import Severity
from assaymark.model.trigger import TriggerKind
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_ROWS, Teams, behind, counted, like, of_teams
from assaymark.store.tables import assessment, posture, repository, subject

c = subject.c
_VERDICTS = (AssessmentState.PASS.value, AssessmentState.FAIL.value, AssessmentState.UNPROVEN.value)
_SHOWN = tuple(severity.value for severity in reversed(Severity) if severity is not Severity.INFO)


class Order(StrEnum):
    NAME = "name"
    JUDGED = "judged"
    """Judged last first; only of now."""
    WORST = "worst"
    """Most critical findings first, then most high ones; only of now."""


class Filter(Struct, frozen=True):
    """What is asked for; everything is joined by "and"."""

    kinds: tuple[str, ...] = ()
    team: TeamId | None = None
    repository: RepositoryId | None = None
    state: str = ""
    name: str = ""
    """Part of its name, in any case."""
    with_ended: bool = False
    """Also those that are no more."""
    at: Instant | None = None
    """As of when; None is now."""


class Open(Struct, frozen=True):
    """Findings that stand open, waived ones and gaps apart."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0


class SubjectRow(Struct, frozen=True):
    """A subject in a list."""

    id: SubjectId
    kind: str
    name: str
    ref: str
    repository: RepositoryId | None
    team: TeamId | None
    url: str
    state: str
    """Of its last verdict; empty before the first."""
    head: str
    judged_at: Instant | None
    last_assessment: AssessmentId | None
    open: Open
    created_at: Instant
    ended_at: Instant | None


class Key(Struct, frozen=True):
    """Where a page ended."""

    values: tuple[int | str, ...]


class Part(Struct, frozen=True):
    """Which part of a list."""

    order: Order = Order.NAME
    after: Key | None = None
    limit: int = 50


class Posture(Struct, frozen=True):
    """How many findings stand open."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    info: int = 0
    waived: int = 0
    unchecked: int = 0


_ORDERS: dict[Order, tuple[tuple[sa.ColumnElement[Any], ...], bool]] = {
    Order.NAME: ((c.name, c.id), False),
    Order.JUDGED: ((sa.func.coalesce(c.judged_at, 0), c.id), True),
    Order.WORST: ((c.open_critical, c.open_high, c.open_medium, c.id), True),
}
KEYS: dict[Order, tuple[type, ...]] = {Order.NAME: (str, int), Order.JUDGED: (int, int), Order.WORST: (int, int, int, int)}
"""Types of the values of a `Key`."""


def page(connection: sa.Connection, teams: Teams, asked: Filter, part: Part | None = None) -> tuple[list[SubjectRow], Key | None]:
    """A part of the list, and where it ended when there is more. As of an instant the order is by name."""
    part = part or Part()
    limit = max(1, min(part.limit, MOST_ROWS))
    columns, descending = _ORDERS[part.order if asked.at is None else Order.NAME]
    query = sa.select(c.id, *columns).where(*conditions(teams, asked))
    if part.after is not None:
        query = query.where(behind(columns, part.after.values, descending=descending))
    query = query.order_by(*(column.desc() if descending else column for column in columns)).limit(limit + 1)
    found = connection.execute(query).all()
    rows = rows_of(connection, [row[0] for row in found[:limit]], asked.at)
    return rows, Key(tuple(found[limit - 1][1:])) if len(found) > limit else None


def conditions(teams: Teams, asked: Filter) -> list[sa.ColumnElement[bool]]:
    """What a row has to be."""
    found = of_teams(c.team, teams)
    if asked.at is not None:
        found.append(c.created_at <= asked.at)
    if not asked.with_ended:
        found.append(c.ended_at.is_(None) if asked.at is None else sa.or_(c.ended_at.is_(None), c.ended_at > asked.at))
    if asked.kinds:
        found.append(c.kind.in_(asked.kinds))
    found += [column == value for column, value in ((c.team, asked.team), (c.repository, asked.repository)) if value is not None]
    if asked.state:
        found.append((c.state if asked.at is None else _last(assessment.c.state, asked.at)) == asked.state)
    if asked.name:
        found.append(sa.func.lower(c.name).like(like(asked.name.lower()), escape="\\"))
    return found


def _last(column: sa.ColumnElement[Any], at: Instant) -> sa.ScalarSelect[Any]:
    """Of the last verdict of the subject up to the instant."""
    a = assessment.c
    query = sa.select(column).where(a.subject == c.id, a.finished_at <= at, a.state.in_(_VERDICTS), a.trigger != TriggerKind.IMPORT.value)
    return query.order_by(a.finished_at.desc(), a.id.desc()).limit(1).correlate(subject).scalar_subquery()


def rows_of(connection: sa.Connection, ids: Sequence[int], at: Instant | None) -> list[SubjectRow]:
    """These subjects, in this order."""
    if not ids:
        return []
    query = sa.select(subject).where(bulk.among(connection, c.id, ids))
    found = {row.id: row for row in connection.execute(query)}
    if at is None:
        return [_row(row, row.state, row.head, (row.judged_at, row.last_assessment, _now(row))) for row in (found[n] for n in ids)]
    verdicts = _verdicts(connection, ids, at)
    noted = _noted(connection, ids, at)
    rows = []
    for number in ids:
        verdict = verdicts.get(number)
        counts = noted.get(number, Posture())
        state, head, judged, last = (verdict.state, verdict.head, verdict.finished_at, verdict.id) if verdict else ("", "", None, None)
        shown = Open(counts.critical, counts.high, counts.medium, counts.low)
        rows.append(_row(found[number], state, head, (judged, last, shown), at))
    return rows


def _now(row: Any) -> Open:
    return Open(*(getattr(row, f"open_{name}") for name in _SHOWN))


def _row(row: Any, state: str, head: str, rest: tuple[Any, Any, Open], at: Instant | None = None) -> SubjectRow:
    judged_at, last, counts = rest
    return SubjectRow(
        id=row.id,
        kind=row.kind,
        name=row.name,
        ref=row.ref,
        repository=row.repository,
        team=row.team,
        url=row.url,
        state=state,
        head=head,
        judged_at=judged_at,
        last_assessment=last,
        open=counts,
        created_at=row.created_at,
        ended_at=row.ended_at if at is None or (row.ended_at is not None and row.ended_at <= at) else None,
    )


def _verdicts(connection: sa.Connection, ids: Sequence[int], at: Instant) -> dict[int, Any]:
    last = sa.select(_last(assessment.c.id, at)).select_from(subject).where(bulk.among(connection, c.id, ids))
    a = assessment.c
    query = sa.select(a.subject, a.id, a.state, a.head, a.finished_at).where(a.id.in_(last))
    return {row.subject: row for row in connection.execute(query)}


def _noted(connection: sa.Connection, ids: Sequence[int], at: Instant) -> dict[int, Posture]:
    last = sa.select(_last_noted(at)).select_from(subject).where(bulk.among(connection, c.id, ids))
    query = sa.select(posture).where(posture.c.id.in_(last))
    return {row.subject: _posture(row._mapping) for row in connection.execute(query)}  # noqa: SLF001 - SQLAlchemy's public name


def _last_noted(at: Instant) -> sa.ScalarSelect[Any]:
    p = posture.c
    query = sa.select(p.id).where(p.subject == c.id, p.at <= at).order_by(p.at.desc(), p.id.desc())
    return query.limit(1).correlate(subject).scalar_subquery()


def _posture(row: Any) -> Posture:
    return Posture(*(int(row[name] or 0) for name in Posture.__struct_fields__))


def one(connection: sa.Connection, number: int, at: Instant | None = None) -> SubjectRow | None:
    """A subject, also one that is no more; None when it is not there, or was not yet."""
    query = sa.select(c.created_at).where(c.id == number)
    created = connection.execute(query).scalar()
    if created is None or (at is not None and created > at):
        return None
    return rows_of(connection, [number], at)[0]


def repository_of(connection: sa.Connection, row: SubjectRow) -> str:
    """Name of its repository; empty for what belongs to none."""
    return str(connection.execute(sa.select(repository.c.name).where(repository.c.id == row.repository)).scalar() or "")


def summed(connection: sa.Connection, teams: Teams, asked: Filter) -> Posture:
    """Over all subjects that the filter leaves, from what was noted of each: exact, however many findings there are."""
    where = conditions(teams, asked)
    if asked.at is None:
        columns = {name: c[name if name in c else f"open_{name}"] for name in Posture.__struct_fields__}
        query = sa.select(*(sa.func.sum(column).label(name) for name, column in columns.items())).where(*where)
    elif bulk.is_sqlite(connection):
        chosen = sa.select(_last_noted(asked.at)).select_from(subject).where(*where)
        sums = [sa.func.sum(posture.c[name]).label(name) for name in Posture.__struct_fields__]
        query = sa.select(*sums).where(posture.c.id.in_(chosen))
    else:
        last = sa.select(posture).where(posture.c.subject == c.id, posture.c.at <= asked.at)
        noted = last.order_by(posture.c.at.desc(), posture.c.id.desc()).limit(1).lateral("noted")
        sums = [sa.func.sum(noted.c[name]).label(name) for name in Posture.__struct_fields__]
        query = sa.select(*sums).select_from(subject.join(noted, sa.true())).where(*where)
    return _posture(connection.execute(query).one()._mapping)  # noqa: SLF001


class Point(Struct, frozen=True):
    """What was noted at an instant."""

    at: Instant
    open: Posture


def series(
    connection: sa.Connection, number: SubjectId, *, at: Instant | None = None, after: tuple[int, int] | None = None, limit: int = 100
) -> tuple[list[Point], tuple[int, int] | None]:
    """How the counts of one subject went, newest first, and where the part ended when there is more."""
    limit = max(1, min(limit, MOST_ROWS))
    query = sa.select(posture).where(posture.c.subject == number)
    if at is not None:
        query = query.where(posture.c.at <= at)
    if after is not None:
        query = query.where(behind((posture.c.at, posture.c.id), after, descending=True))
    rows = connection.execute(query.order_by(posture.c.at.desc(), posture.c.id.desc()).limit(limit + 1)).all()
    end = (rows[limit - 1].at, rows[limit - 1].id) if len(rows) > limit else None
    return [Point(row.at, _posture(row._mapping)) for row in rows[:limit]], end  # noqa: SLF001


def posture_of(connection: sa.Connection, number: SubjectId, at: Instant | None = None) -> Posture:
    """What stands open in one subject."""
    points, _ = series(connection, number, at=at, limit=1)
    return points[0].open if points else Posture()


def count(connection: sa.Connection, teams: Teams, asked: Filter, most: int) -> int:
    """How many there are, counted up to `most`."""
    return counted(connection, sa.select(c.id).where(*conditions(teams, asked)), most)


def details_of(connection: sa.Connection, number: int) -> dict[str, str]:
    """Further facts, as the trigger told them."""
    text = connection.execute(sa.select(c.details).where(c.id == number)).scalar() or "{}"
    told = msgspec.json.decode(text)
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def began(connection: sa.Connection, teams: Teams) -> Instant | None:
    """When the first of them came: before that there is nothing to ask for."""
    return connection.execute(sa.select(sa.func.min(c.created_at)).where(*of_teams(c.team, teams))).scalar()
