"""Everything that a server keeps, from one database and storage into others: from one machine (SQLite, a folder) to many (PostgreSQL, S3).

Guarantees: nobody writes into the source meanwhile (the only right to write is held); a move that was cut off goes on where it stopped; it
is said to be done only when every table holds the same rows on both sides, by count and by a digest over all of them, and every content was
checked where it was read and where it went. A target that holds anything but half of a move from the same source is refused.
Not moved: jobs, which live in tables of the queue's own (`server.moving` puts those that wait), and files beside the database (the keys).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.digest import Digest
from assaymark.store import bulk
from assaymark.store.blobs import Blobs
from assaymark.store.database import Database
from assaymark.store.tables import audit_event, metadata, setting

_MARK = "store.moving"
_STAYS = frozenset({"job"})
_OWN = frozenset({_MARK, "procrastinate"})
"""Settings that a database holds about itself."""
_MASK = (1 << 256) - 1
Note = Callable[[str], None]
Tables = Sequence[sa.Table]


class Half(Struct):
    """How far a move has come; kept in the target until it is done."""

    source: str
    """Which installation it comes from."""
    done: dict[str, int] = {}
    """Table -> rows that are there already, in the order of the primary key."""


class Moved(Struct, frozen=True):
    """What came of it."""

    rows: dict[str, int]
    """Table -> rows."""
    blobs: int = 0
    skipped: int = 0
    """Contents that were there already."""


def tables() -> list[sa.Table]:
    """What is moved, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in _STAYS]


def move_rows(source: sa.Connection, target: Database, note: Note) -> Moved:
    """Copy every table, and compare; `source` holds the only right to write there until the caller ends its transaction.

    Raises:
        UsageError: when the target is not empty, or the source was changed since the first half of the move.
    """
    half = _begin(source, target)
    rows: dict[str, int] = {}
    for table in tables():
        rows[table.name] = _copy(source, target, table, half)
        note(f"  {table.name}: {rows[table.name]} rows")
    note("comparing")
    with target.read() as there:
        for table in tables():
            if fingerprint(source, table) != fingerprint(there, table):
                raise UsageError(
                    f"the table {table.name} is not the same on both sides",
                    why="the source was changed between two halves of this move",
                    advice="empty the target and move again",
                )
    return Moved(rows)


def finish(target: sa.Connection) -> None:
    """It is done; in one transaction with whatever else has to be there by then."""
    target.execute(setting.delete().where(setting.c.name == _MARK))


def move_blobs(source: Blobs, target: Blobs, note: Note) -> tuple[int, int]:
    """Copy all content; gives how many were copied and how many were there. Each is checked when it is read, and again by the target.

    Raises:
        SubjectUnreadable: when one was changed where it is kept, or did not arrive.
    """
    copied = there = 0
    with tempfile.TemporaryDirectory(prefix="assaymark-move-") as folder:
        draft = Path(folder) / "blob"
        for digest in source.every():
            if target.has(digest):
                there += 1
                continue
            source.get_file(digest, draft)
            if target.put_file(draft) != digest or not target.has(digest):
                raise SubjectUnreadable(f"{digest} did not arrive", advice="run the move again")
            copied += 1
            if copied % 1000 == 0:
                note(f"  {copied} contents")
    return copied, there


# --- how far it is ---------------------------------------------------------------------------------------------------


def _begin(source: sa.Connection, target: Database) -> Half:
    name = _identity(source)
    with target.write() as there:
        mark = there.execute(sa.select(setting.c.value).where(setting.c.name == _MARK)).scalar()
        if mark is not None:
            half = msgspec.json.decode(mark, type=Half)
            if half.source != name:
                raise UsageError("the target holds half of a move from another installation", advice="empty it and move again")
            return half
        for table in tables():
            query = sa.select(sa.literal(1)).select_from(table).limit(1)
            query = query.where(setting.c.name.not_in(_OWN)) if table is setting else query
            if there.execute(query).first() is not None:
                raise UsageError(
                    "the target is not empty", why=f"its table {table.name} holds rows", advice="name a database that no server has used"
                )
        half = Half(name)
        there.execute(setting.insert(), {"name": _MARK, "value": msgspec.json.encode(half).decode(), "changed_at": 0})
    return half


def _identity(source: sa.Connection) -> str:
    """By which a source is known again: its address, and the first entry of its trail."""
    first = sa.select(audit_event.c.digest).order_by(audit_event.c.id).limit(1)
    text = f"{source.engine.url.render_as_string(hide_password=True)}\0{source.execute(first).scalar() or ''}"
    return hashlib.sha256(text.encode()).hexdigest()


def _copy(source: sa.Connection, target: Database, table: sa.Table, half: Half) -> int:
    """In portions, each with the note of how far it is in one transaction."""
    done = half.done.get(table.name, 0)
    names = [column.name for column in table.columns]
    for portion in bulk.portions(_rows(source, table, done)):
        with target.write() as there:
            bulk.add(there, table, names, portion)
            done += len(portion)
            half.done[table.name] = done
            _mark(there, half)
    with target.write() as there:
        _count_on(there, table)
    return done


def _mark(there: sa.Connection, half: Half) -> None:
    there.execute(setting.update().where(setting.c.name == _MARK).values(value=msgspec.json.encode(half).decode()))


def _rows(source: sa.Connection, table: sa.Table, skipped: int) -> Iterator[tuple[Any, ...]]:
    query = sa.select(table).order_by(*table.primary_key.columns).offset(skipped)
    if table is setting:
        query = query.where(setting.c.name.not_in(_OWN))
    for row in source.execution_options(yield_per=bulk.PORTION).execute(query):
        yield tuple(row)


def _count_on(there: sa.Connection, table: sa.Table) -> None:
    """Numbers that the database gives from now on begin after those that came."""
    if there.dialect.name == "sqlite" or "id" not in table.c or table.c.id.autoincrement is not True:
        return
    highest = there.execute(sa.select(sa.func.max(table.c.id))).scalar()
    if highest is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        there.execute(sa.select(sa.func.setval(sequence, highest)))


def fingerprint(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """Rows, and a digest over all of them in whatever order they come: databases do not sort texts alike."""
    count = total = 0
    for row in _rows(connection, table, 0):
        data = msgspec.msgpack.encode([bytes(value) if isinstance(value, memoryview) else value for value in row])
        total = (total + int.from_bytes(hashlib.sha256(data).digest())) & _MASK
        count += 1
    return count, f"{total:064x}"


def referenced(connection: sa.Connection) -> Iterator[Digest]:
    """Content that rows of this database need."""
    for query in _REFERENCES:
        for row in connection.execution_options(yield_per=bulk.PORTION).execute(sa.text(query)):
            yield Digest(row[0])


_REFERENCES = (
    "SELECT verdict FROM assessment WHERE verdict <> ''",
    "SELECT grounds FROM assessment WHERE grounds <> ''",
    "SELECT grounds FROM subject WHERE grounds <> ''",
    "SELECT digest FROM package_set WHERE forgotten_at IS NULL",
    "SELECT digest FROM (SELECT digest FROM advisory_snapshot ORDER BY id DESC LIMIT 1) AS newest",
    "SELECT bundle FROM endorsement",
    "SELECT verdict FROM endorsement",
    "SELECT digest FROM evidence",
)
