"""A connection that listens for Procrastinate's notifications.

It may break at any time (a restart, a pooler that does not pass notifications): who listens asks every now and then as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from assaymark.jobs.job import QueueUnreachable
from assaymark.store.database import Database

_CHANNEL = "procrastinate_any_queue_v1"


class Listener:
    """An open ear."""

    def __init__(self, link: psycopg.Connection) -> None:
        self._link = link

    def fileno(self) -> int | None:
        return self._link.fileno()

    def hush(self) -> None:
        """Take what came.

        Raises:
            QueueUnreachable: when the connection is gone.
        """
        try:
            for _ in self._link.notifies(timeout=0):
                pass
        except psycopg.Error as error:
            raise QueueUnreachable(str(error)) from error


@contextmanager
def listening(database: Database) -> Iterator[Listener]:
    """A connection of its own, outside the pool."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        link = psycopg.connect(url, autocommit=True, connect_timeout=10)
        link.execute(f"LISTEN {_CHANNEL}")
    except psycopg.Error as error:
        raise QueueUnreachable(str(error)) from error
    try:
        yield Listener(link)
    finally:
        link.close()
