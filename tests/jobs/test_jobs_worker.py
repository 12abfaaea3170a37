"""A worker process from outside: what it does with jobs, and what becomes of them when it or its runner is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.jobs.job import Job, JobId, JobRow, JobState, Priority, WorkQueue
from assaymark.jobs.worker import Pace
from assaymark.store.database import Database
from assaymark.store.tables import setting

PROGRAM = Path(__file__).with_name("jobs_process.py")
PACE = Pace(lease=1.2, beat=0.1, grace=0.5, stopping=0.5, longest_pause=0.5)


class Workshop:
    """A database with its queue, and the worker processes that a test starts."""

    def __init__(self, database: Database, queue: WorkQueue, log: Path) -> None:
        self.database, self.queue, self.log = database, queue, log
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, *, slots: int = 1, pace: Pace = PACE) -> subprocess.Popen[bytes]:
        url = self.database.url.render_as_string(hide_password=False)
        with self.log.open("ab") as log:
            words = [sys.executable, str(PROGRAM), url, msgspec.json.encode(pace).decode(), str(slots)]
            made = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        self.workers.append(made)
        return made

    def put(self, kind: str, name: str, **more: Any) -> JobId:
        arguments = {"name": name, **more.pop("arguments", {})}
        with self.database.write() as connection:
            made = self.queue.put(connection, Job(kind, arguments, **more))
        assert made is not None
        return made

    def row(self, job: JobId) -> JobRow:
        with self.database.read() as connection:
            found = self.queue.row(connection, job)
        assert found is not None
        return found

    def notes(self, name: str) -> list[str]:
        query = sa.select(setting.c.value).where(setting.c.name.like(f"{name}.%")).order_by(setting.c.changed_at)
        with self.database.read() as connection:
            return [str(value) for value in connection.execute(query).scalars()]

    def until(self, claim: Callable[[], Any], *, seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := claim():
                return found
            time.sleep(0.02)
        pytest.fail(f"it did not come to it within {seconds} s; the log:\n{self.log.read_text()[-3000:]}")

    def ends(self, job: JobId, state: JobState = JobState.DONE) -> JobRow:
        self.until(lambda: self.row(job).state == state)
        return self.row(job)

    def begun(self, name: str) -> int:
        return int(self.until(lambda: self.notes(f"{name}.begun"))[-1])

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()


@pytest.fixture
def shop(database: Database, queue: WorkQueue, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(database, queue, tmp_path / "log")
    yield made
    made.close()


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_jobs_are_done_and_the_runner_stays_warm(shop: Workshop) -> None:
    shop.start()
    jobs = [shop.put("where", f"w{number}") for number in range(3)]
    for job in jobs:
        assert shop.ends(job).attempts == 1
    assert len({shop.notes(f"w{number}")[0] for number in range(3)}) == 1


def test_a_failure_is_told_with_its_reason_and_tried_again(shop: Workshop) -> None:
    job = shop.put("raising", "r", arguments={"times": 1})
    shop.start()
    shop.until(lambda: shop.row(job).error)
    assert shop.row(job).error == "ValueError: no good: r"
    assert shop.ends(job).attempts == 2
    assert shop.notes("r") == ["attempt 2"]


def test_the_reason_of_a_database_holds_no_statement(shop: Workshop) -> None:
    job = shop.put("statement", "s", most_attempts=1)
    shop.start()
    error = shop.ends(job, JobState.DEAD).error
    assert "nowhere" in error
    assert "a value that nobody should see" not in error


def test_a_kind_that_nobody_knows_dies_with_its_name(shop: Workshop) -> None:
    job = shop.put("unheard", "u", most_attempts=1)
    shop.start()
    assert "unheard" in shop.ends(job, JobState.DEAD).error


def test_the_last_attempt_knows_that_it_is(shop: Workshop) -> None:
    shop.start()
    shop.ends(shop.put("note", "n", most_attempts=1))
    assert shop.notes("n") == ["attempt 1 last"]


def test_a_crash_of_the_runner_is_one_attempt_with_its_reason(shop: Workshop) -> None:
    job = shop.put("crashing", "c")
    shop.start()
    shop.until(lambda: shop.row(job).error)
    assert "SIGKILL" in shop.row(job).error
    assert shop.ends(job).attempts == 2


def test_a_job_that_kills_its_runner_to_the_end_leaves_its_will(shop: Workshop) -> None:
    job = shop.put("mortal", "m", most_attempts=1)
    shop.start()
    assert "SIGKILL" in shop.ends(job, JobState.DEAD).error
    assert shop.until(lambda: shop.notes("m")) == ["attempt 1"]


def test_at_its_deadline_an_attempt_is_killed_and_others_go_on(shop: Workshop) -> None:
    job = shop.put("sleeping", "d", seconds=1, most_attempts=1)
    shop.start()
    runner = shop.begun("d")
    after = shop.put("where", "after")
    assert shop.ends(job, JobState.DEAD).error == "it was not done within 1 s"
    assert is_gone(runner)
    shop.ends(after)
    assert shop.notes("after") != [str(runner)]


def test_what_a_runner_started_is_killed_with_it(shop: Workshop) -> None:
    shop.put("family", "f", seconds=1, most_attempts=1)
    shop.start()
    child = shop.begun("f")
    shop.until(lambda: is_gone(child))


def test_what_is_cancelled_may_end_by_itself(shop: Workshop) -> None:
    job = shop.put("polite", "p", key="k")
    shop.start()
    shop.begun("p")
    with shop.database.write() as connection:
        assert shop.queue.cancel(connection, "k")
    assert shop.ends(job, JobState.CANCELLED).attempts == 1
    assert shop.notes("p")[-1] == "stopped"


def test_what_is_cancelled_and_does_not_end_is_killed(shop: Workshop) -> None:
    job = shop.put("sleeping", "s", key="k")
    shop.start()
    runner = shop.begun("s")
    with shop.database.write() as connection:
        shop.queue.cancel(connection, "k")
    shop.ends(job, JobState.CANCELLED)
    assert is_gone(runner)


def test_the_runners_output_goes_to_the_log(shop: Workshop) -> None:
    shop.start()
    shop.ends(shop.put("talking", "t"))
    shop.until(lambda: "a word to the log" in shop.log.read_text() and "and one past Python" in shop.log.read_text())


def test_a_runner_that_closes_its_output_does_not_keep_the_worker_busy(shop: Workshop) -> None:
    worker = shop.start()
    job = shop.put("hushing", "h", arguments={"tenths": 20})
    shop.begun("h")
    before = _processor_seconds(worker.pid)
    time.sleep(1)
    assert _processor_seconds(worker.pid) - before < 0.5
    shop.until(lambda: shop.row(job).state != JobState.RUNNING)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("victim", ["worker", "runner", "both"])
def test_after_a_kill_the_job_is_given_out_again_and_done_once(shop: Workshop, victim: str) -> None:
    first = shop.start()
    job = shop.put("sleeping", "k", arguments={"tenths": 5})
    runner = shop.begun("k")
    if victim in ("worker", "both"):
        first.kill()
    if victim in ("runner", "both"):
        os.kill(runner, signal.SIGKILL)
    shop.until(lambda: is_gone(runner))
    shop.start()
    assert shop.ends(job).attempts == 2
    assert [note for note in shop.notes("k") if note.startswith("attempt")] == ["attempt 2"]


def test_a_worker_that_was_frozen_does_not_end_what_another_has(shop: Workshop) -> None:
    frozen = shop.start()
    job = shop.put("sleeping", "z", arguments={"tenths": 20})
    runner = shop.begun("z")
    os.kill(frozen.pid, signal.SIGSTOP)
    shop.start()
    shop.until(lambda: shop.row(job).attempts == 2 and shop.row(job).state == JobState.RUNNING)
    os.kill(frozen.pid, signal.SIGCONT)
    assert shop.ends(job).attempts == 2
    shop.until(lambda: is_gone(runner) or "job was done elsewhere" in shop.log.read_text())
    assert shop.row(job).state == JobState.DONE


def test_told_to_stop_it_ends_what_it_can_within_its_grace(shop: Workshop) -> None:
    worker = shop.start(pace=msgspec.structs.replace(PACE, grace=10))
    job = shop.put("sleeping", "g", arguments={"tenths": 10})
    shop.begun("g")
    waits = shop.put("note", "later")
    worker.terminate()
    assert worker.wait(15) == 0
    assert shop.row(job).state == JobState.DONE
    assert shop.row(waits).state == JobState.WAITING


def test_told_to_stop_it_gives_back_what_takes_longer(shop: Workshop) -> None:
    worker = shop.start()
    job = shop.put("sleeping", "g", most_attempts=1)
    runner = shop.begun("g")
    worker.terminate()
    assert worker.wait(15) == 0
    assert is_gone(runner)
    given = shop.row(job)
    assert (given.state, given.attempts) == (JobState.WAITING, 0)


def test_it_stops_when_whoever_started_it_is_gone(shop: Workshop) -> None:
    worker = shop.start()
    shop.ends(shop.put("note", "n"))
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(15) == 0


def test_slots_work_side_by_side(shop: Workshop) -> None:
    shop.start(slots=2)
    for name in ("a", "b"):
        shop.put("sleeping", name, arguments={"tenths": 50})
    assert shop.begun("a") != shop.begun("b")


def test_scheduled_work_stands_in_nobodys_way(shop: Workshop) -> None:
    shop.start()
    shop.put("sleeping", "long", priority=Priority.SCHEDULE)
    shop.begun("long")
    shop.ends(shop.put("note", "short"))


def test_scheduled_work_is_nice(shop: Workshop) -> None:
    shop.start()
    shop.ends(shop.put("nice", "n", priority=Priority.SCHEDULE))
    assert int(shop.notes("n")[0]) >= 10


def test_when_the_nursery_is_killed_the_worker_ends_and_its_job_counts_an_attempt(shop: Workshop) -> None:
    worker = shop.start()
    job = shop.put("sleeping", "n")
    runner = shop.begun("n")
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert worker.wait(15) == 1
    shop.until(lambda: is_gone(runner))
    assert (shop.row(job).state, shop.row(job).attempts) == (JobState.WAITING, 1)
