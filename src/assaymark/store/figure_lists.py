"""The lists that figures count: for each number of `figures` the rows behind it, with the same name, scope and instant.

Guarantees: a list is a keyset page, and has as many rows as its figure says (`tests/figures`); as of an instant it is the same whenever it
is asked, but for names.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import AssessmentState, Instant
from assaymark.model.severity import Severity
from assaymark.model.trigger import SubjectKind
from assaymark.store import bulk, figure_rows, figure_verdicts, figures
from assaymark.store.assessments import AssessmentRow
from assaymark.store.assessments import rows_of as assessment_rows
from assaymark.store.figure_rows import IS_GAP
from assaymark.store.figure_sums import ALL, BANDS, day_of
from assaymark.store.figures import WINDOW_DAYS, WORST_FIRST, Scope
from assaymark.store.findings import FindingRow
from assaymark.store.findings import rows_of as finding_rows
from assaymark.store.lateness import late
from assaymark.store.narrowing import MOST_COUNTED, MOST_ROWS, behind, counted
from assaymark.store.promises import DAY
from assaymark.store.subjects import SubjectRow
from assaymark.store.subjects import rows_of as subject_rows
from assaymark.store.tables import assessment, occurrence, subject

c = occurrence.c


class Named(StrEnum):
    """Figures that count something."""

    OPEN = "open"
    LATE = "late"
    WAIVED = "waived"
    UNCHECKED = "unchecked"
    CAME = "came"
    FIXED = "fixed"
    GONE = "gone"
    EXISTING = "existing"
    UNPROVEN = "unproven"
    NEVER = "never"
    ENVIRONMENTS = "environments"
    VERDICTS = "verdicts"
    FAILED = "failed"
    STOPPED = "stopped"


OF_SUBJECTS = frozenset({Named.EXISTING, Named.UNPROVEN, Named.NEVER, Named.ENVIRONMENTS})
OF_VERDICTS = frozenset({Named.VERDICTS, Named.FAILED, Named.STOPPED})
_FLOWS = frozenset({Named.FIXED, Named.GONE})


class Asked(Struct, frozen=True):
    """Which list."""

    figure: Named
    scope: Scope
    at: Instant
    severity: Severity | None = None
    """Of findings."""
    band: int | None = None
    """Of open ones: index of the age band."""


Columns = tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]
Place = tuple[int, int]
"""Where a page ended."""


class Listed(Struct, frozen=True):
    """A part of it: rows of one of the kinds."""

    findings: tuple[FindingRow, ...] = ()
    subjects: tuple[SubjectRow, ...] = ()
    assessments: tuple[AssessmentRow, ...] = ()
    end: Place | None = None
    """None: there is no more."""


def page(connection: sa.Connection, asked: Asked, *, after: Place | None = None, limit: int = 50) -> Listed:
    """Worst first, then newest; subjects by their numbers; verdicts newest first."""
    limit = max(1, min(limit, MOST_ROWS))
    if asked.figure in OF_SUBJECTS:
        return _subjects(connection, asked, after, limit)
    query: sa.Select[Any]
    columns: Columns = (assessment.c.finished_at, assessment.c.id)
    if asked.figure in OF_VERDICTS:
        query = _verdicts(connection, asked)
    else:
        query, columns = sa.select(c.id).where(*conditions(connection, asked)), _order(asked)
        if asked.figure not in _FLOWS and asked.severity is None:
            return _by_severity(connection, asked, after, limit)
    found = _walk(connection, query, columns, after, limit)
    return _told(connection, asked, found, limit)


def _walk(connection: sa.Connection, query: sa.Select[Any], columns: Columns, after: Place | None, limit: int) -> list[tuple[int, int]]:
    places: sa.Select[Any] = query.with_only_columns(*columns)
    if after is not None:
        places = places.where(behind(columns, after, descending=True))
    rows = connection.execute(places.order_by(*(column.desc() for column in columns)).limit(limit + 1))
    return [(row[0], row[1]) for row in rows]


def _told(connection: sa.Connection, asked: Asked, found: Sequence[tuple[int, int]], limit: int) -> Listed:
    ids = [number for _, number in found[:limit]]
    end = found[limit - 1] if len(found) > limit else None
    if asked.figure in OF_VERDICTS:
        return Listed(assessments=tuple(assessment_rows(connection, ids, asked.at)), end=end)
    return Listed(findings=tuple(finding_rows(connection, ids, asked.at)), end=end)


def _by_severity(connection: sa.Connection, asked: Asked, after: Place | None, limit: int) -> Listed:
    """One severity after the other, each along its index; a place holds the severity in its highest digits."""
    found: list[tuple[int, int]] = []
    for severity in WORST_FIRST:
        if len(found) > limit or (after is not None and severity.rank > after[0] // _RANK):
            continue
        place = (after[0] % _RANK, after[1]) if after is not None and after[0] // _RANK == severity.rank else None
        query: sa.Select[Any] = sa.select(c.id).where(*conditions(connection, asked), c.severity == severity.rank)
        found += [(severity.rank * _RANK + since, number) for since, number in _walk(connection, query, _order(asked), place, limit)]
    return _told(connection, asked, found[: limit + 1], limit)


_RANK = 10**18
"""More than any instant."""


def _order(asked: Asked) -> Columns:
    return (c.closed_at, c.id) if asked.figure in _FLOWS else (c.since, c.id)


def how_many(connection: sa.Connection, asked: Asked) -> int:
    """Counted up to `MOST_COUNTED`."""
    if asked.figure in OF_SUBJECTS:
        return len(_chosen(connection, asked))
    query: sa.Select[Any] = (
        _verdicts(connection, asked) if asked.figure in OF_VERDICTS else sa.select(c.id).where(*conditions(connection, asked))
    )
    return counted(connection, query, MOST_COUNTED)


# --- findings --------------------------------------------------------------------------------------------------------


def conditions(connection: sa.Connection, asked: Asked) -> list[sa.ColumnElement[bool]]:
    """What an occurrence has to be."""
    exists = sa.select(subject.c.id).where(subject.c.id == c.subject, figure_rows.EXISTS).exists()
    found: list[sa.ColumnElement[bool]] = [exists, *_scoped(connection, asked.scope)]
    if asked.severity is not None:
        found.append(c.severity == asked.severity.rank)
    begin = asked.at - WINDOW_DAYS * DAY
    match asked.figure:
        case Named.CAME:
            return [*found, c.since > begin, c.since <= asked.at, c.opened_at == c.since, ~IS_GAP]
        case Named.FIXED | Named.GONE:
            seen = c.closed_by.is_not(None) if asked.figure is Named.FIXED else c.closed_by.is_(None)
            return [*found, c.closed_at > begin, c.closed_at <= asked.at, c.continued == 0, seen, ~IS_GAP]
    found += [c.opened_at <= asked.at, sa.or_(c.closed_at.is_(None), c.closed_at > asked.at), c.since <= asked.at]
    if asked.figure is Named.WAIVED:
        return [*found, c.waived == sa.literal_column("1")]
    found += [c.waived == 0, IS_GAP if asked.figure is Named.UNCHECKED else ~IS_GAP]
    if asked.figure is Named.LATE:
        found.append(late(connection, asked.at))
    return [*found, *_aged(asked)]


def _scoped(connection: sa.Connection, scope: Scope) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [c.layer == scope.layer.value] if scope.layer else []
    if scope.repository is not None:
        return [*found, bulk.among(connection, c.subject, figures.members(connection, scope))]
    teams = scope.cells
    if teams == [ALL]:
        return found
    return [*found, c.team == teams[0] if teams and len(teams) == 1 else c.team.in_(teams or [])]


def _aged(asked: Asked) -> list[sa.ColumnElement[bool]]:
    if asked.band is None:
        return []
    today, found = day_of(asked.at), list[sa.ColumnElement[bool]]()
    if asked.band < len(BANDS):
        found.append(c.since >= (today - BANDS[asked.band]) * DAY)
    if asked.band > 0:
        found.append(c.since < (today - BANDS[asked.band - 1]) * DAY)
    return found


# --- subjects and verdicts -------------------------------------------------------------------------------------------


def _chosen(connection: sa.Connection, asked: Asked) -> list[int]:
    rows = figures.existing(connection, asked.scope, asked.at)
    match asked.figure:
        case Named.UNPROVEN:
            rows = [row for row in rows if row.state == AssessmentState.UNPROVEN]
        case Named.NEVER:
            rows = [row for row in rows if not row.state]
        case Named.ENVIRONMENTS:
            rows = [row for row in rows if row.kind == SubjectKind.ENVIRONMENT]
    return [row.id for row in rows]


def _subjects(connection: sa.Connection, asked: Asked, after: Place | None, limit: int) -> Listed:
    ids = [number for number in _chosen(connection, asked) if after is None or number > after[1]]
    end = (0, ids[limit - 1]) if len(ids) > limit else None
    return Listed(subjects=tuple(subject_rows(connection, ids[:limit], asked.at)), end=end)


def _verdicts(connection: sa.Connection, asked: Asked) -> sa.Select[Any]:
    a = assessment.c
    ids = figures.members(connection, asked.scope)
    found = figure_verdicts.in_span(asked.at - WINDOW_DAYS * DAY, asked.at, *figures.of_scope(asked.scope, ids))
    if asked.figure is not Named.VERDICTS:
        found.append(a.state == AssessmentState.FAIL.value)
    if asked.figure is Named.STOPPED:
        found.append(sa.select(subject.c.id).where(subject.c.id == a.subject, ~figure_rows.EXISTS).exists())
    return sa.select(a.id).where(*found)
