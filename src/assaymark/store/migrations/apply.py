"""Bring a database to the present schema, or tell how far it is."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from assaymark.errors import UsageError
from assaymark.store.database import Database

_LOCK = 0x6173736179  # an advisory lock of PostgreSQL: two servers that start at once migrate one after the other


def migrate(database: Database) -> str:
    """Apply what is missing; gives the revision that the schema has now.

    Raises:
        UsageError: when the database was written by a later release.
    """
    config = _config()
    newest = ScriptDirectory.from_config(config).get_current_head() or ""
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _refuse_later(connection, config)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest


def revision(database: Database) -> str:
    """The revision that the schema has; empty before the first."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def _refuse_later(connection: sa.Connection, config: Config) -> None:
    now = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if now and now not in known:
        raise UsageError(
            f"the database has schema {now}", why="this release does not know it", advice="run the release that wrote it, or a later one"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
