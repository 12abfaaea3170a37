"""Whether all that a server keeps is as it was written: the database's own structure, the trail's chain, every content by its digest.

Guarantees: nothing is changed. What it finds is said one by one, up to a bound, and counted. Content that no row needs (what a killed
worker left, or an older snapshot) is no defect: it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.digest import Digest
from assaymark.store import bulk
from assaymark.store.blobs import Blobs
from assaymark.store.database import Database
from assaymark.store.moving import referenced
from assaymark.store.tables import audit_event
from assaymark.store.trail import Action, chained

MOST_TOLD = 100
Note = Callable[[str], None]


class Verified(Struct):
    """What was found."""

    entries: int = 0
    """Of the trail."""
    needed: int = 0
    """Contents that rows need."""
    kept: int = 0
    """Contents that are there."""
    unneeded: int = 0
    """Of those, what no row needs."""
    defects: list[str] = []
    """Sentences, the first of them."""
    defect_count: int = 0

    def defect(self, sentence: str) -> None:
        self.defect_count += 1
        if len(self.defects) < MOST_TOLD:
            self.defects.append(sentence)


def verify(database: Database, blobs: Blobs, note: Note) -> Verified:
    """Look at everything once."""
    found = Verified()
    note("the database")
    with database.read() as connection:
        for sentence in _structure(connection):
            found.defect(sentence)
        note("the trail")
        _trail(connection, found)
        needed = frozenset(referenced(connection))
    note("the content")
    _content(blobs, needed, found)
    return found


def _structure(connection: sa.Connection) -> Iterator[str]:
    """What SQLite says of its own file; PostgreSQL has tools of its own for that (pg_amcheck, checksums)."""
    if connection.dialect.name != "sqlite":
        return
    for row in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
        if row[0] != "ok":
            yield f"the database is damaged: {row[0]}"
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there"


def _trail(connection: sa.Connection, found: Verified) -> None:
    previous = ""
    for row in connection.execution_options(yield_per=bulk.PORTION).execute(sa.select(audit_event).order_by(audit_event.c.id)):
        found.entries += 1
        if row.previous != previous:
            found.defect(f"entry {row.id} of the trail does not follow the one before it: something was taken out")
        try:
            is_as_written = chained(row.previous, _action(row)) == row.digest
        except UNDECODABLE:
            is_as_written = False
        if not is_as_written:
            found.defect(f"entry {row.id} of the trail was changed")
        previous = row.digest


def _action(row: Any) -> Action:
    return Action(
        at=row.at,
        actor=row.actor,
        action=row.action,
        outcome=row.outcome,
        person=row.person,
        object_kind=row.object_kind,
        object=row.object,
        team=row.team,
        origin=row.origin,
        details=msgspec.json.decode(row.details, type=dict[str, str]),
    )


def _content(blobs: Blobs, needed: frozenset[Digest], found: Verified) -> None:
    found.needed = len(needed)
    missing = set(needed)
    for digest in blobs.every():
        found.kept += 1
        missing.discard(digest)
        found.unneeded += digest not in needed
        try:
            blobs.get(digest)
        except SubjectUnreadable as error:
            found.defect(error.what)
    for digest in sorted(missing):
        found.defect(f"{digest} is needed and not there")
