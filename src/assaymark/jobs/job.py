"""What is to do, and the port of whoever keeps it until it is done.

Guarantees that every adapter keeps (one contract test runs on all): a job that was put in a transaction is there if and only if that
transaction was committed; of jobs with one key at most one waits; of jobs with one lock at most one runs; higher priority first, then older
first; a job whose worker died is given out again, at most `most_attempts` times, then it is dead and waits for a person; finishing twice is
refused, so that two workers that were given the same job cannot both say that they did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NewType, Protocol

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant

JobId = NewType("JobId", int)


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
    """Keeps jobs."""

    def put(self, connection: sa.Connection, job: Job) -> JobId | None:
        """Add within the caller's transaction; None when one with that key waits already."""
        ...

    def cancel(self, connection: sa.Connection, key: str) -> bool:
        """Cancel what waits with this key, ask what runs with it to stop; False when there is none."""
        ...

    def rows(self, connection: sa.Connection, state: JobState, *, before: JobId | None, limit: int) -> Sequence[JobRow]:
        """Newest first."""
        ...

    def replay(self, connection: sa.Connection, job: JobId) -> bool:
        """Let a dead job wait again with all its attempts; False when it is not dead."""
        ...

    def waiting(self, connection: sa.Connection, *, most: int) -> int:
        """How many wait, counted up to `most`."""
        ...
