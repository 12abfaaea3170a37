"""Answers to requests that carry an ``Idempotency-Key``: a request that is sent again is answered again, and not done again.

Guarantees: of requests with one key in one scope at one time one is done; the others learn that it runs. What did not succeed is forgotten,
so that it can be tried again. An answer is kept for a day.
Does not know: what the request does. A process that dies between the doing and the keeping leaves a mark that is taken over after
`STALE`; whoever repeats the request after that does it again.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError

from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database
from assaymark.store.tables import remembered_answer as table

KEPT = 24 * 3600 * SECOND
STALE = 15 * 60 * SECOND
_RUNS = 0
"""Status of a request that is being done."""
_MOST_SWEPT = 500


class Request(Struct, frozen=True):
    """What is asked once."""

    scope: str
    """Who asks."""
    key: str
    digest: str
    """Of method, path, query and document."""


class Remembered(Struct, frozen=True):
    """What was answered, or that it still runs."""

    digest: str
    status: int
    headers: str
    body: bytes

    @property
    def runs(self) -> bool:
        return self.status == _RUNS


def begin(database: Database, request: Request, now: Instant) -> Remembered | None:
    """Mark the request as being done, and give None; or what is known of it already."""
    try:
        with database.write() as connection:
            _sweep(connection, now)
            known = _known(connection, request, now)
            if known is None:
                _mark(connection, request, now)
            return known
    except IntegrityError:  # PostgreSQL: somebody marked it since
        with database.read() as connection:
            return _known(connection, request, now) or Remembered(request.digest, _RUNS, "", b"")


def keep(database: Database, request: Request, *, status: int, headers: str, body: bytes) -> None:
    """Remember the answer."""
    with database.write() as connection:
        connection.execute(table.update().where(*_which(request)).values(status=status, headers=headers, body=body))


def forget(database: Database, request: Request) -> None:
    """It was not done."""
    with database.write() as connection:
        connection.execute(table.delete().where(*_which(request)))


def _which(request: Request) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.scope == request.scope, table.c.key == request.key


def _known(connection: sa.Connection, request: Request, now: Instant) -> Remembered | None:
    row = connection.execute(sa.select(table).where(*_which(request))).first()
    if row is None or row.created_at <= now - KEPT or (row.status == _RUNS and row.created_at <= now - STALE):
        return None
    return Remembered(row.request, row.status, row.headers, row.body)


def _mark(connection: sa.Connection, request: Request, now: Instant) -> None:
    # Only what is over: another one may have marked it since we looked, and then the insert says so.
    over = (table.c.created_at <= now - KEPT) | ((table.c.status == _RUNS) & (table.c.created_at <= now - STALE))
    connection.execute(table.delete().where(*_which(request), over))
    connection.execute(
        table.insert(),
        {
            "scope": request.scope,
            "key": request.key,
            "request": request.digest,
            "status": _RUNS,
            "headers": "{}",
            "body": b"",
            "created_at": now,
        },
    )


def _sweep(connection: sa.Connection, now: Instant) -> None:
    old = (
        sa.select(table.c.id)
        .where(table.c.created_at <= now - KEPT)
        .order_by(table.c.created_at)
        .limit(_MOST_SWEPT)
        .with_for_update(skip_locked=True)
    )
    connection.execute(table.delete().where(table.c.id.in_(old)))
