"""Work: what waits, runs, was given up; and what is done again and again.

A job belongs to no team, so all of this is for those whose role holds everywhere. Guarantees: whatever changes something is in the trail,
in the same transaction.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.jobs import clock
from assaymark.jobs.clock import ScheduleRow
from assaymark.jobs.job import JobId, JobRow, JobState
from assaymark.model.access import Permission
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import viewed
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.store import trail
from assaymark.store.trail import Action

router = Router("jobs")
State = Annotated[JobState, Meta(description="Which jobs; those that were given up without it.")]


class JobView(Struct, frozen=True):
    """A job."""

    id: int
    kind: str
    arguments: dict[str, int | str | bool | None]
    state: JobState
    attempts: int
    """That were begun."""
    most_attempts: int
    priority: int
    key: str
    """While one waits with this key, another is not added."""
    lock: str
    """Only one with this lock runs at a time."""
    seconds: int
    """Deadline of an attempt."""
    created_at: int
    due_at: int | None
    finished_at: int | None
    error: str
    """Why its last attempt failed."""


@router.add("GET", "/jobs", Permission.JOBS_READ)
def list_jobs(call: Call, state: State = JobState.DEAD, after: str | None = None, limit: int = 50) -> Page[JobView]:
    """Jobs in a state, newest first; without a state those that were given up and wait for a person."""
    call.need(Permission.JOBS_READ, None)
    limit = rights.limited(limit)
    before = JobId(cursor.decode(after, (int,))[0]) if after else None
    with call.service.database.read() as connection:
        rows = call.service.queue.rows(connection, state, before=before, limit=limit + 1)
    return viewed(rows, limit, _view)


@router.add("GET", "/jobs/{job}", Permission.JOBS_READ)
def get_job(call: Call, job: int) -> JobView:
    """One job; what ended is forgotten after some days."""
    call.need(Permission.JOBS_READ, None)
    with call.service.database.read() as connection:
        return _found(call, connection, job)


@router.add("POST", "/jobs/{job}/replay", Permission.JOBS_WRITE)
def replay_job(call: Call, job: int) -> JobView:
    """Let a job that was given up wait again, with all its attempts."""
    call.need(Permission.JOBS_WRITE, None)
    with call.service.database.write() as connection:
        row = _found(call, connection, job)
        if not call.service.queue.replay(connection, JobId(job)):
            raise conflict(f"job {job} was not replayed: it is {row.state}, or another with its key waits already")
        _note(call, connection, "job.replayed", str(job), {"kind": row.kind})
        return _found(call, connection, job)


@router.add("POST", "/jobs/{job}/cancel", Permission.JOBS_WRITE)
def cancel_job(call: Call, job: int) -> JobView:
    """Cancel a job that waits; one that runs is asked to stop, and killed some seconds later."""
    call.need(Permission.JOBS_WRITE, None)
    with call.service.database.write() as connection:
        row = _found(call, connection, job)
        if not call.service.queue.cancel_job(connection, JobId(job)):
            raise conflict(f"job {job} cannot be cancelled: it is {row.state}")
        _note(call, connection, "job.cancelled", str(job), {"kind": row.kind})
        return _found(call, connection, job)


def _found(call: Call, connection: sa.Connection, job: int) -> JobView:
    row = call.service.queue.row(connection, JobId(job)) if 0 < job < 1 << 63 else None
    if row is None:
        raise not_found("this job")
    return _view(row)


def _view(row: JobRow) -> JobView:
    job = row.job
    return JobView(
        id=row.id,
        kind=job.kind,
        arguments=job.arguments,
        state=row.state,
        attempts=row.attempts,
        most_attempts=job.most_attempts,
        priority=job.priority,
        key=job.key,
        lock=job.lock,
        seconds=job.seconds,
        created_at=row.created_at,
        due_at=job.due_at,
        finished_at=row.finished_at,
        error=row.error,
    )


def _note(call: Call, connection: sa.Connection, action: str, name: str, details: dict[str, str]) -> None:
    by = rights.by(call)
    kind = action.partition(".")[0]
    done = Action(call.service.now(), by.actor, action, "success", by.person, kind, name, origin=by.origin, details=details)
    trail.record(connection, done)


# --- schedules -------------------------------------------------------------------------------------------------------


@router.add("GET", "/schedules", Permission.JOBS_READ)
def list_schedules(call: Call) -> Page[ScheduleRow]:
    """What is done again and again, by name."""
    call.need(Permission.JOBS_READ, None)
    with call.service.database.read() as connection:
        return Page(tuple(clock.entries(connection)))


class ScheduleChange(Struct, frozen=True, forbid_unknown_fields=True):
    every_seconds: int
    """At least 60, at most a year."""


_YEAR = 366 * 86400


@router.add("PATCH", "/schedules/{schedule}", Permission.JOBS_WRITE)
def change_schedule(call: Call, schedule: str, body: ScheduleChange) -> ScheduleRow:
    """Another interval, counted from now; it stays when the release's own default changes."""
    call.need(Permission.JOBS_WRITE, None)
    if not clock.SHORTEST <= body.every_seconds <= _YEAR:
        raise invalid(f"every_seconds is a number from {clock.SHORTEST} to {_YEAR}")
    with call.service.database.write() as connection:
        before = _entry(connection, schedule)
        clock.change(connection, schedule, body.every_seconds, Instant(call.service.now()))
        _note(call, connection, "schedule.changed", schedule, {"from": str(before.every_seconds), "to": str(body.every_seconds)})
        return _entry(connection, schedule)


class Started(Struct, frozen=True):
    job: int | None
    """None when its last job still waits, which is as good."""


@router.add("POST", "/schedules/{schedule}/run", Permission.JOBS_WRITE, status=202)
def run_schedule(call: Call, schedule: str) -> Started:
    """Do it now; its next time stays."""
    call.need(Permission.JOBS_WRITE, None)
    with call.service.database.write() as connection:
        _entry(connection, schedule)
        job = clock.run_now(connection, call.service.queue, schedule)
        _note(call, connection, "schedule.run", schedule, {"job": str(job or "")})
    return Started(job)


def _entry(connection: sa.Connection, name: str) -> ScheduleRow:
    for each in clock.entries(connection):
        if each.name == name:
            return each
    raise not_found("this schedule")
