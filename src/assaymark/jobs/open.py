"""From a database to the queue that lives in it."""

from __future__ import annotations

from assaymark.errors import EngineMissing
from assaymark.jobs.job import Terms, WorkQueue, clock
from assaymark.jobs.journal import Journal
from assaymark.store.database import Database


def open_queue(database: Database, terms: Terms | None = None) -> WorkQueue:
    """The journal on SQLite, Procrastinate on PostgreSQL.

    Raises:
        EngineMissing: when Procrastinate is needed and not installed.
    """
    if database.is_sqlite:
        return Journal(database, terms)
    try:
        from assaymark.jobs.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 - only PostgreSQL pays for it
    except ModuleNotFoundError as error:
        raise EngineMissing("Procrastinate is not installed", why=str(error), advice="pip install 'assaymark[server,postgres]'") from error
    return ProcrastinateQueue(database, terms)


def prepare(database: Database) -> None:
    """Bring the queue's own tables up, after `store.migrations.apply.migrate`; several may do it at once."""
    if not database.is_sqlite:
        from assaymark.jobs import procrastinate_schema  # noqa: PLC0415 - only PostgreSQL pays for it

        procrastinate_schema.apply(database, clock())
