"""Two workers are killed at random while pushes arrive, and the database goes away in the middle: every push ends exactly once.

``SOAK_SECONDS`` and ``SOAK_PUSHES`` make it longer (`acceptance/issue4/test_durability.py`: 600 and 500).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from tests.conftest import Cluster, _programs

from assaymark.jobs.job import Job, JobState, Terms, WorkQueue
from assaymark.jobs.open import open_queue, prepare
from assaymark.jobs.worker import Pace
from assaymark.model.assessment import AssessmentState
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import assessment, connection, delivery, setting, subject

PROGRAM = Path(__file__).with_name("jobs_soak_worker.py")
SECONDS = float(os.environ.get("SOAK_SECONDS", "12"))
PUSHES = int(os.environ.get("SOAK_PUSHES", "60"))
PACE = Pace(lease=2.0, beat=0.2, grace=1.0, longest_pause=0.5)
SUBJECTS = 20


class Fleet:
    """Two workers, which are started again when they die, as a supervisor does."""

    def __init__(self, url: str, log: Path) -> None:
        self._words = [sys.executable, str(PROGRAM), url, msgspec.json.encode(PACE).decode()]
        self._log = log
        self.kills: Counter[str] = Counter()
        self._workers = [self._start() for _ in range(2)]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)

    def strike(self, chance: random.Random) -> None:
        """Kill a worker, its runner, or both, where it is now."""
        place = chance.randrange(2)
        worker = self._workers[place]
        victim = chance.choice(["worker", "worker", "runner", "both", "nursery"])
        nursery = _children(worker.pid)
        runners = [child for each in nursery for child in _children(each)]
        victims = {"worker": [worker.pid], "runner": runners, "both": [worker.pid, *runners], "nursery": nursery}[victim]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[victim] += 1
        self.mend()

    def mend(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker.poll() is not None:
                _close(worker)
                self._workers[place] = self._start()

    def close(self) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(30)
            _close(worker)


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _close(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdin is not None:
        with suppress(OSError):
            worker.stdin.close()


def push(database: Database, queue: WorkQueue, number: int) -> None:
    """Accept a push as the server does, once per delivery, however often the forge sends it."""
    with database.write() as link:
        known = sa.select(delivery.c.id).where(delivery.c.connection == 1, delivery.c.delivery == str(number))
        if link.execute(known).first() is not None:
            return
        row = {"connection": 1, "delivery": str(number), "event": "push", "digest": "", "received_at": 0, "outcome": "accepted"}
        made = link.execute(delivery.insert().returning(delivery.c.id), row).scalar_one()
        row = {"subject": number % SUBJECTS + 1, "state": AssessmentState.QUEUED, "trigger": "push", "delivery": made, "queued_at": 0}
        which = link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one()
        job = Job("judge", {"assessment": which}, key=f"assess:{which}", lock=f"subject:{row['subject']}", seconds=30)
        assert queue.put(link, job) is not None


def push_until_taken(database: Database, queue: WorkQueue, number: int) -> None:
    """A forge sends a delivery again that was not answered."""
    for _ in range(200):
        try:
            push(database, queue, number)
        except DBAPIError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"push {number} was never taken")


Outage = Callable[[], None]


@pytest.fixture(params=["sqlite", "postgresql"])
def shaky(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Outage]]:
    """A database of its own, and how it goes away and comes back."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'assaymark.db'}"

        def locked() -> None:
            """There is no server to restart: somebody holds the file for longer than anybody is used to."""
            database = Database(url)
            with database.write():
                time.sleep(3)
            database.close()

        yield url, locked
        return
    programs = _programs()
    if programs is None:
        pytest.skip("NOT PROVED: PostgreSQL is not installed; do this: sudo apt-get install postgresql")
    cluster = Cluster(Path(f"/tmp/assaymark-pg-soak-{uuid.uuid4().hex[:8]}"), programs)
    cluster.start()

    def restarted() -> None:
        cluster.stop()
        time.sleep(1)
        cluster.rise()

    yield cluster.make(), restarted
    cluster.stop()
    shutil.rmtree(cluster.folder, ignore_errors=True)


def prepared(url: str) -> tuple[Database, WorkQueue]:
    database = Database(url)
    migrate(database)
    prepare(database)
    with database.write() as link:
        link.execute(connection.insert(), {"id": 1, "kind": "git", "name": "forge", "created_at": 0})
        rows = [{"id": n, "kind": "branch", "key": str(n), "name": "n", "created_at": 0} for n in range(1, SUBJECTS + 1)]
        link.execute(subject.insert(), rows)
    return database, open_queue(database, Terms())


def ended(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(assessment).where(assessment.c.finished_at.is_not(None))
    with database.read() as link:
        return int(link.execute(query).scalar_one())


def settle(database: Database, fleet: Fleet, seconds: float) -> None:
    """Until all has ended, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and ended(database) < PUSHES:
        fleet.mend()
        time.sleep(0.2)


@pytest.mark.timeout(SECONDS * 3 + 240)
def test_every_push_ends_exactly_once_whoever_is_killed(shaky: tuple[str, Outage], tmp_path: Path) -> None:
    url, outage = shaky
    database, queue = prepared(url)
    fleet = Fleet(database.url.render_as_string(hide_password=False), tmp_path / "log")
    chance = random.Random(4)
    begin = time.monotonic()
    outages = [threading.Timer(SECONDS / 2, outage)]
    for each in outages:
        each.start()
    try:
        next_strike = begin + 1.5
        for number in range(PUSHES):
            push_until_taken(database, queue, number)
            while (now := time.monotonic()) < begin + SECONDS * (number + 1) / PUSHES:
                if now > next_strike:
                    fleet.strike(chance)
                    next_strike = now + chance.uniform(0.5, 1.5) * max(1.5, SECONDS / 150)
                time.sleep(0.02)
        for each in outages:
            each.join()
        settle(database, fleet, 120)
    finally:
        fleet.close()
    said = (tmp_path / "log").read_text()
    with database.read() as link:
        states = Counter(link.execute(sa.select(assessment.c.state)).scalars())
        ends = Counter(name.split(".")[1] for name in link.execute(sa.select(setting.c.name).where(setting.c.name.like("end.%"))).scalars())
        left = queue.rows(link, JobState.RUNNING, before=None, limit=10)
        attempts = [row.attempts for row in queue.rows(link, JobState.DONE, before=None, limit=1000)]
    database.close()
    print(f"{url.partition(':')[0]}: {PUSHES} pushes, {dict(states)}, kills {dict(fleet.kills)}, attempts {dict(Counter(attempts))}")  # noqa: T201
    assert sum(fleet.kills.values()) >= SECONDS / 6
    assert sum(states[state] for state in (AssessmentState.PASS, AssessmentState.UNPROVEN)) == PUSHES, said[-3000:]
    assert len(ends) == PUSHES
    assert set(ends.values()) == {1}
    assert left == []
