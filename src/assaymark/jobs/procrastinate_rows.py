"""Between a row of `procrastinate_jobs` and a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from assaymark.jobs.job import Job, JobId, JobRow, JobState
from assaymark.model.assessment import Instant

STATUSES: Mapping[JobState, tuple[str, ...]] = {
    JobState.WAITING: ("todo",),
    JobState.RUNNING: ("doing",),
    JobState.DONE: ("succeeded",),
    JobState.DEAD: ("failed",),
    JobState.CANCELLED: ("cancelled", "aborted"),
}
_STATES = {status: state for state, statuses in STATUSES.items() for status in statuses}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def when(instant: Instant) -> dt.datetime:
    """As PostgreSQL has it."""
    return _EPOCH + dt.timedelta(microseconds=instant)


def given(job: Job, at: Instant) -> dict[str, Any]:
    """The document that is kept in `args`."""
    return {
        "arguments": job.arguments,
        "seconds": job.seconds,
        "most_attempts": job.most_attempts,
        "created_at": at,
        "finished_at": None,
        "error": "",
    }


def job_of(row: Any) -> Job:
    due = None if row.scheduled_at is None else Instant((row.scheduled_at - _EPOCH) // dt.timedelta(microseconds=1))
    return Job(
        kind=row.task_name,
        arguments=row.args["arguments"],
        key=row.queueing_lock or "",
        lock=row.lock or "",
        priority=row.priority,
        seconds=row.args["seconds"],
        most_attempts=row.args["most_attempts"],
        due_at=due,
    )


def row_of(row: Any) -> JobRow:
    state = _STATES[row.status]
    attempts = row.attempts + (state == JobState.RUNNING)  # counted when the attempt ends
    finished = row.args["finished_at"]
    return JobRow(
        JobId(row.id),
        job_of(row),
        state,
        attempts,
        Instant(row.args["created_at"]),
        None if finished is None else Instant(finished),
        row.args["error"],
    )
