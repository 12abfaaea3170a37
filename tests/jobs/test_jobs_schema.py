"""Procrastinate's tables: made, brought up from an older release, and by many servers at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from importlib import resources

import pytest
import sqlalchemy as sa
from tests.conftest import Cluster

from assaymark.errors import UsageError
from assaymark.jobs import procrastinate_schema as schema
from assaymark.jobs.job import Job
from assaymark.jobs.open import open_queue, prepare
from assaymark.model.assessment import Instant
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import setting

AT = Instant(1)


@pytest.fixture
def fresh(postgres: Cluster) -> Iterator[Callable[[], Database]]:
    """Makes databases with our tables and without Procrastinate's."""
    made: list[Database] = []

    def make() -> Database:
        name = f"t{uuid.uuid4().hex}"
        postgres.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        made.append(Database(postgres.url(name)))
        migrate(made[-1])
        return made[-1]

    yield make
    for database in made:
        database.close()
        postgres.ask(f"DROP DATABASE {database.url.database} WITH (FORCE)")


@pytest.fixture
def empty(fresh: Callable[[], Database]) -> Database:
    return fresh()


def shape(database: Database) -> dict[str, list[tuple[str, ...]]]:
    """Everything of Procrastinate's that is there; names and bodies of what does things, columns of tables."""
    questions = {
        "columns": "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name LIKE 'procrastinate%'",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'procrastinate%'",
        "functions": "SELECT proname, pg_get_function_identity_arguments(oid) FROM pg_proc WHERE proname LIKE 'procrastinate%'",
        "triggers": "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'procrastinate%'",
    }
    with database.read() as connection:
        return {name: sorted(tuple(map(str, row)) for row in connection.execute(sa.text(text))) for name, text in questions.items()}


def made_by_migrations(database: Database, until: str) -> str:
    """As an installation that began with an early release and stopped at `until`."""
    last = ""
    for file in schema.migrations():
        if file.name > until:
            break
        with database.write() as connection:
            schema.run(connection, file.read_text("utf-8"))
        last = file.name
    with database.write() as connection:
        connection.execute(setting.insert(), {"name": "procrastinate", "value": last, "changed_at": 0})
    return last


def test_it_is_made_once_and_says_of_which_release(empty: Database) -> None:
    newest = schema.migrations()[-1].name
    assert schema.apply(empty, AT) == newest
    before = shape(empty)
    assert schema.apply(empty, AT) == newest
    assert shape(empty) == before


@pytest.mark.parametrize("until", ["02.08", "03.00.00_02", "03.03"])
def test_an_older_release_is_brought_up_with_its_jobs(empty: Database, fresh: Callable[[], Database], until: str) -> None:
    made_by_migrations(empty, until)
    with empty.write() as connection:
        insertion = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('client', 'look', '{}') RETURNING id"
        kept = connection.execute(sa.text(insertion)).scalar_one()
    schema.apply(empty, AT)
    other = fresh()
    prepare(other)
    upgraded, new = shape(empty), shape(other)
    assert set(new["functions"]) <= set(upgraded["functions"])  # it leaves the versions that running workers of before may call
    for part in ("columns", "indexes", "triggers"):
        assert upgraded[part] == new[part]
    with empty.write() as connection:
        assert connection.execute(sa.text("SELECT status FROM procrastinate_jobs WHERE id = :id"), {"id": kept}).scalar_one() == "todo"
        assert open_queue(empty).put(connection, Job("look", {})) is not None


def test_servers_that_start_at_once_make_it_once(empty: Database) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        database = Database(empty.url.render_as_string(hide_password=False))
        try:
            prepare(database)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        database.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert shape(empty)["columns"]


def test_tables_of_a_later_release_are_refused(empty: Database) -> None:
    schema.apply(empty, AT)
    with empty.write() as connection:
        connection.execute(setting.update().where(setting.c.name == "procrastinate").values(value="99.00.00_01_later.sql"))
    with pytest.raises(UsageError, match="99"):
        schema.apply(empty, AT)


def test_tables_of_which_nobody_recorded_the_release_are_refused(empty: Database) -> None:
    with empty.write() as connection:
        schema.run(connection, resources.files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8"))
    with pytest.raises(UsageError, match="already"):
        schema.apply(empty, AT)
