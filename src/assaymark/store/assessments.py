"""What was asked, and what came of it: lists of assessments and one of them with all that its page needs.

Lists are keyset pages by number, newest first. As of an instant an assessment is in the state in which it was: what ended later still ran,
what began later still waited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, RepositoryId, SubjectId
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.tables import assessment, repository, subject

a = assessment.c


class Filter(Struct, frozen=True):
    """What is asked for; everything is joined by "and"."""

    subject: SubjectId | None = None
    team: TeamId | None = None
    repository: RepositoryId | None = None
    state: str = ""
    trigger: str = ""
    head: str = ""
    """Commit or digest that was judged."""
    at: Instant | None = None
    """As of when; None is now."""


class AssessmentRow(Struct, frozen=True):
    """An assessment in a list."""

    id: AssessmentId
    subject: SubjectId
    subject_kind: str
    subject_name: str
    team: TeamId | None
    state: str
    trigger: str
    actor: str
    base: str
    head: str
    cause: str
    queued_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    superseded_by: AssessmentId | None
    verdict: str
    """Digest of the verdict; empty when there is none."""
    summary: str
    new_findings: int
    fixed_findings: int


class AssessmentPage(Struct, frozen=True):
    """All that the page about one verdict needs beside the verdict itself."""

    row: AssessmentRow
    subject_ref: str
    subject_url: str
    subject_ended_at: Instant | None
    repository: RepositoryId | None
    repository_name: str
    repository_url: str
    attempts: int
    is_latest: bool
    """No later verdict of the subject."""
    before: AssessmentRow | None
    """The verdict before this one."""
    trigger_details: str
    """The trigger as JSON."""


_COLUMNS = (*(a[name] for name in AssessmentRow.__struct_fields__ if not name.startswith("subject_")),
            subject.c.kind.label("subject_kind"), subject.c.name.label("subject_name"))  # fmt: skip
_ALIVE = (AssessmentState.QUEUED.value, AssessmentState.RUNNING.value)
_VERDICTS = (AssessmentState.PASS.value, AssessmentState.FAIL.value, AssessmentState.UNPROVEN.value)


def page(
    connection: sa.Connection, teams: Teams, asked: Filter, *, after: int | None = None, limit: int = 50
) -> tuple[list[AssessmentRow], int | None]:
    """A part of the list, newest first, and the number at which it ended when there is more."""
    limit = max(1, min(limit, MOST_ROWS))
    query = sa.select(*_COLUMNS).join(subject, subject.c.id == a.subject).where(*conditions(teams, asked))
    if after is not None:
        query = query.where(a.id < after)
    rows = [_row(row, asked.at) for row in connection.execute(query.order_by(a.id.desc()).limit(limit + 1))]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def rows_of(connection: sa.Connection, ids: Sequence[int], at: Instant | None) -> list[AssessmentRow]:
    """These assessments, newest first."""
    query = sa.select(*_COLUMNS).join(subject, subject.c.id == a.subject).where(a.id.in_(ids)).order_by(a.id.desc())
    return [_row(row, at) for row in connection.execute(query)] if ids else []


def conditions(teams: Teams, asked: Filter) -> list[sa.ColumnElement[bool]]:
    """What a row has to be."""
    found = of_teams(a.team, teams)
    exact = {a.subject: asked.subject, a.team: asked.team, a.trigger: asked.trigger or None}
    found += [column == value for column, value in exact.items() if value is not None]
    if asked.head:
        found.append(a.head.in_(spellings(asked.head)))
    if asked.repository is not None:
        found.append(a.subject.in_(sa.select(subject.c.id).where(subject.c.repository == asked.repository)))
    if asked.at is not None:
        found.append(a.queued_at <= asked.at)
    if asked.state:
        found.append(_was(asked.state, asked.at))
    return found


def spellings(head: str) -> list[str]:
    """A commit with and without the name of its hash."""
    digits = head.rpartition(":")[2]
    if head.startswith("sha256:") or not digits:
        return [head]
    return [digits, f"git-sha1:{digits}" if len(digits) == 40 else f"git-sha256:{digits}"]


def _was(state: str, at: Instant | None) -> sa.ColumnElement[bool]:
    if at is None:
        return a.state == state
    over = sa.and_(a.finished_at.is_not(None), a.finished_at <= at)
    if state == AssessmentState.RUNNING:
        return sa.and_(sa.not_(over), a.started_at.is_not(None), a.started_at <= at)
    if state == AssessmentState.QUEUED:
        return sa.and_(sa.not_(over), sa.or_(a.started_at.is_(None), a.started_at > at))
    return sa.and_(over, a.state == state)


def _row(row: Any, at: Instant | None) -> AssessmentRow:
    values = {name: getattr(row, name) for name in AssessmentRow.__struct_fields__}
    if at is None or (row.finished_at is not None and row.finished_at <= at):
        return AssessmentRow(**values)
    began = row.started_at if row.started_at is not None and row.started_at <= at else None
    values |= {"state": AssessmentState.QUEUED.value if began is None else AssessmentState.RUNNING.value, "started_at": began}
    values |= {"finished_at": None, "superseded_by": None, "verdict": "", "summary": "", "new_findings": 0, "fixed_findings": 0}
    return AssessmentRow(**values)


def one(connection: sa.Connection, number: int) -> AssessmentPage | None:
    """An assessment with what stands around it."""
    columns = (subject.c.ref, subject.c.url, subject.c.ended_at, subject.c.repository, a.attempts, a.trigger_details)
    query = sa.select(*_COLUMNS, *columns, repository.c.name.label("repository_name"), repository.c.web_url)
    query = query.join(subject, subject.c.id == a.subject).outerjoin(repository, repository.c.id == subject.c.repository)
    row = connection.execute(query.where(a.id == number)).first()
    if row is None:
        return None
    mine = sa.select(*_COLUMNS).join(subject, subject.c.id == a.subject).where(a.subject == row.subject, a.state.in_(_VERDICTS))
    later = connection.execute(mine.where(a.id > number).limit(1)).first()
    before = connection.execute(mine.where(a.id < number).order_by(a.id.desc()).limit(1)).first()
    return AssessmentPage(
        row=_row(row, None),
        subject_ref=row.ref,
        subject_url=row.url,
        subject_ended_at=row.ended_at,
        repository=row.repository,
        repository_name=row.repository_name or "",
        repository_url=row.web_url or "",
        attempts=row.attempts,
        is_latest=later is None,
        before=_row(before, None) if before is not None else None,
        trigger_details=row.trigger_details,
    )


def newest_of_head(connection: sa.Connection, teams: Teams, head: str) -> AssessmentRow | None:
    """The last assessment of a commit or digest, of whatever subject."""
    rows, _ = page(connection, teams, Filter(head=head), limit=1)
    return rows[0] if rows else None
