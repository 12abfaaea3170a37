from __future__ import annotations

import pytest

from assaymark.jobs.job import Terms, WorkQueue
from assaymark.jobs.open import open_queue, prepare
from assaymark.store.database import Database


@pytest.fixture
def queue(database: Database) -> WorkQueue:
    """The queue of the database, with a will for jobs of kind `mortal` and room for one scheduled job."""
    prepare(database)
    return open_queue(database, Terms(wills={"mortal": "bury"}, most_scheduled=1))
