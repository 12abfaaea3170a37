"""What is to do, and the port of whoever keeps it until it is done.

Guarantees that every adapter keeps (one contract test runs on all): a job that was put in a transaction is there if and only if that
transaction was committed; of jobs with one key at most one waits; of jobs with one lock at most one runs; higher priority first, then older
first; what is not due holds nothing back; a job whose worker died is given out again, at most `most_attempts` times, then it is dead, its
will is put in the same transaction, and it waits for a person; ending is by attempt, so that of two workers that were given the same job
only the later one can say what became of it.

Not guaranteed: that a handler runs once. Whatever was killed runs again, and a worker that was silent for longer than its lease may still
be running when another begins; what a handler writes, it writes in one transaction that asks whether it was done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import IntEnum, StrEnum
from typing import NewType, Protocol

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant

JobId = NewType("JobId", int)
WorkerId = NewType("WorkerId", str)
"""Made for each process that works, never a name that comes again (of a pod, of a machine): a lease must not be inherited."""


class QueueUnreachable(Exception):  # noqa: N818 - says what is the matter
    """The database does not answer now. Nothing is lost by asking again later: what was written, was; what was not, was not."""


def clock() -> Instant:
    """Now."""
    return Instant(time.time_ns() // 1000)


class Priority(IntEnum):
    """Who waits for it decides: what a client asked for goes before what a clock asked for."""

    CALL = 100
    """Somebody waits for the answer of this very request."""
    DEPLOYMENT = 90
    PUSH = 50
    FEEDBACK = 45
    INVENTORY = 40
    ADVISORY = 30
    SCHEDULE = 10


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """Given up after its attempts; replayed by a person."""
    CANCELLED = "cancelled"


class Job(Struct, frozen=True):
    """One piece of work."""

    kind: str
    """Name of the handler, e.g. ``assess``."""
    arguments: dict[str, int | str | bool | None]
    key: str = ""
    """While one waits with this key, another is not added."""
    lock: str = ""
    """Only one with this lock runs at a time, e.g. ``subject:17``."""
    priority: int = Priority.PUSH
    seconds: int = 600
    """Deadline of one attempt; the runner is killed at it."""
    most_attempts: int = 5
    due_at: Instant | None = None
    """Not before; None means now."""


class Claim(Struct, frozen=True):
    """A job that this worker was given."""

    id: JobId
    job: Job
    attempt: int
    """1 for the first."""
    worker: WorkerId

    @property
    def is_last(self) -> bool:
        return self.attempt >= self.job.most_attempts


class Held(Struct, frozen=True):
    """What a worker still holds, as the queue sees it."""

    jobs: frozenset[JobId]
    """What is missing was given to somebody else."""
    stopped: frozenset[JobId] = frozenset()
    """Somebody cancelled these."""


class Terms(Struct, frozen=True):
    """What an installation wants of its queue."""

    wills: Mapping[str, str] = {}
    """Kind -> kind of the job that is put when one of the first is given up: same arguments, and ``error`` says why."""
    most_scheduled: int = 2
    """So many jobs of priority `SCHEDULE` or less run at once, over all workers."""


class JobRow(Struct, frozen=True):
    """A job in a list."""

    id: JobId
    job: Job
    state: JobState
    attempts: int
    created_at: Instant
    finished_at: Instant | None
    error: str


class Queue(Protocol):
    """Keeps jobs: the side of those who want something done. Each call is part of the caller's transaction."""

    def put(self, connection: sa.Connection, job: Job) -> JobId | None:
        """Add within the caller's transaction; None when one with that key waits already."""
        ...

    def cancel(self, connection: sa.Connection, key: str) -> bool:
        """Cancel what waits with this key, ask what runs with it to stop; False when there is none."""
        ...

    def cancel_job(self, connection: sa.Connection, job: JobId) -> bool:
        """The same by number."""
        ...

    def rows(self, connection: sa.Connection, state: JobState, *, before: JobId | None, limit: int) -> Sequence[JobRow]:
        """Newest first."""
        ...

    def row(self, connection: sa.Connection, job: JobId) -> JobRow | None:
        """One; None when it is not there (any more)."""
        ...

    def replay(self, connection: sa.Connection, job: JobId) -> bool:
        """Let a dead job wait again with all its attempts; False when it is not dead, or when another with its key waits already."""
        ...

    def waiting(self, connection: sa.Connection, *, most: int) -> int:
        """How many wait, counted up to `most`."""
        ...


class Bell(Protocol):
    """Rings when there may be something to do, or to stop."""

    def fileno(self) -> int | None:
        """To be selected for reading; None when one has to ask every now and then."""
        ...

    def hush(self) -> None:
        """Take what rang, without waiting; raises `QueueUnreachable` when the bell is broken."""
        ...


class WorkQueue(Queue, Protocol):
    """Gives jobs out: the side of workers. Each call is a transaction of its own, and may raise `QueueUnreachable`."""

    pause: float
    """Seconds after which one asks again even if nothing rang."""

    def enter(self) -> WorkerId:
        """Begin to work."""
        ...

    def leave(self, worker: WorkerId) -> None:
        """End to work; what it still holds waits again, as if it had not been begun."""
        ...

    def claim(self, worker: WorkerId, *, scheduled: bool = False) -> Claim | None:
        """The next job that is due and whose lock is free; of priority `SCHEDULE` or less if and only if `scheduled`."""
        ...

    def alive(self, worker: WorkerId, known: frozenset[JobId]) -> Held:
        """Renew the lease on `known`; whatever else it holds (the answer to a claim was lost) waits again."""
        ...

    def finish(self, claim: Claim) -> bool:
        """It is done; False when this attempt does not hold it any more."""
        ...

    def fail(self, claim: Claim, error: str) -> JobState | None:
        """The attempt failed: it waits for the next one, or is dead. None when this attempt does not hold it any more."""
        ...

    def give_back(self, claim: Claim) -> bool:
        """It was begun in vain, through no fault of its own: it waits again and the attempt does not count."""
        ...

    def stop(self, claim: Claim) -> bool:
        """It was cancelled while it ran, and does not run any more."""
        ...

    def reap(self, silent: float) -> int:
        """End the attempts of workers that were silent for so many seconds, as if they had failed; how many."""
        ...

    def clean(self, *, before: Instant, dead_before: Instant) -> int:
        """Forget what was done or cancelled before then, and what was given up before then; how many."""
        ...

    def bell(self) -> AbstractContextManager[Bell]:
        """Listen."""
        ...
