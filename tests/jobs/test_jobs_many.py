"""Several processes take from one queue."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter

from assaymark.jobs.job import Job, JobState, WorkQueue
from assaymark.store.database import Database

PROGRAM = """
import sys, time
from assaymark.jobs.open import open_queue
from assaymark.store.database import Database

queue = open_queue(Database(sys.argv[1]))
worker = queue.enter()
idle = 0
while idle < 20:
    claim = queue.claim(worker)
    if claim is None:
        idle += 1
        time.sleep(0.05)
        continue
    idle = 0
    print(claim.id, claim.attempt, claim.job.lock, time.time_ns(), end=" ")
    time.sleep(0.01)
    print(time.time_ns())
    assert queue.finish(claim)
"""
JOBS = 60


def test_each_job_is_given_out_once_and_of_a_lock_one_runs(database: Database, queue: WorkQueue) -> None:
    with database.write() as connection:
        made = [queue.put(connection, Job("look", {}, lock=f"l{number % 3}" if number % 2 else "")) for number in range(JOBS)]
    words = [sys.executable, "-c", PROGRAM, database.url.render_as_string(hide_password=False)]
    takers = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [taker.communicate(timeout=100) for taker in takers]
    assert [taker.returncode for taker in takers] == [0, 0, 0], said
    rows = [line.split(" ") for out, _ in said for line in out.splitlines()]
    assert Counter(int(row[0]) for row in rows) == dict.fromkeys(made, 1)
    assert {row[1] for row in rows} == {"1"}
    assert sum(bool(out) for out, _ in said) >= 2, "one process did everything: nothing was shown"
    for lock in ("l0", "l1", "l2"):
        spans = sorted((int(row[3]), int(row[4])) for row in rows if row[2] == lock)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    with database.read() as connection:
        assert len(queue.rows(connection, JobState.DONE, before=None, limit=JOBS + 1)) == JOBS
