"""One database, SQLite or PostgreSQL, behind two doors: `read` and `write`.

Guarantees: a block of `write` is one transaction that is committed when the block ends and taken back when it raises; on SQLite it is the
only writer from its first statement (``BEGIN IMMEDIATE``), so that nobody reads what he is about to overwrite. A block of `read` sees one
state of SQLite and each statement's latest state of PostgreSQL. Queries live in the modules beside this one, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from assaymark.errors import UsageError

BUSY_SECONDS = 30
"""How long a writer waits for another one on SQLite."""
_POOL = 16
_WRITES = "assaymark_writes"


class Database:
    """An engine with its rules; make one per process, after a fork never use the parent's."""

    def __init__(self, url: str) -> None:
        """Open it; nothing is read before the first question.

        Raises:
            UsageError: when the URL is none, or of another kind of database.
        """
        self.url = _address(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = sa.create_engine(self.url, hide_parameters=True, **(_sqlite_options() if self.is_sqlite else _postgres_options()))
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for questions; what is written through it is taken back."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection for one transaction."""
        with self.engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _address(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise UsageError("the database's URL is none", advice="write postgresql://user@host/name or sqlite:////path/to/file") from error
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(f"{backend} is no database that can be used", advice="use PostgreSQL, or SQLite for one machine")
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made", why=error.strerror or str(error), advice="name a folder that may be written"
            ) from error
    return url.set(drivername="sqlite+pysqlite")


def _sqlite_options() -> dict[str, Any]:
    return {
        "connect_args": {"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
        "poolclass": sa.pool.QueuePool,
        "pool_size": _POOL,
        "max_overflow": 0,
    }


def _postgres_options() -> dict[str, Any]:
    return {
        "pool_size": _POOL,
        "max_overflow": _POOL,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "isolation_level": "READ COMMITTED",
        # A database that vanished (a cable, a machine) is noticed within seconds, not after the two hours of TCP.
        "connect_args": {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3},
    }


def _prepare_sqlite(link: Any, _record: Any) -> None:
    cursor = link.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536", "mmap_size = 268435456"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
