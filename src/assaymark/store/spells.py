"""How a weakness went: in which subject it stood from when to when, which assessments saw it come and go.

Guarantees: the newest first, bounded, only what stands in the teams that are asked for. Parts that follow each other in one subject
(another path, severity or waiver) are parts of one history, each with what was true of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.severity import Severity
from assaymark.store.findings import SubjectName
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.tables import assessment, occurrence, subject

_BY_RANK = tuple(Severity)
c = occurrence.c


class Spell(Struct, frozen=True):
    """A part of the history."""

    id: int
    """Of the occurrence."""
    subject: SubjectName
    team: TeamId | None
    severity: Severity
    path: str
    waived: bool
    opened_at: Instant
    opened_by: AssessmentId | None
    came_by: str
    """Who caused what brought it, as its forge names him."""
    closed_at: Instant | None
    closed_by: AssessmentId | None
    continued: bool
    """It did not end there."""


def spells(
    connection: sa.Connection, teams: Teams, number: int, *, after: int | None = None, limit: int = 50
) -> tuple[list[Spell], int | None]:
    """Of a finding, newest first, and where the part ended when there is more."""
    limit = max(1, min(limit, MOST_ROWS))
    columns = (c.id, c.subject, c.team, c.severity, c.path, c.waived, c.opened_at, c.opened_by, c.closed_at, c.closed_by, c.continued)
    query = sa.select(*columns, subject.c.name, subject.c.kind, assessment.c.actor).join(subject, subject.c.id == c.subject)
    query = query.outerjoin(assessment, assessment.c.id == c.opened_by).where(c.finding == number, *of_teams(c.team, teams))
    if after is not None:
        query = query.where(c.id < after)
    rows = connection.execute(query.order_by(c.id.desc()).limit(limit + 1)).all()
    found = [
        Spell(
            id=row.id,
            subject=SubjectName(SubjectId(row.subject), row.kind, row.name),
            team=row.team,
            severity=_BY_RANK[row.severity],
            path=row.path,
            waived=bool(row.waived),
            opened_at=row.opened_at,
            opened_by=row.opened_by,
            came_by=row.actor or "",
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            continued=bool(row.continued),
        )
        for row in rows[:limit]
    ]
    return found, rows[limit - 1].id if len(rows) > limit else None
