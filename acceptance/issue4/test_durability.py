"""Two workers are killed at random for ten minutes while 500 pushes arrive, and the database goes away in the middle.

Every push ends in exactly one terminal verdict, none lost, none doubled; on SQLite and on PostgreSQL; with the server's own handlers over
real commits, and once more with a judgement that is a pause, so that the queue is under more kills per job.
``SOAK_SECONDS`` and ``SOAK_PUSHES`` make it shorter.
"""

from __future__ import annotations

import os

import pytest
from acceptance.harness import prove

SIZE = {"SOAK_SECONDS": os.environ.get("SOAK_SECONDS", "600"), "SOAK_PUSHES": os.environ.get("SOAK_PUSHES", "500")}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("work", ["tests/server/test_pushes_soak.py", "tests/jobs/test_jobs_soak.py"])
def test_every_push_ends_in_exactly_one_verdict(work: str, database: str) -> None:
    said = prove("-m", "soak or not soak", "-k", database, "-p", "no:randomly", "-s", work, **SIZE)
    print(said.splitlines()[0] if said else "")
    assert "1 passed" in said, f"NOT PROVED: {said[-500:]}"
