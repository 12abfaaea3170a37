"""What every adapter of the queue keeps; each test runs on the journal and on Procrastinate."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from assaymark.jobs.job import Claim, Job, JobId, JobRow, JobState, Priority, WorkerId, WorkQueue
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database

HOUR = 3600 * SECOND


def now() -> Instant:
    return Instant(time.time_ns() // 1000)


@pytest.fixture
def worker(queue: WorkQueue) -> WorkerId:
    return queue.enter()


def put(database: Database, queue: WorkQueue, job: Job) -> JobId | None:
    with database.write() as connection:
        return queue.put(connection, job)


def certain(database: Database, queue: WorkQueue, job: Job) -> JobId:
    made = put(database, queue, job)
    assert made is not None
    return made


def taken(queue: WorkQueue, worker: WorkerId) -> Claim:
    claim = queue.claim(worker)
    assert claim is not None
    return claim


def row(database: Database, queue: WorkQueue, job: JobId) -> JobRow:
    with database.read() as connection:
        found = queue.row(connection, job)
    assert found is not None
    return found


def make_due(database: Database, job: JobId) -> None:
    """As if the pause after a failed attempt were over."""
    statement = f"UPDATE job SET due_at = 0 WHERE id = {job}"
    if not database.is_sqlite:
        statement = (
            f"UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 second' WHERE id = {job} AND scheduled_at IS NOT NULL"
        )
    with database.write() as connection:
        connection.exec_driver_sql(statement)


def put_and_fail(database: Database, queue: WorkQueue, job: Job) -> None:
    with database.write() as connection:
        queue.put(connection, job)
        raise KeyError


# --- putting ---------------------------------------------------------------------------------------------------------


def test_a_job_comes_out_as_it_was_put(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    given = Job(
        "look", {"number": 7, "text": "ä%s", "flag": True, "none": None}, key="k", lock="l", priority=51, seconds=9, most_attempts=3
    )
    made = certain(database, queue, given)
    claim = taken(queue, worker)
    assert (claim.id, claim.attempt, claim.worker) == (made, 1, worker)
    assert (claim.job.kind, claim.job.arguments, claim.job.key, claim.job.lock) == ("look", given.arguments, "k", "l")
    assert (claim.job.priority, claim.job.seconds, claim.job.most_attempts) == (51, 9, 3)


def test_a_job_is_there_if_and_only_if_its_cause_was_committed(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    with pytest.raises(KeyError):
        put_and_fail(database, queue, Job("look", {}))
    assert queue.claim(worker) is None


def test_nobody_sees_a_job_before_its_cause_is_committed(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    if database.is_sqlite:
        pytest.skip("a writer of SQLite keeps everybody out")
    with database.write() as connection:
        queue.put(connection, Job("look", {}))
        assert queue.claim(worker) is None
    assert queue.claim(worker) is not None


def test_of_one_key_one_waits(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    assert put(database, queue, Job("look", {"n": 1}, key="k")) is not None
    assert put(database, queue, Job("look", {"n": 2}, key="k")) is None
    assert put(database, queue, Job("look", {"n": 3}, key="other")) is not None
    assert taken(queue, worker).job.arguments == {"n": 1}
    assert put(database, queue, Job("look", {"n": 4}, key="k")) is not None


def test_a_refused_key_leaves_the_callers_transaction_alone(database: Database, queue: WorkQueue) -> None:
    put(database, queue, Job("look", {}, key="k"))
    with database.write() as connection:
        assert queue.put(connection, Job("look", {}, key="k")) is None
        assert queue.put(connection, Job("look", {}, key="k2")) is not None
    with database.read() as connection:
        assert queue.waiting(connection, most=10) == 2


def test_jobs_without_a_key_do_not_meet(database: Database, queue: WorkQueue) -> None:
    assert put(database, queue, Job("look", {})) != put(database, queue, Job("look", {}))


def test_one_of_many_that_put_one_key_at_once_is_there(database: Database, queue: WorkQueue) -> None:
    made: list[JobId | None] = []
    threads = [threading.Thread(target=lambda: made.append(put(database, queue, Job("look", {}, key="k")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([job for job in made if job is not None]) == 1


# --- order -----------------------------------------------------------------------------------------------------------


def test_higher_priority_first_then_older(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    for number, priority in enumerate((50, 90, 50, 100, 90)):
        put(database, queue, Job("look", {"n": number}, priority=priority))
    assert [taken(queue, worker).job.arguments["n"] for _ in range(5)] == [3, 1, 4, 0, 2]


def test_what_is_not_due_is_not_given_out(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    put(database, queue, Job("later", {}, due_at=Instant(now() + HOUR)))
    put(database, queue, Job("sooner", {}, due_at=Instant(now() - HOUR)))
    assert taken(queue, worker).job.kind == "sooner"
    assert queue.claim(worker) is None


def test_of_one_lock_one_runs(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    for number in range(3):
        put(database, queue, Job("look", {"n": number}, lock="l"))
    put(database, queue, Job("look", {"n": "free"}, lock="m", priority=20))
    first = taken(queue, worker)
    assert taken(queue, worker).job.arguments == {"n": "free"}
    assert queue.claim(worker) is None
    assert queue.finish(first)
    assert taken(queue, worker).job.arguments == {"n": 1}


def test_what_is_not_due_does_not_hold_its_lock(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    put(database, queue, Job("look", {"n": 1}, lock="l", priority=90))
    failed = taken(queue, worker)
    put(database, queue, Job("look", {"n": 2}, lock="l"))
    assert queue.fail(failed, "no") == JobState.WAITING
    assert taken(queue, worker).job.arguments == {"n": 2}


def test_scheduled_work_is_given_only_to_who_asks_for_it(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    put(database, queue, Job("clean", {}, priority=Priority.SCHEDULE))
    assert queue.claim(worker) is None
    put(database, queue, Job("look", {}))
    claim = queue.claim(worker, scheduled=True)
    assert claim is not None
    assert claim.job.kind == "clean"


def test_scheduled_work_is_bounded_and_client_work_is_not(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    for _ in range(2):
        put(database, queue, Job("clean", {}, priority=Priority.SCHEDULE))
        put(database, queue, Job("look", {}))
    first = queue.claim(worker, scheduled=True)
    assert first is not None
    assert queue.claim(queue.enter(), scheduled=True) is None
    assert taken(queue, worker).job.kind == taken(queue, worker).job.kind == "look"
    queue.finish(first)
    assert queue.claim(worker, scheduled=True) is not None


# --- ending ----------------------------------------------------------------------------------------------------------


def test_what_is_done_is_done_once(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    claim = taken(queue, worker)
    assert row(database, queue, made).state == JobState.RUNNING
    assert row(database, queue, made).attempts == 1
    assert queue.finish(claim)
    assert not queue.finish(claim)
    assert queue.fail(claim, "too late") is None
    assert not queue.stop(claim)
    assert not queue.give_back(claim)
    done = row(database, queue, made)
    assert (done.state, done.attempts, done.error) == (JobState.DONE, 1, "")
    assert done.finished_at is not None
    assert queue.claim(worker) is None


def test_a_failure_waits_longer_each_time_and_is_dead_after_the_last(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}, most_attempts=3))
    pauses = []
    for attempt in (1, 2):
        claim = taken(queue, worker)
        assert (claim.attempt, claim.is_last) == (attempt, False)
        before = now()
        assert queue.fail(claim, f"reason {attempt}") == JobState.WAITING
        waits = row(database, queue, made)
        assert (waits.state, waits.attempts, waits.error) == (JobState.WAITING, attempt, f"reason {attempt}")
        assert waits.job.due_at is not None
        pauses.append((waits.job.due_at - before) / SECOND)
        assert queue.claim(worker) is None
        make_due(database, made)
    assert 1 <= pauses[0] <= 2.5
    assert 2 <= pauses[1] <= 4.5
    claim = taken(queue, worker)
    assert claim.is_last
    assert queue.fail(claim, "reason 3") == JobState.DEAD
    dead = row(database, queue, made)
    assert (dead.state, dead.attempts, dead.error) == (JobState.DEAD, 3, "reason 3")
    assert queue.claim(worker) is None


def test_an_attempt_that_was_given_to_another_cannot_end_the_job(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    old = taken(queue, worker)
    assert queue.reap(-1) == 1
    make_due(database, made)
    new = taken(queue, worker)  # the same worker, the next attempt
    assert new.attempt == 2
    assert not queue.finish(old)
    assert queue.fail(old, "no") is None
    assert queue.finish(new)


def test_a_will_is_put_when_a_job_dies_and_only_then(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("mortal", {"n": 1}, lock="l", most_attempts=2))
    assert queue.fail(taken(queue, worker), "once") == JobState.WAITING
    assert queue.claim(worker) is None
    make_due(database, made)
    assert queue.fail(taken(queue, worker), "twice") == JobState.DEAD
    left = taken(queue, worker)
    assert (left.job.kind, left.job.arguments, left.job.lock) == ("bury", {"n": 1, "error": "twice"}, "l")


def test_what_is_given_back_waits_as_if_it_had_not_begun(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}, most_attempts=1))
    for _ in range(3):
        assert queue.give_back(taken(queue, worker))
        assert row(database, queue, made).attempts == 0
    assert taken(queue, worker).attempt == 1


@pytest.mark.parametrize("end", ["fail", "give_back", "reap"])
def test_a_job_whose_key_waits_again_is_not_doubled(database: Database, queue: WorkQueue, worker: WorkerId, end: str) -> None:
    made = certain(database, queue, Job("look", {"n": 1}, key="k"))
    claim = taken(queue, worker)
    put(database, queue, Job("look", {"n": 2}, key="k"))
    if end == "fail":
        assert queue.fail(claim, "no") == JobState.CANCELLED
    elif end == "give_back":
        queue.give_back(claim)
    else:
        queue.reap(-1)
    assert row(database, queue, made).state == JobState.CANCELLED
    assert taken(queue, worker).job.arguments == {"n": 2}
    assert queue.claim(worker) is None


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_silent_workers_job_is_given_out_again(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    taken(queue, worker)
    assert queue.reap(30) == 0
    time.sleep(0.15)
    assert queue.reap(0.1) == 1
    assert queue.reap(0.1) == 0
    waits = row(database, queue, made)
    assert (waits.state, waits.attempts) == (JobState.WAITING, 1)
    assert "silent" in waits.error


def test_a_worker_that_is_heard_keeps_its_job(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    claim = taken(queue, worker)
    time.sleep(0.3)
    held = queue.alive(worker, frozenset({made}))
    assert held.jobs == {made}
    assert queue.reap(0.25) == 0
    assert queue.finish(claim)


def test_a_worker_that_was_taken_for_dead_learns_it_and_works_on(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    taken(queue, worker)
    queue.reap(-1)
    assert queue.alive(worker, frozenset({made})).jobs == frozenset()
    make_due(database, made)
    assert taken(queue, worker).attempt == 2


def test_a_forgotten_worker_can_claim(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    assert queue.reap(-1) == 0
    put(database, queue, Job("look", {}))
    assert queue.finish(taken(queue, worker))


def test_a_claim_whose_answer_was_lost_waits_again(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    lost = certain(database, queue, Job("look", {}))
    taken(queue, worker)
    known = certain(database, queue, Job("look", {}))
    taken(queue, worker)
    assert queue.alive(worker, frozenset({known})).jobs == {known}
    assert row(database, queue, lost).state == JobState.WAITING
    assert taken(queue, worker).attempt == 1


def test_who_leaves_gives_back_what_he_holds(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}))
    taken(queue, worker)
    queue.leave(worker)
    assert row(database, queue, made).state == JobState.WAITING
    assert taken(queue, queue.enter()).attempt == 1


def test_a_job_that_kills_its_workers_dies_in_the_end(database: Database, queue: WorkQueue) -> None:
    made = certain(database, queue, Job("mortal", {}, most_attempts=2))
    for state in (JobState.WAITING, JobState.DEAD):
        taken(queue, queue.enter())
        assert queue.reap(-1) == 1
        assert row(database, queue, made).state == state
        make_due(database, made)
    assert taken(queue, queue.enter()).job.kind == "bury"


# --- cancelling, replaying, listing, cleaning ------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["key", "number"])
def test_what_waits_is_cancelled(database: Database, queue: WorkQueue, worker: WorkerId, by: str) -> None:
    made = certain(database, queue, Job("look", {}, key="k"))
    with database.write() as connection:
        assert queue.cancel(connection, "k") if by == "key" else queue.cancel_job(connection, made)
    assert queue.claim(worker) is None
    ended = row(database, queue, made)
    assert ended.state == JobState.CANCELLED
    assert ended.finished_at is not None
    with database.write() as connection:
        assert not queue.cancel(connection, "k")
        assert not queue.cancel_job(connection, made)


def test_no_key_cancels_nothing(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    put(database, queue, Job("look", {}))
    with database.write() as connection:
        assert not queue.cancel(connection, "")
    assert queue.claim(worker) is not None


def test_what_runs_is_asked_to_stop(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}, key="k"))
    claim = taken(queue, worker)
    assert queue.alive(worker, frozenset({made})).stopped == frozenset()
    with database.write() as connection:
        assert queue.cancel(connection, "k")
    assert queue.alive(worker, frozenset({made})).stopped == {made}
    assert queue.stop(claim)
    assert row(database, queue, made).state == JobState.CANCELLED


@pytest.mark.parametrize("end", ["fail", "give_back", "reap", "leave"])
def test_what_was_cancelled_does_not_come_back(database: Database, queue: WorkQueue, worker: WorkerId, end: str) -> None:
    made = certain(database, queue, Job("mortal", {}, key="k", most_attempts=1))
    claim = taken(queue, worker)
    with database.write() as connection:
        queue.cancel(connection, "k")
    if end == "fail":
        assert queue.fail(claim, "killed") == JobState.CANCELLED
    elif end == "give_back":
        queue.give_back(claim)
    elif end == "leave":
        queue.leave(worker)
    else:
        queue.reap(-1)
    assert row(database, queue, made).state == JobState.CANCELLED
    assert queue.claim(queue.enter()) is None


def test_the_dead_are_replayed_with_all_their_attempts(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {"n": 1}, most_attempts=1))
    with database.write() as connection:
        assert not queue.replay(connection, made)
    queue.fail(taken(queue, worker), "no")
    with database.write() as connection:
        assert queue.replay(connection, made)
        assert not queue.replay(connection, made)
    again = row(database, queue, made)
    assert (again.state, again.attempts, again.error, again.finished_at) == (JobState.WAITING, 0, "", None)
    claim = taken(queue, worker)
    assert (claim.id, claim.attempt, claim.job.arguments) == (made, 1, {"n": 1})


def test_nothing_is_replayed_beside_another_of_its_key(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = certain(database, queue, Job("look", {}, key="k", most_attempts=1))
    queue.fail(taken(queue, worker), "no")
    put(database, queue, Job("look", {}, key="k"))
    with database.write() as connection:
        assert not queue.replay(connection, made)
        assert queue.row(connection, made) is not None
    assert row(database, queue, made).state == JobState.DEAD


def test_rows_come_newest_first_page_by_page(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    made = [certain(database, queue, Job("look", {"n": number}, most_attempts=1)) for number in range(5)]
    for _ in made:
        queue.fail(taken(queue, worker), "no")
    put(database, queue, Job("look", {}))
    seen: list[JobId] = []
    before: JobId | None = None
    while True:
        with database.read() as connection:
            page = queue.rows(connection, JobState.DEAD, before=before, limit=2)
        if not page:
            break
        seen += [each.id for each in page]
        before = page[-1].id
    assert seen == made[::-1]


def test_waiting_is_counted_up_to_a_bound(database: Database, queue: WorkQueue) -> None:
    for _ in range(4):
        put(database, queue, Job("look", {}))
    with database.read() as connection:
        assert queue.waiting(connection, most=3) == 3
        assert queue.waiting(connection, most=10) == 4


def test_what_ended_long_ago_is_forgotten_and_the_dead_stay_longer(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    done, dead, waits = (certain(database, queue, Job("look", {}, most_attempts=1, priority=90 - number)) for number in range(3))
    queue.finish(taken(queue, worker))
    queue.fail(taken(queue, worker), "no")
    past, future = Instant(now() - HOUR), Instant(now() + HOUR)
    assert queue.clean(before=past, dead_before=past) == 0
    assert queue.clean(before=future, dead_before=past) == 1
    with database.read() as connection:
        assert queue.row(connection, done) is None
        assert queue.row(connection, dead) is not None
    assert queue.clean(before=future, dead_before=future) == 1
    assert row(database, queue, waits).state == JobState.WAITING


def test_the_bell_rings_for_what_is_put_and_for_what_is_cancelled(database: Database, queue: WorkQueue, worker: WorkerId) -> None:
    import select  # noqa: PLC0415

    with queue.bell() as bell:
        ear = bell.fileno()
        if ear is None:
            assert queue.pause <= 0.2
            return

        def rings() -> bool:
            heard = bool(select.select([ear], [], [], 2)[0])
            bell.hush()
            return heard

        made = certain(database, queue, Job("look", {}, lock="l"))
        assert rings()
        claim = taken(queue, worker)
        with database.write() as connection:
            queue.cancel_job(connection, made)
        assert rings()
        queue.finish(claim)
        assert rings()


def test_a_worker_that_left_and_came_back_sees_what_was_put_meanwhile(database: Database, queue: WorkQueue) -> None:
    for turn in range(20):
        worker = queue.enter()
        assert queue.claim(worker) is None
        queue.leave(worker)
        with contextlib.ExitStack() as taken:  # so that it comes back on another connection
            for _ in range(turn % 3):
                taken.enter_context(database.read())
            job = put(database, queue, Job("look", {}))
            worker = queue.enter()
            claim = queue.claim(worker)
        assert claim is not None
        assert claim.id == job
        assert queue.finish(claim)
        queue.leave(worker)
