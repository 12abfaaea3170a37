"""The queue of an installation on PostgreSQL: Procrastinate's tables, functions and notifications.

Procrastinate defers, ends, retries, cancels, registers workers and tells that there is something to do; its own tools (shell, views) show
what lies there. Three things are ours, because its worker runs what it is given in its own process and trusts it:

* **ending is by attempt**: its functions end a job by its number, whoever asks; here the row is locked first, and has to be held by this
  worker in this attempt;
* **claiming**: its function lets a job that waits for its next attempt hold back every younger one of its lock; here what is not due holds
  nothing back, and scheduled work is bounded over all workers;
* **reaping**: it finds the jobs of silent workers, but nothing gives them out again.

What its table has no column for (deadline, attempts, reason) lies in `args` beside the handler's arguments. Instants are the database's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job as Deferred
from procrastinate.manager import JobManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from sqlalchemy.exc import DBAPIError, IntegrityError

from assaymark.jobs import procrastinate_statements as sql
from assaymark.jobs.job import Bell, Claim, Held, Job, JobId, JobRow, JobState, Priority, QueueUnreachable, Terms, WorkerId, clock
from assaymark.jobs.journal import MOST_ERROR, will
from assaymark.jobs.patience import pause
from assaymark.jobs.procrastinate_bell import listening
from assaymark.jobs.procrastinate_rows import STATUSES, given, job_of, row_of, when
from assaymark.model.assessment import Instant
from assaymark.store.database import Database

CLIENT, SCHEDULED = "client", "scheduled"
"""Names of the queues: what somebody waits for, and what a clock asked for."""
_TRIES = 5
_BATCH = 1000


class ProcrastinateQueue:
    """Queue over `procrastinate_jobs`."""

    pause = 1.0

    def __init__(self, database: Database, terms: Terms | None = None, *, now: Callable[[], Instant] = clock) -> None:
        self._database = database
        self._terms = terms or Terms()
        self._now = now
        self._chance = random.SystemRandom()
        self._manager = JobManager(SyncPsycopgConnector())  # never opened: it is handed the caller's connection each time

    # --- those who want something done -------------------------------------------------------------------------------

    def put(self, connection: sa.Connection, job: Job) -> JobId | None:
        deferred = Deferred(
            id=None,
            queue=SCHEDULED if job.priority <= Priority.SCHEDULE else CLIENT,
            lock=job.lock or None,
            queueing_lock=job.key or None,
            task_name=job.kind,
            priority=int(job.priority),
            task_kwargs=given(job, self._now()),
            scheduled_at=None if job.due_at is None else when(job.due_at),
        )
        raw = connection.connection.driver_connection
        try:
            with connection.begin_nested():  # a refused key must not end the caller's transaction
                made = self._manager.defer_job(deferred, connection=raw)
        except AlreadyEnqueued:
            return None
        if made.id is None:
            raise RuntimeError("a deferred job has no number")
        return JobId(made.id)

    def cancel(self, connection: sa.Connection, key: str) -> bool:
        found = connection.execute(sql.OF_KEY, {"key": key}).scalars().all() if key else []
        cancelled = [self.cancel_job(connection, JobId(job)) for job in found]
        return any(cancelled)

    def cancel_job(self, connection: sa.Connection, job: JobId) -> bool:
        if connection.execute(sql.CANCEL, {"id": job}).scalar() is None:
            return False
        connection.execute(sql.CANCELLED, {"id": job, "amended": {"finished_at": self._now()}})
        return True

    def rows(self, connection: sa.Connection, state: JobState, *, before: JobId | None, limit: int) -> Sequence[JobRow]:
        statuses = STATUSES[state]
        found = connection.execute(sql.ROWS, {"statuses": list(statuses), "before": before, "limit": limit})
        return [row_of(row) for row in found]

    def row(self, connection: sa.Connection, job: JobId) -> JobRow | None:
        found = connection.execute(sql.ROW, {"id": job}).first()
        return None if found is None else row_of(found)

    def replay(self, connection: sa.Connection, job: JobId) -> bool:
        if connection.execute(sql.LOCK_DEAD, {"id": job}).first() is None:
            return False
        try:
            with connection.begin_nested():
                connection.execute(sql.RETRY, {"id": job, "seconds": 0.0})
                connection.execute(sql.AMEND, {"id": job, "amended": {"error": "", "finished_at": None}, "attempts": 0})
        except IntegrityError:  # another with its key waits already
            return False
        return True

    def waiting(self, connection: sa.Connection, *, most: int) -> int:
        return int(connection.execute(sql.WAITING, {"most": most}).scalar_one())

    # --- workers -----------------------------------------------------------------------------------------------------

    def enter(self) -> WorkerId:
        with self._transaction() as connection:
            return WorkerId(str(connection.execute(sql.ENTER).scalar_one()))

    def leave(self, worker: WorkerId) -> None:
        with self._transaction() as connection:
            self._disown(connection, worker, frozenset())
            connection.execute(sql.LEAVE, {"worker": int(worker)})

    def claim(self, worker: WorkerId, *, scheduled: bool = False) -> Claim | None:
        for _ in range(_TRIES):
            try:
                with self._transaction() as connection:
                    return self._claim(connection, worker, scheduled=scheduled)
            except IntegrityError as error:
                if "worker_id" in str(error.orig):  # it was taken for dead and forgotten: the same number is entered again
                    with self._transaction() as connection:
                        connection.execute(sql.ALIVE, {"worker": int(worker)})
                # else another worker took a job of the same lock at the same moment
        return None

    def _claim(self, connection: sa.Connection, worker: WorkerId, *, scheduled: bool) -> Claim | None:
        if scheduled:
            if connection.execute(sql.ANY_SCHEDULED, {"queue": SCHEDULED}).first() is None:
                return None
            connection.execute(sql.LOCK_SCHEDULED)
            if connection.execute(sql.RUN_SCHEDULED, {"queue": SCHEDULED}).scalar_one() >= self._terms.most_scheduled:
                return None
        found = connection.execute(sql.CLAIM, {"queue": SCHEDULED if scheduled else CLIENT, "worker": int(worker)}).first()
        return None if found is None else Claim(JobId(found.id), job_of(found), found.attempts + 1, worker)

    def alive(self, worker: WorkerId, known: frozenset[JobId]) -> Held:
        with self._transaction() as connection:
            connection.execute(sql.ALIVE, {"worker": int(worker)})
            self._disown(connection, worker, known)
            held = connection.execute(sql.HELD, {"worker": int(worker)}).all()
        return Held(frozenset(JobId(row.id) for row in held), frozenset(JobId(row.id) for row in held if row.abort_requested))

    def finish(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            row = self._mine(connection, claim)
            if row is not None:
                self._end(connection, row, "succeeded", "")
                self._ring(connection, row)
            return row is not None

    def stop(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            row = self._mine(connection, claim)
            if row is not None:
                self._end(connection, row, "aborted", "cancelled while it ran")
                self._ring(connection, row)
            return row is not None

    def fail(self, claim: Claim, error: str) -> JobState | None:
        with self._transaction() as connection:
            row = self._mine(connection, claim)
            return None if row is None else self._failed(connection, row, error)

    def give_back(self, claim: Claim) -> bool:
        with self._transaction() as connection:
            row = self._mine(connection, claim)
            if row is not None:
                self._unbegun(connection, row)
            return row is not None

    def reap(self, silent: float) -> int:
        with self._transaction() as connection:
            rows = connection.execute(sql.SILENT, {"seconds": silent}).all()
            for row in rows:
                self._failed(connection, row, f"the worker was silent for more than {silent:g} s")
        with self._transaction() as connection:  # apart, since a worker that wakes locks its own row before those of its jobs
            connection.execute(sql.FORGET, {"seconds": silent})
        return len(rows)

    def clean(self, *, before: Instant, dead_before: Instant) -> int:
        removed = 0
        for statuses, bound in ((["succeeded", "cancelled", "aborted"], before), (["failed"], dead_before)):
            while True:
                with self._transaction() as connection:
                    count = connection.execute(sql.CLEAN, {"statuses": statuses, "before": when(bound), "most": _BATCH}).rowcount
                removed += count
                if count < _BATCH:
                    break
        return removed

    @contextmanager
    def bell(self) -> Iterator[Bell]:
        """Procrastinate's notification of a job that was put or is to be aborted."""
        with listening(self._database) as bell:
            yield bell

    # --- steps within a transaction ----------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._database.write() as connection:
                yield connection
        except DBAPIError as error:
            if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or error.connection_invalidated:
                raise QueueUnreachable(str(error.orig)) from error
            raise

    def _mine(self, connection: sa.Connection, claim: Claim) -> Any:
        fence = {"id": claim.id, "worker": int(claim.worker), "attempts": claim.attempt - 1}
        return connection.execute(sql.MINE, fence).first()

    def _end(self, connection: sa.Connection, row: Any, status: str, error: str) -> None:
        connection.execute(sql.FINISH, {"id": row.id, "status": status})
        connection.execute(sql.AMEND, {"id": row.id, "amended": {"error": error, "finished_at": self._now()}, "attempts": None})

    def _failed(self, connection: sa.Connection, row: Any, error: str) -> JobState:
        error = error[:MOST_ERROR]
        job = job_of(row)
        if row.abort_requested:
            self._end(connection, row, "aborted", error)
            state = JobState.CANCELLED
        elif row.attempts + 1 >= job.most_attempts:
            self._end(connection, row, "failed", error)
            state = JobState.DEAD
            if job.kind in self._terms.wills:
                self.put(connection, will(self._terms.wills[job.kind], job, error))
        else:
            state = self._again(connection, row, pause(row.attempts + 1, self._chance))
            connection.execute(sql.AMEND, {"id": row.id, "amended": {"error": error}, "attempts": None})
        self._ring(connection, row)
        return state

    def _again(self, connection: sa.Connection, row: Any, seconds: float) -> JobState:
        """It waits again, unless another with its key waits already and does the same."""
        try:
            with connection.begin_nested():
                connection.execute(sql.RETRY, {"id": row.id, "seconds": seconds})
        except IntegrityError:
            self._end(connection, row, "aborted", "")
            return JobState.CANCELLED
        return JobState.WAITING

    def _unbegun(self, connection: sa.Connection, row: Any) -> None:
        if row.abort_requested:
            self._end(connection, row, "aborted", "cancelled while it ran")
        elif self._again(connection, row, 0.0) == JobState.WAITING:
            connection.execute(sql.AMEND, {"id": row.id, "amended": {}, "attempts": row.attempts})
        self._ring(connection, row)

    def _ring(self, connection: sa.Connection, row: Any) -> None:
        """Its lock is free, or it waits again: nothing of Procrastinate's tells."""
        connection.execute(sql.RING, {"id": row.id})

    def _disown(self, connection: sa.Connection, worker: WorkerId, known: frozenset[JobId]) -> None:
        for row in connection.execute(sql.HELD, {"worker": int(worker)}).all():
            if row.id not in known:
                self._unbegun(connection, row)
