"""Brings Procrastinate's tables up, and says which of its releases they are of, which it does not record itself.

Guarantees: servers that start at once apply each migration once; one that is cut off goes on where it stopped; tables of a later release
are refused. Our own indexes serve the lists and the claim; Procrastinate's own do not know them.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.store.database import Database
from assaymark.store.tables import setting

_NAME = "procrastinate"
_LOCK = 0x70726F63
_OURS = (
    "CREATE INDEX IF NOT EXISTS assaymark_jobs_state ON procrastinate_jobs (status, id)",
    "CREATE INDEX IF NOT EXISTS assaymark_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')",
)


def apply(database: Database, at: Instant) -> str:
    """Apply what is missing; the name of the newest migration that is applied now.

    Raises:
        UsageError: when the tables are of a later release, or nobody recorded of which.
    """
    while True:
        with database.write() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            name = _step(connection)
            if name is None:
                for statement in _OURS:
                    connection.exec_driver_sql(statement)
                return _recorded(connection) or ""
            row = {"value": name, "changed_at": at}
            insertion = insert(setting).values(name=_NAME, **row)
            connection.execute(insertion.on_conflict_do_update(index_elements=["name"], set_=row))


def migrations() -> list[Traversable]:
    """Those of the installed release, oldest first."""
    folder = resources.files("procrastinate.sql.migrations")
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def run(connection: sa.Connection, script: str) -> None:
    """Several statements at once, within the transaction of the connection."""
    raw: Any = connection.connection.driver_connection
    raw.execute(script)


def _step(connection: sa.Connection) -> str | None:
    """Apply the whole schema to an empty database, or the next migration to one that has it; None when there is nothing to do."""
    known = migrations()
    recorded = _recorded(connection)
    if recorded is None:
        if connection.execute(sa.text("SELECT to_regclass('procrastinate_jobs')")).scalar() is not None:
            advice = "use another database, or write the name of its newest migration into the table `setting` as `procrastinate`"
            raise UsageError("the database has Procrastinate's tables already", why="nobody recorded of which release", advice=advice)
        run(connection, resources.files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8"))
        return known[-1].name
    if recorded > known[-1].name:
        raise UsageError(
            f"the queue has schema {recorded}",
            why="this release does not know it",
            advice="install the release of procrastinate that wrote it",
        )
    missing = [file for file in known if file.name > recorded]
    if not missing:
        return None
    run(connection, missing[0].read_text("utf-8"))
    return missing[0].name


def _recorded(connection: sa.Connection) -> str | None:
    found = connection.execute(sa.select(setting.c.value).where(setting.c.name == _NAME)).scalar()
    return None if found is None else str(found)
