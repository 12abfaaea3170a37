"""A server from one machine to many: rows, content and the jobs that wait, in an order that can be cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.jobs.job import Job, JobId, JobState, WorkQueue
from assaymark.jobs.open import open_queue, prepare
from assaymark.server.service import Service
from assaymark.store import moving
from assaymark.store.blobs import Blobs
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate

_AT_ONCE = 500
Note = Callable[[str], None]


class Went(Struct, frozen=True):
    """What was moved."""

    rows: int
    jobs: int
    dead_jobs: int
    """Given up; they stay where they are."""


def move_database(service: Service, to: str, note: Note) -> Went:
    """Everything that is in the database; the server is stopped.

    Raises:
        UsageError: when the target is the source, is not empty, or is no database.
    """
    target = Database(to)
    with closing(target):
        if target.url == service.database.url:
            raise UsageError("the target is the database itself", advice="name another one")
        migrate(target)
        prepare(target)
        with service.database.write() as source:
            moved = moving.move_rows(source, target, note)
            waiting = _jobs(service, source, (JobState.RUNNING, JobState.WAITING))
            dead = len(_jobs(service, source, (JobState.DEAD,)))
            queue: WorkQueue = open_queue(target)
            with target.write() as there:
                for job in waiting:
                    queue.put(there, job)
                moving.finish(there)
    return Went(sum(moved.rows.values()), len(waiting), dead)


def _jobs(service: Service, source: sa.Connection, states: tuple[JobState, ...]) -> list[Job]:
    """Oldest first, so that they wait in the order in which they did."""
    found: list[tuple[int, Job]] = []
    for state in states:
        before: JobId | None = None
        while rows := service.queue.rows(source, state, before=before, limit=_AT_ONCE):
            found += [(row.id, row.job) for row in rows]
            before = rows[-1].id
    return [job for _, job in sorted(found, key=lambda each: each[0])]


def move_content(service: Service, target: Blobs, note: Note) -> tuple[int, int]:
    """All content; gives how many were copied and how many were there."""
    return moving.move_blobs(service.blobs, target, note)
