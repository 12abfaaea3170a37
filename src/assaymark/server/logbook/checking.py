"""Whether the stored log is what was signed and pinned; and the log as a folder of files, that anybody can serve or check.

Guarantees: the database is read in one state of SQLite; on PostgreSQL up to the size at the beginning, and lines before it never change. An
exported folder is whole: entries, tiles, then the checkpoint, each written beside its place and moved there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa

from assaymark.endorsement import strict_json
from assaymark.endorsement.log import audit, checkpoint, entry, merkle, tiles
from assaymark.endorsement.log.audit import Found, Head
from assaymark.endorsement.log.inclusion import LogKeys
from assaymark.endorsement.log.tiles import Reader, Tile
from assaymark.errors import AssayError, SignatureInvalid, SubjectUnreadable, UsageError
from assaymark.server.logbook import heads
from assaymark.store import log, log_heads

_MOST_FILE = tiles.WIDTH * (tiles.MOST_ENTRY + 2)


def look(index: int, data: bytes) -> str:
    """What is wrong with an entry's bytes."""
    try:
        placed = entry.read(data)
    except strict_json.NotStrictError as error:
        return f"it is none: {str(error)[:200]}"
    return "" if placed.seq == index else f"it says that it is entry {placed.seq}"


def verify(connection: sa.Connection, pinned: Sequence[Head] = ()) -> Found:
    """The whole log in the database: every line, tile, checkpoint and signature."""
    size = log.size(connection)
    known, signed, broken = heads.known(connection), list[Head](), list[str]()
    for row in log_heads.every(connection):
        place = f"the database ({row.size} entries)"
        try:
            if known is None:
                raise SignatureInvalid("no key of the log is there")
            found = checkpoint.opened(row.note.encode(), known.origin, known.keys).checkpoint
            if (found.size, found.root) != (row.size, row.root):
                raise SignatureInvalid("its row says something else than what was signed")
            signed.append(Head(found, place))
        except AssayError as error:
            broken.append(f"the checkpoint of {place} does not hold: {error.what}")
    result = audit.whole(size, lambda tile: log.file_of(connection, tile), [*signed, *pinned])
    for sentence in broken:
        result.defect(sentence)
    _rows(connection, size, result)
    return result


def _rows(connection: sa.Connection, size: int, found: Found) -> None:
    """What stands beside each line follows from it: number, hash, and the columns that lists ask for."""
    count = 0
    for row in log.rows(connection, size):
        if row.seq != count:
            found.defect(f"entries {count} to {row.seq - 1} are missing")
        count = row.seq + 1
        data = row.line.encode()
        problem = look(row.seq, data)
        if not problem:
            said = entry.read(data).entry
            if (said.at, said.type.value, said.endorsement) != (row.at, row.type, row.endorsement):
                problem = "the row says something else than its line"
            elif merkle.leaf_hash(data) != bytes(row.leaf):
                problem = "the hash beside it is not that of the line"
        if problem:
            found.defect(f"entry {row.seq}: {problem}")


# --- folders ---------------------------------------------------------------------------------------------------------


def export(connection: sa.Connection, head: bytes, folder: Path) -> int:
    """Write every file of the log up to this checkpoint; gives how many were written; full tiles that lie there already stay.

    Raises:
        UsageError: when the folder cannot be written.
        SubjectUnreadable: when rows are missing.
    """
    size = checkpoint.read(head)[0].size
    written = 0
    try:
        for tile in tiles.every(size):
            path = folder / tile.path
            if tile.is_full and path.exists():
                continue
            _write(path, log.file_of(connection, tile))
            written += 1
        _write(folder / tiles.CHECKPOINT, head)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", why=error.strerror or str(error), advice="name a folder of your own") from error
    return written + 1


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(data)
    draft.replace(path)


def file_in(folder: Path, tile: Tile) -> bytes:
    """A file of an exported log; where it is partial and gone, the full one's beginning, as the standard allows.

    Raises:
        SubjectUnreadable: when it is not there.
    """
    for each in (tile, Tile(tile.kind, tile.level, tile.number)):
        data = _read(folder / each.path)
        if data is None or each == tile:
            if data is not None:
                return data
            continue
        if tile.kind is tiles.Kind.HASHES:
            return data[: tile.width * 32]
        return tiles.bundle(tiles.unbundle(data, tiles.WIDTH)[: tile.width])
    raise SubjectUnreadable(f"{tile.path} is not there", why=f"{folder} lacks it", advice="export the log again")


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SubjectUnreadable(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > _MOST_FILE:
        raise SubjectUnreadable(f"{path} is too large", why=f"at most {_MOST_FILE} bytes are read")
    return data


def verify_folder(folder: Path, known: LogKeys, pinned: Iterable[Head] = ()) -> Found:
    """An exported log, against its own checkpoint and others: needs nothing but the key.

    Raises:
        SignatureInvalid: when its checkpoint is not the log's.
        SubjectUnreadable: when there is none.
    """
    data = _read(folder / tiles.CHECKPOINT)
    if data is None:
        raise SubjectUnreadable(f"{folder} has no checkpoint", advice="name a folder that `assay log export` wrote")
    own = checkpoint.opened(data, known.origin, known.keys, known.witnesses).checkpoint
    return audit.whole(own.size, lambda tile: file_in(folder, tile), [Head(own, str(folder)), *pinned], look)


def reader_of(folder: Path, size: int) -> Reader:
    """Hashes out of an exported log."""
    return Reader(size, lambda tile: file_in(folder, tile))
