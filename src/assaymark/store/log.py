"""The transparency log in the database: lines are appended within the caller's transaction, and the whole tiles of the tree with them.

Guarantees: numbers have no gaps and follow the order in which transactions commit, on both databases: appending holds a lock until the
transaction ends (`trail.lock`), so append late in it. What was appended is never changed (`guards`), and the tree follows from the lines:
tiles are kept so that a proof reads a few rows, not all. What another hand did to the rows is found by `endorsement.log.audit`, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.log import entry, merkle, tiles
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.tiles import WIDTH, Kind, Tile
from assaymark.errors import SubjectUnreadable
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store import bulk, trail
from assaymark.store.tables import log_entry, log_subject, log_tile

_ENTRY = ("seq", "at", "type", "endorsement", "team", "line", "leaf")
_SUBJECT = ("digest", "seq")
_TILE = ("level", "number", "hashes", "root")


def append(connection: sa.Connection, entries: Iterable[Entry], *, team: TeamId | None = None) -> tuple[int, ...]:
    """Their numbers. `team` is whose they are: who may read them beside those who may read everything.

    Raises:
        UsageError: when one cannot be written (`entry.line`); nothing is appended then.
    """
    trail.lock(connection)
    start = size(connection)
    given = list(entries)
    lines = [entry.line(each, start + index) for index, each in enumerate(given)]
    leaves = merkle.leaf_hashes(lines)
    numbers = tuple(range(start, start + len(given)))
    rows = zip(numbers, given, lines, leaves, strict=True)
    bulk.add(
        connection, log_entry, _ENTRY,
        ((seq, each.at, each.type.value, each.endorsement, team, line.decode(), leaf) for seq, each, line, leaf in rows),
    )  # fmt: skip
    named = ((digest, seq) for seq, each in zip(numbers, given, strict=True) for digest in dict.fromkeys(each.subjects))
    bulk.add(connection, log_subject, _SUBJECT, named)
    _tile(connection, start, leaves)
    return numbers


def size(connection: sa.Connection) -> int:
    """How many lines there are."""
    last = connection.execute(sa.select(sa.func.max(log_entry.c.seq))).scalar()
    return 0 if last is None else int(last) + 1


def _tile(connection: sa.Connection, start: int, leaves: list[bytes]) -> None:
    """Keep the tiles that these leaves complete, on every level."""
    end, level, new = start + len(leaves), 0, leaves
    while (start // WIDTH) != (end // WIDTH):
        row = [*_hashes(connection, level, start // WIDTH * WIDTH, start), *new]
        first, roots, rows = start // WIDTH, [], []
        for index in range(end // WIDTH - first):
            part = row[index * WIDTH : (index + 1) * WIDTH]
            roots.append(tiles.root(part))
            rows.append((level, first + index, b"".join(part), roots[-1]))
        bulk.add(connection, log_tile, _TILE, rows)
        start, end, level, new = start // WIDTH, end // WIDTH, level + 1, roots


def _hashes(connection: sa.Connection, level: int, start: int, end: int) -> list[bytes]:
    """Hashes of a level from one number to before another, as rows have them."""
    if start == end:
        return []
    if level == 0:
        query = sa.select(log_entry.c.leaf).where(log_entry.c.seq >= start, log_entry.c.seq < end).order_by(log_entry.c.seq)
    else:
        query = (
            sa.select(log_tile.c.root)
            .where(log_tile.c.level == level - 1, log_tile.c.number >= start, log_tile.c.number < end)
            .order_by(log_tile.c.number)
        )
    found = [bytes(each) for each in connection.execute(query).scalars()]
    if len(found) != end - start:
        raise SubjectUnreadable(
            "the transparency log has a gap", why=f"{end - start} hashes of level {level} should begin at {start}, {len(found)} are there",
            advice="restore the database from a backup; `assay log verify` says where",
        )  # fmt: skip
    return found


# --- tiles -----------------------------------------------------------------------------------------------------------


def hashes(connection: sa.Connection, tile: Tile) -> bytes:
    """A tile of hashes.

    Raises:
        SubjectUnreadable: when rows are missing.
    """
    if tile.is_full:
        query = sa.select(log_tile.c.hashes).where(log_tile.c.level == tile.level, log_tile.c.number == tile.number)
        found = connection.execute(query).scalar()
        if found is not None:
            return bytes(found)
    start = tile.number * WIDTH
    return b"".join(_hashes(connection, tile.level, start, start + tile.width))


def bundle(connection: sa.Connection, tile: Tile) -> bytes:
    """A bundle of entries.

    Raises:
        SubjectUnreadable: when rows are missing.
    """
    start = tile.number * WIDTH
    found = list(lines(connection, start, start + tile.width))
    if len(found) != tile.width:
        raise SubjectUnreadable("the transparency log has a gap", why=f"{tile.width} lines should begin at {start}, {len(found)} are there")
    return tiles.bundle(found)


def file_of(connection: sa.Connection, tile: Tile) -> bytes:
    """Whatever lies at its path."""
    return bundle(connection, tile) if tile.kind is Kind.ENTRIES else hashes(connection, tile)


def subtree(connection: sa.Connection, of_size: int) -> merkle.Subtree:
    """Hashes of whole subtrees of the tree of the first so many lines."""
    return tiles.Reader(of_size, lambda tile: hashes(connection, tile)).subtree


# --- lines -----------------------------------------------------------------------------------------------------------


class Line(Struct, frozen=True):
    """A line as it is shown."""

    seq: int
    at: Instant
    type: str
    team: TeamId | None
    line: str
    """JSON: the leaf."""


class Filter(Struct, frozen=True):
    """Which lines; empty is all."""

    type: EntryType | None = None
    endorsement: str = ""
    subject: str = ""
    """A digest."""
    teams: frozenset[TeamId] | None = None
    """Only what belongs to one of these; None for all, also what belongs to none."""


_columns = tuple(log_entry.c[name] for name in Line.__struct_fields__)


def page(connection: sa.Connection, wanted: Filter, *, before: int | None, limit: int) -> list[Line]:
    """The newest first, before this number."""
    query = sa.select(*_columns).order_by(log_entry.c.seq.desc()).limit(limit)
    if wanted.type is not None:
        query = query.where(log_entry.c.type == wanted.type.value)
    if wanted.endorsement:
        query = query.where(log_entry.c.endorsement == wanted.endorsement)
    if wanted.subject:
        query = query.where(log_entry.c.seq.in_(sa.select(log_subject.c.seq).where(log_subject.c.digest == wanted.subject)))
    if wanted.teams is not None:
        query = query.where(log_entry.c.team.in_(wanted.teams))
    if before is not None:
        query = query.where(log_entry.c.seq < before)
    return [Line(*row) for row in connection.execute(query)]


def get(connection: sa.Connection, seq: int) -> Line | None:
    row = connection.execute(sa.select(*_columns).where(log_entry.c.seq == seq)).first()
    return Line(*row) if row is not None else None


def endorsed(connection: sa.Connection, endorsement: str) -> Line | None:
    """The line by which this endorsement was logged."""
    query = sa.select(*_columns).where(log_entry.c.endorsement == endorsement, log_entry.c.type == EntryType.ENDORSE.value)
    row = connection.execute(query.order_by(log_entry.c.seq).limit(1)).first()
    return Line(*row) if row is not None else None


def lines(connection: sa.Connection, start: int, end: int) -> Iterator[bytes]:
    """From one number to before another, in order; what is missing is left out."""
    query = sa.select(log_entry.c.line).where(log_entry.c.seq >= start, log_entry.c.seq < end).order_by(log_entry.c.seq)
    for text in connection.execution_options(yield_per=bulk.PORTION).execute(query).scalars():
        yield str(text).encode()


def rows(connection: sa.Connection, end: int) -> Iterator[Any]:
    """Number, time, type, endorsement, line and hash of each row before a number, in order: do they belong together?"""
    c = log_entry.c
    query = sa.select(c.seq, c.at, c.type, c.endorsement, c.line, c.leaf).where(c.seq < end).order_by(c.seq)
    yield from connection.execution_options(yield_per=bulk.PORTION).execute(query)
