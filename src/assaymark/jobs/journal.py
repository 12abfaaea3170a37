"""The queue of an installation on SQLite: one table, in the same database, so that work and its cause are committed together.

Each step of a worker is one ``BEGIN IMMEDIATE``: nobody else writes meanwhile, so what was read is still true when it is written.
For one machine; its workers look fifty times a second whether the file was changed at all, which costs some microseconds.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from assaymark.jobs.job import Bell, Claim, Held, Job, JobId, JobRow, JobState, Priority, QueueUnreachable, Terms, WorkerId, clock
from assaymark.jobs.patience import next_due
from assaymark.jobs.whereabouts import is_gone, own_name
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database
from assaymark.store.tables import job as table

MOST_ERROR = 4000
"""Characters of a reason that are kept."""
_BATCH = 1000
_LOOK_SECONDS = 0.5


class Journal:
    """Queue over the table `job`."""

    pause = 0.02

    def __init__(self, database: Database, terms: Terms | None = None, *, now: Callable[[], Instant] = clock) -> None:
        self._database = database
        self._terms = terms or Terms()
        self._now = now
        self._chance = random.SystemRandom()
        self._glance = Glance(database)

    # --- those who want something done -------------------------------------------------------------------------------

    def put(self, connection: sa.Connection, job: Job) -> JobId | None:
        now = self._now()
        row = {
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
        }
        made = connection.execute(insert(table).on_conflict_do_nothing().returning(table.c.id), row).scalar()
        return None if made is None else JobId(made)

    def cancel(self, connection: sa.Connection, key: str) -> bool:
        return bool(key) and self._cancel(connection, table.c.key == key)

    def cancel_job(self, connection: sa.Connection, job: JobId) -> bool:
        return self._cancel(connection, table.c.id == job)

    def _cancel(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> bool:
        ended = {"state": JobState.CANCELLED, "finished_at": self._now()}
        done = connection.execute(table.update().where(which, table.c.state == JobState.WAITING).values(**ended))
        asked = connection.execute(table.update().where(which, table.c.state == JobState.RUNNING).values(cancel=1))
        return bool(done.rowcount or asked.rowcount)

    def rows(self, connection: sa.Connection, state: JobState, *, before: JobId | None, limit: int) -> Sequence[JobRow]:
        query = sa.select(table).where(table.c.state == state).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        return [_row(row) for row in connection.execute(query)]

    def row(self, connection: sa.Connection, job: JobId) -> JobRow | None:
        found = connection.execute(sa.select(table).where(table.c.id == job)).first()
        return None if found is None else _row(found)

    def replay(self, connection: sa.Connection, job: JobId) -> bool:
        other = table.alias()
        waits = sa.exists().where(other.c.key == table.c.key, other.c.key != "", other.c.state == JobState.WAITING)
        again = {"state": JobState.WAITING, "attempts": 0, "error": "", "finished_at": None, "due_at": self._now(), "cancel": 0}
        done = connection.execute(table.update().where(table.c.id == job, table.c.state == JobState.DEAD, ~waits).values(**again))
        return bool(done.rowcount)

    def waiting(self, connection: sa.Connection, *, most: int) -> int:
        some = sa.select(table.c.id).where(table.c.state == JobState.WAITING).limit(most).subquery()
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())

    # --- workers -----------------------------------------------------------------------------------------------------

    def enter(self) -> WorkerId:
        return WorkerId(own_name())

    def leave(self, worker: WorkerId) -> None:
        self._glance.close()
        with self._transaction() as connection:
            self._disown(connection, worker, frozenset())

    def claim(self, worker: WorkerId, *, scheduled: bool = False) -> Claim | None:
        statement = _NEXT_SCHEDULED if scheduled else _NEXT
        with _reachable():
            if not self._glance.may_hold(scheduled=scheduled):
                return None
            with self._database.read() as connection:
                found = connection.execute(statement, self._terms_now()).first()
        if found is None:
            self._glance.held_nothing(scheduled=scheduled)
            return None
        with self._transaction() as connection:
            found = connection.execute(statement, self._terms_now()).first()
            if found is None:
                return None
            now = self._now()
            given = {"state": JobState.RUNNING, "worker": worker, "attempts": found.attempts + 1, "started_at": now, "alive_at": now}
            connection.execute(_GIVE, {"which": found.id, **given, "cancel": 0})
            return Claim(JobId(found.id), _job(found), found.attempts + 1, worker)

    def _terms_now(self) -> dict[str, int]:
        return {"now": self._now(), "most_scheduled": self._terms.most_scheduled}

    def alive(self, worker: WorkerId, known: frozenset[JobId]) -> Held:
        with self._transaction() as connection:
            self._disown(connection, worker, known)
            mine = (table.c.state == JobState.RUNNING, table.c.worker == worker)
            held = connection.execute(table.update().where(*mine).values(alive_at=self._now()).returning(table.c.id, table.c.cancel)).all()
        return Held(frozenset(JobId(row.id) for row in held), frozenset(JobId(row.id) for row in held if row.cancel))

    def finish(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            return self._end(connection, claim, JobState.DONE, "")

    def stop(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            return self._end(connection, claim, JobState.CANCELLED, "cancelled while it ran")

    def fail(self, claim: Claim, error: str) -> JobState | None:
        with self._transaction() as connection:
            row = connection.execute(sa.select(table).where(*_fence(claim))).first()
            return None if row is None else self._failed(connection, row, error)

    def give_back(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            row = connection.execute(sa.select(table).where(*_fence(claim))).first()
            if row is not None:
                self._again(connection, row, {"attempts": row.attempts - 1})
            return row is not None

    def reap(self, silent: float) -> int:
        """Also of those whose process is gone, since this is one machine: nobody waits for their leases to end."""
        running = sa.select(table).where(table.c.state == JobState.RUNNING)
        with _reachable(), self._database.read() as connection:
            if not self._gone(connection.execute(running).all(), silent):
                return 0
        with self._transaction() as connection:
            found = self._gone(connection.execute(running).all(), silent)
            for row, why in found:
                self._failed(connection, row, why)
        return len(found)

    def _gone(self, rows: Sequence[Any], silent: float) -> list[tuple[Any, str]]:
        """Whose attempts are over, and why."""
        since = self._now() - int(silent * SECOND)
        found = []
        for row in rows:
            if row.alive_at < since:
                found.append((row, f"the worker was silent for more than {silent:g} s"))
            elif is_gone(row.worker):
                found.append((row, "the worker was killed"))
        return found

    def clean(self, *, before: Instant, dead_before: Instant) -> int:
        bounds = {JobState.DONE: before, JobState.CANCELLED: before, JobState.DEAD: dead_before}
        removed = 0
        for state, bound in bounds.items():
            old = sa.select(table.c.id).where(table.c.state == state, table.c.finished_at < bound).order_by(table.c.id).limit(_BATCH)
            while True:
                with self._transaction() as connection:
                    count = connection.execute(table.delete().where(table.c.id.in_(old))).rowcount
                removed += count
                if count < _BATCH:
                    break
        return removed

    @contextmanager
    def bell(self) -> Iterator[Bell]:
        """None on SQLite: asking costs less than telling."""
        yield NoBell()

    # --- steps within a transaction ----------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with _reachable(), self._database.write() as connection:
            yield connection

    def _end(self, connection: sa.Connection, claim: Claim, state: JobState, error: str) -> bool:
        ended = {"state": state, "finished_at": self._now(), "error": error}
        return bool(connection.execute(table.update().where(*_fence(claim)).values(**ended)).rowcount)

    def _failed(self, connection: sa.Connection, row: Any, error: str) -> JobState:
        now = self._now()
        error = error[:MOST_ERROR]
        state = JobState.CANCELLED
        if not row.cancel:
            if row.attempts < row.most_attempts:
                return self._again(connection, row, {"error": error, "due_at": next_due(now, row.attempts, self._chance)})
            state = JobState.DEAD
            if row.kind in self._terms.wills:
                self.put(connection, will(self._terms.wills[row.kind], _job(row), error))
        connection.execute(table.update().where(table.c.id == row.id).values(state=state, finished_at=now, error=error))
        return state

    def _again(self, connection: sa.Connection, row: Any, values: dict[str, Any]) -> JobState:
        """It waits again, unless another with its key waits already and does the same, or it was cancelled."""
        waits = sa.select(table.c.id).where(table.c.key == row.key, table.c.key != "", table.c.state == JobState.WAITING)
        state = JobState.CANCELLED if row.cancel or connection.execute(waits).first() is not None else JobState.WAITING
        finished = None if state == JobState.WAITING else self._now()
        connection.execute(table.update().where(table.c.id == row.id).values(**values, state=state, worker="", finished_at=finished))
        return state

    def _disown(self, connection: sa.Connection, worker: WorkerId, known: frozenset[JobId]) -> None:
        held = connection.execute(sa.select(table).where(table.c.state == JobState.RUNNING, table.c.worker == worker)).all()
        for row in held:
            if row.id not in known:
                self._again(connection, row, {"attempts": row.attempts - 1})


def _next(*, scheduled: bool) -> sa.Select[Any]:
    other = table.alias()
    runs = sa.exists().where(other.c.lock == table.c.lock, other.c.state == JobState.RUNNING)
    query = sa.select(table).where(table.c.state == JobState.WAITING, table.c.due_at <= sa.bindparam("now"), (table.c.lock == "") | ~runs)
    if scheduled:
        run = sa.select(sa.func.count()).select_from(other)
        run = run.where(other.c.state == JobState.RUNNING, other.c.priority <= int(Priority.SCHEDULE))
        bound = run.scalar_subquery() < sa.bindparam("most_scheduled")
        query = query.where(table.c.priority <= int(Priority.SCHEDULE), bound)
    else:
        query = query.where(table.c.priority > int(Priority.SCHEDULE))
    return query.order_by(table.c.priority.desc(), table.c.id).limit(1)


_NEXT, _NEXT_SCHEDULED = _next(scheduled=False), _next(scheduled=True)
_GIVE = table.update().where(table.c.id == sa.bindparam("which"))


class Glance:
    """Whether there may be something new: the file's version, and every half second anyhow, since jobs also become due by time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._link: sa.Connection | None = None
        self._version = 0
        self._empty: dict[bool, tuple[int, float]] = {}

    def may_hold(self, *, scheduled: bool) -> bool:
        self._version = self._file_version()
        version, at = self._empty.get(scheduled, (-1, 0.0))
        return version != self._version or time.monotonic() - at >= _LOOK_SECONDS

    def held_nothing(self, *, scheduled: bool) -> None:
        """As of the version that was seen before the look."""
        self._empty[scheduled] = (self._version, time.monotonic())

    def close(self) -> None:
        if self._link is not None:
            self._link.close()

    def _file_version(self) -> int:
        if self._link is None or self._link.closed:
            self._empty.clear()  # each connection counts on its own
            self._link = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        raw: Any = self._link.connection.driver_connection
        return int(raw.execute("PRAGMA data_version").fetchone()[0])


class NoBell:
    """Where one has to ask."""

    def fileno(self) -> int | None:
        return None

    def hush(self) -> None:
        """It never rings."""


def will(kind: str, job: Job, error: str) -> Job:
    """What is left to do when a job was given up: short work, with patience of its own."""
    arguments = {**job.arguments, "error": error}
    return Job(kind, arguments, lock=job.lock, priority=max(int(job.priority), Priority.FEEDBACK), seconds=60, most_attempts=20)


def _fence(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    running = table.c.state == JobState.RUNNING
    return (table.c.id == claim.id, running, table.c.worker == claim.worker, table.c.attempts == claim.attempt)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:  # of what is asked past SQLAlchemy
        raise QueueUnreachable(str(error)) from error
    except DBAPIError as error:
        if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or error.connection_invalidated:
            raise QueueUnreachable(str(error.orig)) from error
        raise


def _job(row: Any) -> Job:
    return Job(
        kind=row.kind,
        arguments=msgspec.json.decode(row.arguments),
        key=row.key,
        lock=row.lock,
        priority=row.priority,
        seconds=row.seconds,
        most_attempts=row.most_attempts,
        due_at=Instant(row.due_at),
    )


def _row(row: Any) -> JobRow:
    finished = Instant(row.finished_at) if row.finished_at is not None else None
    return JobRow(JobId(row.id), _job(row), JobState(row.state), row.attempts, Instant(row.created_at), finished, row.error)
