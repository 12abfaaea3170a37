"""A copy of a running server on one machine as one file: its database at one instant, and the content that it needs.

Guarantees: the copy is consistent (content is put before the row that needs it, and the database is copied first), the file appears whole
or not at all, readable by its owner alone, and is never written over another. Unpacked into an empty folder it is a data folder. Not in it:
the keys beside the database, so that a lost copy opens no forge; keep those elsewhere. PostgreSQL and S3 have tools of their own.
"""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.digest import Digest
from assaymark.store.blobs import FolderBlobs, name_of
from assaymark.store.database import Database
from assaymark.store.moving import referenced


class Kept(Struct, frozen=True):
    """What is in the file."""

    database_bytes: int
    blobs: int


def back_up(database: Database, blobs: FolderBlobs, file: Path) -> Kept:
    """Write the copy.

    Raises:
        UsageError: when there is such a file, or the database is not SQLite.
        SubjectUnreadable: when content is missing or was changed.
    """
    if not database.is_sqlite:
        raise UsageError("this is PostgreSQL", advice="use pg_dump, and for S3 the versions of the bucket")
    if file.exists():
        raise UsageError(f"{file} is there already", advice="name another file")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        with tempfile.TemporaryDirectory(prefix=".assaymark-backup-", dir=file.parent) as folder:
            copy = Path(folder) / "assaymark.db"
            _copy(database, copy)
            kept = _write(copy, blobs, draft)
        os.link(draft, file)  # unlike a rename it does not write over what came meanwhile
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", advice="name another file") from error
    finally:
        draft.unlink(missing_ok=True)
    return kept


def _copy(database: Database, copy: Path) -> None:
    with closing(sqlite3.connect(str(database.url.database))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target, pages=4096)


def _write(copy: Path, blobs: FolderBlobs, draft: Path) -> Kept:
    copied = Database(f"sqlite:///{copy}")
    try:
        with copied.read() as connection:
            needed = sorted(set(referenced(connection)))
    finally:
        copied.close()
    size = copy.stat().st_size
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:  # noqa: PTH123 - the mode
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(copy, "assaymark.db", filter=_private)
            for digest in needed:
                _add(archive, blobs, digest)
        stream.flush()
        os.fsync(stream.fileno())
    return Kept(size, len(needed))


def _add(archive: tarfile.TarFile, blobs: FolderBlobs, digest: Digest) -> None:
    data, name = blobs.get(digest), name_of(digest)
    row = tarfile.TarInfo(f"blobs/{name[:2]}/{name}")
    row.size = len(data)
    archive.addfile(_private(row), io.BytesIO(data))


def _private(row: tarfile.TarInfo) -> tarfile.TarInfo:
    row.uid = row.gid = 0
    row.uname = row.gname = ""
    row.mode = 0o600
    return row
