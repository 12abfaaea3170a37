"""Checkpoints of the transparency log, the keys that sign them, and where they were pinned. Rows of checkpoints and pins only grow."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.tables import log_checkpoint, log_key, log_pin


class CheckpointRow(Struct, frozen=True):
    id: int
    size: int
    root: bytes
    at: Instant
    note: str
    """Signed."""


class LogKeyRow(Struct, frozen=True):
    """A key's public part."""

    id: int
    name: str
    """Origin of the log."""
    verifier: str
    """In one line (vkey)."""
    created_at: Instant
    ended_at: Instant | None


class PinRow(Struct, frozen=True):
    """One attempt to pin."""

    id: int
    at: Instant
    place: str
    size: int
    outcome: str
    """``pinned``, ``failed``, or ``differs`` when what lies there does not go on into this log."""
    detail: str


_checkpoint = tuple(log_checkpoint.c[name] for name in CheckpointRow.__struct_fields__)
_key = tuple(log_key.c[name] for name in LogKeyRow.__struct_fields__)
_pin = tuple(log_pin.c[name] for name in PinRow.__struct_fields__)


def newest(connection: sa.Connection) -> CheckpointRow | None:
    """The one over the most entries."""
    query = sa.select(*_checkpoint).order_by(log_checkpoint.c.size.desc(), log_checkpoint.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return _row(row) if row is not None else None


def add(connection: sa.Connection, row: CheckpointRow) -> None:
    connection.execute(log_checkpoint.insert(), {"size": row.size, "root": row.root, "at": row.at, "note": row.note})


def every(connection: sa.Connection) -> Iterator[CheckpointRow]:
    """By size."""
    query = sa.select(*_checkpoint).order_by(log_checkpoint.c.size, log_checkpoint.c.id)
    for row in connection.execution_options(yield_per=bulk.PORTION).execute(query):
        yield _row(row)


def _row(row: sa.Row[tuple[object, ...]]) -> CheckpointRow:
    values = row._asdict()
    return CheckpointRow(**values | {"root": bytes(values["root"])})


# --- keys ------------------------------------------------------------------------------------------------------------


def present_key(connection: sa.Connection) -> tuple[LogKeyRow, bytes] | None:
    """The one that signs now, with its sealed private part."""
    query = sa.select(*_key, log_key.c.sealed).where(log_key.c.ended_at.is_(None)).order_by(log_key.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return (LogKeyRow(*row[:5]), bytes(row.sealed)) if row is not None else None


def add_key(connection: sa.Connection, row: LogKeyRow, sealed: bytes) -> None:
    """Another one, which signs from now on; the one before has ended."""
    connection.execute(log_key.update().where(log_key.c.ended_at.is_(None)).values(ended_at=row.created_at))
    values = {"name": row.name, "verifier": row.verifier, "sealed": sealed, "created_at": row.created_at}
    connection.execute(log_key.insert(), values)


def keys(connection: sa.Connection) -> list[LogKeyRow]:
    """Newest first."""
    return [LogKeyRow(*row) for row in connection.execute(sa.select(*_key).order_by(log_key.c.id.desc()).limit(100))]


# --- pins ------------------------------------------------------------------------------------------------------------


def add_pin(connection: sa.Connection, row: PinRow) -> None:
    values = {"at": row.at, "place": row.place, "size": row.size, "outcome": row.outcome, "detail": row.detail}
    connection.execute(log_pin.insert(), values)


def pins(connection: sa.Connection, *, limit: int, before: int | None = None) -> list[PinRow]:
    """Newest first."""
    query = sa.select(*_pin).order_by(log_pin.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(log_pin.c.id < before)
    return [PinRow(*row) for row in connection.execute(query)]


def last_pin(connection: sa.Connection, place: str) -> PinRow | None:
    """The last attempt at a place."""
    row = connection.execute(sa.select(*_pin).where(log_pin.c.place == place).order_by(log_pin.c.id.desc()).limit(1)).first()
    return PinRow(*row) if row is not None else None
