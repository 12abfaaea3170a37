"""From a database to the queue that lives in it."""

from __future__ import annotations

from assaymark.jobs.job import Queue
from assaymark.jobs.journal import Journal
from assaymark.store.database import Database


def open_queue(database: Database) -> Queue:
    """The journal on SQLite."""
    return Journal(database)
