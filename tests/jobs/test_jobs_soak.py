"""Two workers are killed at random while pushes arrive, and the database goes away in the middle: every push ends exactly once.

Here a judgement is a pause, so that the queue and the workers are what is tested; `tests/server/test_pushes_soak.py` has the real one.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from tests.jobs.soaking import Fleet, settle, shaky_database, size, storm

from assaymark.jobs.job import Job, JobState, WorkQueue
from assaymark.jobs.open import open_queue
from assaymark.jobs.worker import Pace
from assaymark.model.assessment import AssessmentState
from assaymark.store.database import Database
from assaymark.store.tables import assessment, connection, delivery, setting, subject

PROGRAM = Path(__file__).with_name("jobs_soak_worker.py")
SIZE = size(12, 60)
PACE = Pace(lease=2.0, beat=0.2, grace=1.0, longest_pause=0.5)
SUBJECTS = 20


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


def fill(database: Database) -> None:
    with database.write() as link:
        link.execute(connection.insert(), {"id": 1, "kind": "git", "name": "forge", "created_at": 0})
        rows = [{"id": n, "kind": "branch", "key": str(n), "name": "n", "created_at": 0} for n in range(1, SUBJECTS + 1)]
        link.execute(subject.insert(), rows)


def ended(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(assessment).where(assessment.c.finished_at.is_not(None))
    with database.read() as link:
        return int(link.execute(query).scalar_one())


@pytest.mark.timeout(SIZE.seconds * 3 + 240)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_push_ends_exactly_once_whoever_is_killed(kind: str, tmp_path: Path) -> None:
    with shaky_database(kind, tmp_path) as (url, outage):
        database = Database(url)
        queue = open_queue(database)
        fill(database)
        pace = msgspec.json.encode(PACE).decode()
        fleet = Fleet([sys.executable, str(PROGRAM), database.url.render_as_string(hide_password=False), pace], tmp_path / "log")
        try:
            storm(SIZE, lambda number: push(database, queue, number), fleet, outage)
            settle(lambda: ended(database) == SIZE.pushes, fleet, 120)
        finally:
            fleet.close()
        with database.read() as link:
            states = Counter(link.execute(sa.select(assessment.c.state)).scalars())
            names = link.execute(sa.select(setting.c.name).where(setting.c.name.like("end.%"))).scalars()
            ends = Counter(name.split(".")[1] for name in names)
            left = queue.rows(link, JobState.RUNNING, before=None, limit=10)
            attempts = Counter(row.attempts for row in queue.rows(link, JobState.DONE, before=None, limit=1000))
        database.close()
    sys.stdout.write(f"{kind}: {SIZE.pushes} pushes, {dict(states)}, kills {dict(fleet.kills)}, attempts {dict(attempts)}\n")
    assert fleet.kills.total() >= min(SIZE.seconds / 6, 50)
    assert states[AssessmentState.PASS] + states[AssessmentState.UNPROVEN] == SIZE.pushes, (tmp_path / "log").read_text()[-3000:]
    assert len(ends) == SIZE.pushes
    assert set(ends.values()) == {1}
    assert left == []
