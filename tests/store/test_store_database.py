from __future__ import annotations

import warnings

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from assaymark.errors import UsageError
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate, revision
from assaymark.store.tables import finding, metadata, occurrence, setting, subject
from assaymark.store.trail import Action, record


def _is_ours(_thing: object, name: str | None, *_: object) -> bool:
    """All but the queue's tables, which come from its library, and the index of words, which is made by statements of each dialect."""
    return not (name or "").startswith(("occurrence_text", "ix_occurrence_text", "procrastinate", "assaymark_jobs"))


def test_the_migrations_give_the_tables(database: Database) -> None:
    with database.read() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # indexes over expressions cannot be reflected on SQLite
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before = revision(database)
    assert migrate(database) == before


def test_a_schema_of_a_later_release_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UsageError, match="9999"):
        migrate(database)


def _write_and_fail(database: Database) -> None:
    with database.write() as connection:
        connection.execute(setting.insert(), {"name": "a", "value": "1", "changed_at": 0})
        raise KeyError


def test_a_block_that_raises_is_taken_back(database: Database) -> None:
    with pytest.raises(KeyError):
        _write_and_fail(database)
    with database.read() as connection:
        assert connection.execute(sa.select(setting).where(setting.c.name == "a")).all() == []


def test_what_a_reader_writes_is_taken_back(database: Database) -> None:
    with database.read() as connection:
        connection.execute(setting.insert(), {"name": "a", "value": "1", "changed_at": 0})
    with database.read() as connection:
        assert connection.execute(sa.select(setting).where(setting.c.name == "a")).all() == []


def _one_occurrence(database: Database, closed: int | None) -> None:
    with database.write() as connection:
        connection.execute(subject.insert(), {"id": 1, "kind": "host", "key": "h", "name": "h", "created_at": 0})
        row = {
            "id": 1,
            "fingerprint": "f",
            "kind": "code",
            "layer": "application",
            "rule_class": "c",
            "rule": "r",
            "title": "t",
            "core": "[]",
        }
        connection.execute(finding.insert(), row | {"first_seen_at": 0})
        row = {"id": 1, "finding": 1, "subject": 1, "kind": "code", "layer": "application", "rule_class": "c", "rule": "r", "severity": 3}
        row |= {"confidence": 2, "path": "p", "message": "m", "opened_at": 1, "closed_at": closed}
        connection.execute(occurrence.insert(), row)


def test_an_occurrence_ends_once(database: Database) -> None:
    _one_occurrence(database, None)
    with database.write() as connection:
        connection.execute(occurrence.update().values(closed_at=5))
    with pytest.raises(DBAPIError, match="cannot be changed"), database.write() as connection:
        connection.execute(occurrence.update().values(closed_at=6))


def test_an_occurrence_is_never_deleted(database: Database) -> None:
    _one_occurrence(database, 5)
    with pytest.raises(DBAPIError, match="cannot be changed"), database.write() as connection:
        connection.execute(occurrence.delete())


@pytest.mark.parametrize("words", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"])
def test_the_trail_only_grows(database: Database, words: str) -> None:
    with database.write() as connection:
        record(connection, Action(0, "me", "thing.done", "success"))  # type: ignore[arg-type]
    with pytest.raises(DBAPIError, match="cannot be changed"), database.write() as connection:
        connection.exec_driver_sql(words)


@pytest.mark.parametrize("url", ["mysql://a/b", "no url", "oracle://x"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Database(url)
