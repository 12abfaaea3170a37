from __future__ import annotations

import random
import threading
import time

import pytest
import sqlalchemy as sa

from assaymark.jobs import clock
from assaymark.jobs.clock import Clock, Schedule
from assaymark.jobs.job import Job, WorkQueue
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database
from assaymark.store.tables import schedule

DAILY = Schedule("advisories", "update", 86400, {"whole": False})
T = Instant(1_700_000_000 * SECOND)
CHANCE = random.Random(1)


def ensure(database: Database, *defaults: Schedule, at: Instant = T) -> None:
    with database.write() as connection:
        clock.ensure(connection, defaults, at, CHANCE)


def tick(database: Database, queue: WorkQueue, at: float) -> list[str]:
    with database.write() as connection:
        return clock.tick(connection, queue, Instant(int(at)), CHANCE)


def entry(database: Database) -> clock.ScheduleRow:
    with database.read() as connection:
        return clock.entries(connection)[0]


def waiting(database: Database, queue: WorkQueue) -> int:
    with database.read() as connection:
        return queue.waiting(connection, most=100)


def test_a_due_entry_becomes_a_job_once(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    assert entry(database).due_at - T < 121 * SECOND
    at = entry(database).due_at
    assert tick(database, queue, at - 1) == []
    assert tick(database, queue, at) == ["advisories"]
    assert tick(database, queue, at) == []
    claim = queue.claim(queue.enter(), scheduled=True)
    assert claim is not None
    assert (claim.job.kind, claim.job.arguments) == ("update", {"whole": False})


def test_the_next_time_is_about_an_interval_later(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    at = entry(database).due_at
    tick(database, queue, at)
    after = entry(database)
    assert after.ran_at == at
    assert 0.95 * 86400 <= (after.due_at - at) / SECOND <= 1.05 * 86400


def test_what_was_missed_is_done_once(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    late = entry(database).due_at + 30 * 86400 * SECOND
    assert tick(database, queue, late) == ["advisories"]
    assert tick(database, queue, late) == []
    assert entry(database).due_at > late
    assert waiting(database, queue) == 1


def test_while_its_last_job_waits_no_second_one_is_put(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    for days in (1, 3, 5):
        tick(database, queue, T + days * 86400 * SECOND)
    assert waiting(database, queue) == 1


def test_of_many_clocks_one_fires(database: Database, queue: WorkQueue) -> None:
    ensure(database, *(Schedule(f"s{number}", "update", 3600) for number in range(5)))
    fired: list[str] = []
    begin = threading.Barrier(6)

    def look() -> None:
        begin.wait()
        fired.extend(tick(database, queue, T + 200 * SECOND))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fired) == [f"s{number}" for number in range(5)]
    assert waiting(database, queue) == 5


def test_an_entry_is_not_fired_when_its_job_is_not_committed(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    before = entry(database)
    with pytest.raises(KeyError), database.write() as connection:
        clock.run_now(connection, queue, "nothing")
    assert entry(database) == before
    assert waiting(database, queue) == 0


def test_a_persons_interval_outlives_a_release_and_a_releases_does_not(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    ensure(database, Schedule("advisories", "update", 43200))
    assert (entry(database).every_seconds, entry(database).source) == (43200, "default")
    with database.write() as connection:
        clock.change(connection, "advisories", 7200, T)
    ensure(database, DAILY)
    changed = entry(database)
    assert (changed.every_seconds, changed.source, changed.due_at) == (7200, "person", T + 7200 * SECOND)


def test_an_interval_that_is_too_short_is_refused(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    with pytest.raises(ValueError, match="too often"), database.write() as connection:
        clock.change(connection, "advisories", 5, T)
    assert entry(database).every_seconds == 86400


def test_now_goes_before_what_a_clock_asked_for(database: Database, queue: WorkQueue) -> None:
    ensure(database, DAILY)
    with database.write() as connection:
        assert clock.run_now(connection, queue, "advisories") is not None
        assert clock.run_now(connection, queue, "advisories") is None
    claim = queue.claim(queue.enter())
    assert claim is not None
    assert claim.job.kind == "update"


def test_the_thread_adds_the_defaults_fires_them_and_reaps(database: Database, queue: WorkQueue) -> None:
    with database.write() as connection:
        queue.put(connection, Job("look", {}))
    assert queue.claim(queue.enter()) is not None
    hand = Clock(database, queue, lambda: Instant(time.time_ns() // 1000 + 3600 * SECOND), defaults=[DAILY], lease=0.5)
    with database.write() as connection:
        clock.ensure(connection, [DAILY], T, CHANCE)
    hand.start()
    end = time.monotonic() + 15
    while waiting(database, queue) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    hand.stop()
    assert not hand.is_alive()
    assert waiting(database, queue) == 2
    with database.read() as connection:
        assert connection.execute(sa.select(schedule.c.ran_at)).scalar() is not None


def test_the_thread_survives_that_its_connections_are_cut(database: Database, queue: WorkQueue) -> None:
    if database.is_sqlite:
        pytest.skip("a file has no connections to cut")
    ensure(database, DAILY)
    hand = Clock(database, queue, lambda: T, defaults=[DAILY], lease=0.5)
    hand.start()
    time.sleep(1.5)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with database.read() as connection:
        connection.exec_driver_sql(cut)
    with database.write() as connection:
        connection.execute(schedule.update().values(due_at=T))
    end = time.monotonic() + 20
    while waiting(database, queue) < 1 and time.monotonic() < end:
        time.sleep(0.05)
    hand.stop()
    assert waiting(database, queue) == 1
