"""The rows behind figures, grouped by the database: what began, what ended and what grew older between two instants.

Counted is what stands in what exists: occurrences of everything but merge requests, which are proposals and have their verdicts. What is
asked here costs what happened in the span, not what is there; a repository's rows are asked all at once (`of_subjects`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from assaymark.model.assessment import SECOND
from assaymark.model.finding import Kind
from assaymark.model.trigger import SubjectKind
from assaymark.store import bulk
from assaymark.store.figure_sums import Begun, Group, Over
from assaymark.store.promises import DAY
from assaymark.store.tables import occurrence, subject

c = occurrence.c
EXISTS = subject.c.kind != SubjectKind.MERGE_REQUEST.value
"""Of a row joined with its subject."""
IS_GAP = c.kind == Kind.UNCHECKED.value
_gap = sa.case((IS_GAP, 1), else_=0)
_since_day = c.since.op("/")(sa.literal_column(str(DAY)))
_over_day = c.closed_at.op("/")(sa.literal_column(str(DAY)))
_GROUP = (c.team, c.layer, c.severity, _gap, c.waived, _since_day)
_joined = occurrence.join(subject, subject.c.id == c.subject)


def _group(row: Any) -> Group:
    team, layer, rank, gap, waived, since_day, many = row
    return Group(team, layer, rank, bool(gap), bool(waived), since_day, many)


def begun(connection: sa.Connection, after: int, until: int, *more: sa.ColumnElement[bool]) -> Iterator[Begun]:
    """What began after one instant and not after the other."""
    first = sa.case((c.opened_at == c.since, 1), else_=0)
    query = sa.select(*_GROUP, sa.func.count(), first).select_from(_joined).where(c.opened_at > after, c.opened_at <= until, EXISTS, *more)
    for row in connection.execute(query.group_by(*_GROUP, first)):
        yield Begun(_group(row[:7]), bool(row[7]))


def over(connection: sa.Connection, after: int, until: int, *more: sa.ColumnElement[bool]) -> Iterator[Over]:
    """What ended after one instant and not after the other."""
    seen = sa.case((c.closed_by.is_(None), 0), else_=1)
    seconds = sa.func.sum((c.closed_at - c.since) // sa.literal_column(str(SECOND), sa.BigInteger))
    keys = (*_GROUP, _over_day, c.continued, seen)
    query = sa.select(*_GROUP, sa.func.count(), _over_day, c.continued, seen, seconds).select_from(_joined)
    for row in connection.execute(query.where(c.closed_at > after, c.closed_at <= until, EXISTS, *more).group_by(*keys)):
        yield Over(_group(row[:7]), row[7], bool(row[8]), bool(row[9]), int(row[10]))


def standing(
    connection: sa.Connection, at: int, ranges: Sequence[tuple[int | None, int]], *more: sa.ColumnElement[bool]
) -> Iterator[Group]:
    """What stood open at an instant and came in these days, let-through ones and gaps left out."""
    alive = (c.opened_at <= at, sa.or_(c.closed_at.is_(None), c.closed_at > at), c.waived == 0, ~IS_GAP, EXISTS)
    for first, behind in ranges:
        came = [c.since < behind * DAY, *([c.since >= first * DAY] if first is not None else [])]
        query = sa.select(*_GROUP, sa.func.count()).select_from(_joined).where(*alive, *came, *more)
        for row in connection.execute(query.group_by(*_GROUP)):
            yield _group(row)


def of_subjects(connection: sa.Connection, ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """Only what is in these."""
    return bulk.among(connection, c.subject, ids)
