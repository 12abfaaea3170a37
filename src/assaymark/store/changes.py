"""What became of assessments since somebody looked, for those who watch: read sparsely, over indexes, whoever wrote it.

Guarantees: whatever is asked from a `Position` holds every assessment that ended after it was taken, and every one that was begun; some may
come again, because what is committed late has an earlier number or instant than what was seen already. Bounded by `MOST`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.store.tables import assessment, progress

MOST = 500
_LATE_IDS = 64
_LATE = 10 * SECOND
"""How much later than its number or instant a row may become visible."""
a = assessment.c


class Position(Struct, frozen=True):
    """Up to where somebody knows."""

    id: int
    finished_at: Instant

    def after(self, change: Change) -> Position:
        """Having seen this as well."""
        ended = change.at if change.is_over else Instant(0)
        return Position(max(self.id, change.assessment), max(self.finished_at, ended))


class Change(Struct, frozen=True):
    """The state of an assessment, and how far it is."""

    assessment: AssessmentId
    subject: SubjectId
    team: TeamId | None
    state: str
    at: Instant
    """Since when it is in this state."""
    summary: str
    new_findings: int
    fixed_findings: int
    phase: str = ""
    """What is being done, while it runs and takes longer than a moment."""
    done: int = 0
    total: int = 0
    """0 when it is not known."""
    told_at: Instant = Instant(0)
    """When that was written."""

    @property
    def is_over(self) -> bool:
        return self.state not in (AssessmentState.QUEUED, AssessmentState.RUNNING)


_COLUMNS = (
    a.id, a.subject, a.team, a.state, a.queued_at, a.started_at, a.finished_at, a.summary, a.new_findings, a.fixed_findings,
    progress.c.phase, progress.c.done, progress.c.total, progress.c.at.label("told_at"),
)  # fmt: skip


def now(connection: sa.Connection) -> Position:
    """The latest position."""
    row = connection.execute(sa.select(sa.func.max(a.id).label("id"), sa.func.max(a.finished_at).label("finished_at"))).one()
    return Position(row.id or 0, Instant(row.finished_at or 0))


def of(connection: sa.Connection, ids: Collection[int]) -> list[Change]:
    """The present states of these."""
    return _changes(connection, _asked().where(a.id.in_(sorted(ids)[:MOST])))


def begun(connection: sa.Connection, position: Position, *, is_exact: bool = False) -> list[Change]:
    """What was begun after, oldest first."""
    start = position.id if is_exact else position.id - _LATE_IDS
    return _changes(connection, _asked().where(a.id > start).order_by(a.id).limit(MOST))


def ended(connection: sa.Connection, position: Position, *, is_exact: bool = False) -> list[Change]:
    """What ended after, oldest first."""
    start = position.finished_at if is_exact else position.finished_at - _LATE
    return _changes(connection, _asked().where(a.finished_at > start).order_by(a.finished_at, a.id).limit(MOST))


def running(connection: sa.Connection) -> list[Change]:
    """What runs."""
    return _changes(connection, _asked().where(a.state == AssessmentState.RUNNING).order_by(a.id.desc()).limit(MOST))


def _asked() -> sa.Select[Any]:
    return sa.select(*_COLUMNS).outerjoin(progress, progress.c.assessment == a.id)


def _changes(connection: sa.Connection, query: sa.Select[Any]) -> list[Change]:
    return [_change(row) for row in connection.execute(query)]


def _change(row: Any) -> Change:
    at = row.finished_at or (row.started_at if row.state == AssessmentState.RUNNING else None) or row.queued_at
    return Change(
        assessment=row.id,
        subject=row.subject,
        team=row.team,
        state=row.state,
        at=at,
        summary=row.summary,
        new_findings=row.new_findings,
        fixed_findings=row.fixed_findings,
        phase=row.phase or "",
        done=row.done or 0,
        total=row.total or 0,
        told_at=row.told_at or Instant(0),
    )
