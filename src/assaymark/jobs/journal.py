"""The queue of an installation on SQLite: one table, in the same database, so that work and its cause are committed together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from assaymark.jobs.job import Job, JobId, JobRow, JobState
from assaymark.model.assessment import Instant
from assaymark.store.database import Database
from assaymark.store.tables import job as table


class Journal:
    """Queue over the table `job`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, connection: sa.Connection, job: Job) -> JobId | None:
        now = time.time_ns() // 1000
        if job.key and connection.execute(sa.select(table.c.id).where(table.c.key == job.key, table.c.state == JobState.WAITING)).first():
            return None
        row = connection.execute(
            table.insert().returning(table.c.id),
            {
                "kind": job.kind,
                "arguments": msgspec.json.encode(job.arguments).decode(),
                "key": job.key,
                "lock": job.lock,
                "priority": int(job.priority),
                "most_attempts": job.most_attempts,
                "seconds": job.seconds,
                "state": JobState.WAITING,
                "due_at": now if job.due_at is None else job.due_at,
                "created_at": now,
            },
        ).one()
        return JobId(row.id)

    def cancel(self, connection: sa.Connection, key: str) -> bool:
        done = connection.execute(
            table.update()
            .where(table.c.key == key, table.c.state == JobState.WAITING)
            .values(state=JobState.CANCELLED, finished_at=time.time_ns() // 1000)
        )
        asked = connection.execute(table.update().where(table.c.key == key, table.c.state == JobState.RUNNING).values(cancel=1))
        return bool(done.rowcount or asked.rowcount)

    def rows(self, connection: sa.Connection, state: JobState, *, before: JobId | None, limit: int) -> Sequence[JobRow]:
        query = sa.select(table).where(table.c.state == state).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        return [_row(row) for row in connection.execute(query)]

    def replay(self, connection: sa.Connection, job: JobId) -> bool:
        done = connection.execute(
            table.update()
            .where(table.c.id == job, table.c.state == JobState.DEAD)
            .values(state=JobState.WAITING, attempts=0, error="", finished_at=None, due_at=time.time_ns() // 1000)
        )
        return bool(done.rowcount)

    def waiting(self, connection: sa.Connection, *, most: int) -> int:
        some = sa.select(table.c.id).where(table.c.state == JobState.WAITING).limit(most).subquery()
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _row(row: Any) -> JobRow:
    job = Job(
        kind=row.kind,
        arguments=msgspec.json.decode(row.arguments),
        key=row.key,
        lock=row.lock,
        priority=row.priority,
        seconds=row.seconds,
        most_attempts=row.most_attempts,
        due_at=Instant(row.due_at),
    )
    finished = Instant(row.finished_at) if row.finished_at is not None else None
    return JobRow(JobId(row.id), job, JobState(row.state), row.attempts, Instant(row.created_at), finished, row.error)
