"""The clock: what is due by the table `schedule` becomes a job, once, however many processes look.

Guarantees: an entry and its job are written in one transaction, and whoever has the entry has it alone; what was missed while nobody looked
is done once, not as often as it was missed; while the last job of an entry waits, no second one is put beside it; a person's interval is
not overwritten by a release's. The next time is a little earlier or later than the interval says, so that many installations, and many
entries of one, do not all come at the same moment.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from assaymark.jobs.job import Job, JobId, Priority, Queue, QueueUnreachable, WorkQueue
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database
from assaymark.store.tables import schedule as table

JITTER = 0.05
"""Part of the interval by which the next time varies."""
SHORTEST = 60
"""Seconds; a shorter interval is somebody's mistake."""
_SOON = 120
"""A new entry is due within so many seconds."""
_log = structlog.get_logger("assaymark.clock")


class Schedule(Struct, frozen=True):
    """What is done again and again."""

    name: str
    kind: str
    """Of the job."""
    every_seconds: int
    arguments: dict[str, int | str | bool | None] = {}


class ScheduleRow(Struct, frozen=True):
    """An entry in a list."""

    id: int
    name: str
    kind: str
    every_seconds: int
    due_at: Instant
    ran_at: Instant | None
    source: str
    """``default`` as the release has it, ``person`` after somebody changed it."""


def ensure(connection: sa.Connection, defaults: Sequence[Schedule], at: Instant, chance: random.Random) -> None:
    """Add what is missing and bring unchanged entries to what this release says; entries of people stay."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for each in defaults:
        soon = Instant(at + int(chance.random() * min(_SOON, each.every_seconds) * SECOND))
        said = {"kind": each.kind, "arguments": msgspec.json.encode(each.arguments).decode(), "every_seconds": each.every_seconds}
        statement = insert(table).values(name=each.name, due_at=soon, source="default", **said)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=said, where=table.c.source == "default"))


def tick(connection: sa.Connection, queue: Queue, at: Instant, chance: random.Random) -> list[str]:
    """Put the jobs of what is due, in the caller's transaction; their names."""
    due = sa.select(table).where(table.c.due_at <= at).order_by(table.c.due_at).with_for_update(skip_locked=True)
    fired: list[str] = []
    for row in connection.execute(due).all():
        _fire(connection, queue, row)
        moved = row.every_seconds * (1 + JITTER * (2 * chance.random() - 1))
        connection.execute(table.update().where(table.c.id == row.id).values(due_at=at + int(moved * SECOND), ran_at=at))
        fired.append(row.name)
    return fired


def is_due(connection: sa.Connection, at: Instant) -> bool:
    """Whether a tick would do anything: a question that locks nothing."""
    return connection.execute(sa.select(table.c.id).where(table.c.due_at <= at).limit(1)).first() is not None


def run_now(connection: sa.Connection, queue: Queue, name: str) -> JobId | None:
    """Put the job of an entry at once, before what a clock asked for; None when it waits already. Raises `KeyError` for no such entry."""
    row = _named(connection, name)
    return queue.put(connection, _job(row, Priority.ADVISORY))


def change(connection: sa.Connection, name: str, every_seconds: int, at: Instant) -> None:
    """Another interval, counted from now. Raises `KeyError` for no such entry, `ValueError` for an interval that is too short."""
    if every_seconds < SHORTEST:
        raise ValueError(f"every {every_seconds} s is too often: {SHORTEST} s at least")
    row = _named(connection, name)
    changed = {"every_seconds": every_seconds, "due_at": at + every_seconds * SECOND, "source": "person"}
    connection.execute(table.update().where(table.c.id == row.id).values(**changed))


def entries(connection: sa.Connection) -> list[ScheduleRow]:
    """All, by name."""
    rows = connection.execute(sa.select(table).order_by(table.c.name))
    return [
        ScheduleRow(
            row.id,
            row.name,
            row.kind,
            row.every_seconds,
            Instant(row.due_at),
            None if row.ran_at is None else Instant(row.ran_at),
            row.source,
        )
        for row in rows
    ]


def _named(connection: sa.Connection, name: str) -> Any:
    row = connection.execute(sa.select(table).where(table.c.name == name).with_for_update()).first()
    if row is None:
        raise KeyError(name)
    return row


def _fire(connection: sa.Connection, queue: Queue, row: Any) -> None:
    if queue.put(connection, _job(row, Priority.SCHEDULE)) is None:
        _log.info("schedule skipped", name=row.name, why="its last job still waits")


def _job(row: Any, priority: int) -> Job:
    name = f"schedule:{row.name}"
    return Job(row.kind, msgspec.json.decode(row.arguments), key=name, lock=name, priority=priority, seconds=3600, most_attempts=3)


class Clock(threading.Thread):
    """Looks every second, until it is stopped; also ends the attempts of silent workers, which nothing else would if none is left."""

    def __init__(
        self, database: Database, queue: WorkQueue, now: Callable[[], Instant], *, defaults: Sequence[Schedule], lease: float
    ) -> None:
        super().__init__(name="clock", daemon=True)
        self._database, self._queue, self._now, self._defaults, self._lease = database, queue, now, defaults, lease
        self._chance = random.SystemRandom()
        self._stopped = threading.Event()
        self._pause = 1.0
        self._turns_to_reap = 0.0

    def stop(self) -> None:
        """Returns when it has."""
        self._stopped.set()
        self.join(10)

    def run(self) -> None:
        ensured = False
        while not self._stopped.wait(self._pause):
            try:
                if not ensured:
                    with self._database.write() as connection:
                        ensure(connection, self._defaults, self._now(), self._chance)
                    ensured = True
                self._look()
                self._pause = 1.0
            except (QueueUnreachable, DBAPIError) as error:
                self._pause = min(10.0, self._pause * 2)
                self._turns_to_reap = self._lease  # workers could not renew their leases either: they come first
                _log.warning("database unreachable", reason=str(error).partition("\n")[0], again_in=self._pause)

    def _look(self) -> None:
        at = self._now()
        with self._database.read() as connection:
            due = is_due(connection, at)
        if due:
            with self._database.write() as connection:
                fired = tick(connection, self._queue, at, self._chance)
            _log.info("schedules fired", names=fired)
        self._turns_to_reap -= self._pause
        if self._turns_to_reap <= 0:
            self._turns_to_reap = self._lease / 4
            self._queue.reap(self._lease * 1.25)
