"""The facts store: what checks said of content, remembered in one SQLite file.

Guarantees
* a wrong answer is never given: every row carries a checksum over key and value, a damaged row is a miss;
* nothing that goes wrong here is an error: a damaged file is replaced by an empty one, a full, read-only or foreign disk means that this
  run works without memory, and a notice says so;
* several processes may use it at once, and a kill at any moment costs at most the facts that were not yet written;
* it stays below its size limit, by forgetting what was not used for longest.

A damaged file is never repaired and its name never reused: the next generation gets a new name, so that a process that still has the old
one open cannot mix its write-ahead log with the new file. Losing the store costs time only, hence ``synchronous=NORMAL``.

Does not decide what is a fact: see `outcome.is_fact`. Not for several threads; a forked child that inherits it works without memory.
"""

# pathlib costs milliseconds on the hook's path.
# ruff: noqa: PTH108, PTH118, PTH208

from __future__ import annotations

import os
import re
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Protocol

from assaymark.engine import outcome as outcomes
from assaymark.engine.trust import distrust, private_folder
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.check import Outcome

SCHEMA = 1
TABLE = "CREATE TABLE fact(key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
DEFAULT_LIMIT = 512 << 20
WEEK = 7
"""Days after which a stamp of use is renewed: coarse, so that a second run writes nothing."""
_CHUNK = 512
_COMPRESS_ABOVE = 512
_SUM = 16
_NAME = re.compile(r"facts-(\d+)\.(\d+)\.db\Z")
_LEFTOVER_SECONDS = 30 * 86400
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_SCHEMA", "SQLITE_ERROR", "SQLITE_MISMATCH")


class Memory(Protocol):
    """What the engine needs of a memory; the store below is one, `testing.memory` has another."""

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """What is known of these keys."""
        ...

    def put(self, facts: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember (key, encoded outcome) pairs, all in one transaction."""
        ...

    def notices(self) -> Sequence[str]:
        """What the user should know of the memory's state."""
        ...


class _Damaged(Exception):  # noqa: N818 - names a state of the file, never leaves this module
    pass


_TROUBLE = (sqlite3.Error, OSError, UnicodeDecodeError, _Damaged)
"""What using the file may raise. SQLite quotes a damaged schema in its complaint, and the quotation need not be text."""


class FactsStore:
    """The store in a folder of the user's. Opens its file at the first use."""

    def __init__(self, folder: str, *, limit_bytes: int = DEFAULT_LIMIT, today: Callable[[], int] | None = None) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._today = today or (lambda: int(time.time() // 86400))
        self._db: sqlite3.Connection | None = None
        self._pid = 0
        self._generation = 0
        self._rebuilt = 0
        self._off = False
        self._stale: list[bytes] = []
        self._notices: list[str] = []

    def notices(self) -> Sequence[str]:
        return tuple(self._notices)

    # --- use ---------------------------------------------------------------------------------------------------------

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        found: dict[bytes, Outcome] = {}
        with self._guarded() as db:
            if db is not None:
                ordered = sorted(keys)
                for start in range(0, len(ordered), _CHUNK):
                    self._look_up(db, ordered[start : start + _CHUNK], found)
        return found

    def _look_up(self, db: sqlite3.Connection, keys: list[bytes], found: dict[bytes, Outcome]) -> None:
        old = self._today() - WEEK
        marks = ",".join("?" * len(keys))
        for key, value, used in db.execute(f"SELECT key, value, used FROM fact WHERE key IN ({marks})", keys):  # noqa: S608 - only marks
            outcome = _unsealed(key, value)
            if outcome is None:
                continue
            found[key] = outcome
            if not isinstance(used, int) or used <= old:
                self._stale.append(key)

    def put(self, facts: Iterable[tuple[bytes, bytes]]) -> None:
        day = self._today()
        rows = [(key, _sealed(key, value), day) for key, value in sorted(facts)]
        with self._guarded() as db:
            if db is None or not rows:
                return
            if _bytes_used(db) > self._limit * 3 // 2:
                self._turn_off("is full; what this run finds out is not remembered")
                return
            with _transaction(db):
                db.executemany("INSERT OR REPLACE INTO fact VALUES(?, ?, ?)", rows)

    # --- upkeep, after the answer was given --------------------------------------------------------------------------

    def settle(self) -> None:
        """Renew stamps of use and forget what is too much. Call it when nobody waits any more."""
        with self._guarded() as db:
            if db is None:
                return
            day = self._today()
            stale, self._stale = self._stale, []
            for start in range(0, len(stale), 5000):
                with _transaction(db):
                    db.executemany("UPDATE fact SET used = ? WHERE key = ?", [(day, key) for key in stale[start : start + 5000]])
            if _bytes_used(db) > self._limit:
                self._forget(db)
            self._sweep()

    def _forget(self, db: sqlite3.Connection) -> None:
        """Down to four fifths of the limit, longest unused first, in small transactions so that other processes get their turn."""
        goal = self._limit * 4 // 5
        days = [row[0] for row in db.execute("SELECT DISTINCT used FROM fact ORDER BY used")]
        for day in days:
            gone = 1
            while gone and _bytes_used(db) > goal:
                with _transaction(db):
                    gone = db.execute("DELETE FROM fact WHERE key IN (SELECT key FROM fact WHERE used = ? LIMIT 2000)", (day,)).rowcount
        db.execute("PRAGMA incremental_vacuum").fetchall()

    def _sweep(self) -> None:
        """Files of other schemas and of starts that were killed go when nobody touched them for a month."""
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            current = name.startswith(f"facts-{SCHEMA}.{self._generation}.")
            if name.startswith("facts-") and not current and os.lstat(path).st_mtime < time.time() - _LEFTOVER_SECONDS:
                _unlink(path)

    def close(self) -> None:
        """Give the file back; the store may be used again afterwards."""
        if self._db is not None and self._pid == os.getpid():
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    # --- opening, failing, beginning anew ----------------------------------------------------------------------------

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection | None]:
        """The open file, or None when there is no memory; whatever SQLite raises inside ends here."""
        db = None
        try:
            db = self._connection()
        except _TROUBLE as error:
            self._failed(error)
        try:
            yield db
        except _TROUBLE as error:
            self._failed(error)

    def _connection(self) -> sqlite3.Connection | None:
        if self._off or (self._db is not None and self._pid != os.getpid()):
            return None
        if self._db is None:
            self._open()
        return self._db

    def _open(self) -> None:
        if reason := private_folder(self._folder):
            self._turn_off(reason)
            return
        self._pid = os.getpid()
        self._generation = self._newest() or self._create(1)
        path = self._path(self._generation)
        if reason := distrust(path, folder=False):
            self._turn_off(reason)
            return
        try:
            self._db = _connect(path)
        except _Damaged:
            self._begin_anew()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _is_damage(error):
                raise
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Leave the damaged file behind and open the next generation, which another process may have made already."""
        self.close()
        self._rebuilt += 1
        if self._rebuilt > 2:
            self._turn_off("was damaged again and again")
            return
        newest = self._newest()
        if newest <= self._generation:
            self._notices.append("the memory of earlier runs was damaged and has been begun anew; this run is slower, its answer the same")
            newest = self._create(self._generation + 1)
        for old in range(max(1, self._generation - 2), newest):
            for suffix in ("", "-wal", "-shm"):
                _unlink(self._path(old) + suffix)
        self._generation = newest
        self._db = _connect(self._path(newest))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, _Damaged) or _is_damage(error):
            try:
                self._begin_anew()
            except _TROUBLE as again:
                self._turn_off(f"cannot be used ({_words(again)})")
            return
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.rollback()
        self._turn_off(f"cannot be used ({_words(error)})")

    def _turn_off(self, why: str) -> None:
        self.close()
        self._off = True
        self._notices.append(f"running without memory: {self._folder} {why}")

    def _newest(self) -> int:
        found = (_NAME.match(name) for name in os.listdir(self._folder))
        return max((int(m[2]) for m in found if m and int(m[1]) == SCHEMA), default=0)

    def _path(self, generation: int) -> str:
        return os.path.join(self._folder, f"facts-{SCHEMA}.{generation}.db")

    def _create(self, generation: int) -> int:
        """A complete, empty file appears under its name at once or not at all; losing the race against another process is fine."""
        path = self._path(generation)
        draft = os.path.join(self._folder, f"facts-draft-{os.getpid()}-{generation}")
        _unlink(draft)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        try:
            db = sqlite3.connect(draft, isolation_level=None)
            try:
                for statement in ("PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL", TABLE, f"PRAGMA user_version={SCHEMA}"):
                    db.execute(statement).fetchall()
            finally:
                db.close()
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            for suffix in ("", "-wal", "-shm"):
                _unlink(draft + suffix)
        return generation


def _connect(path: str) -> sqlite3.Connection:
    """An open file of our schema.

    Raises:
        _Damaged: when it is some other database.
        sqlite3.Error: when it is none, or cannot be opened.
    """
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, cached_statements=32)
    try:
        for setting in (
            "busy_timeout=5000",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            "synchronous=NORMAL",
            "cache_size=-16384",
            "wal_autocheckpoint=4096",
        ):
            db.execute(f"PRAGMA {setting}").fetchall()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        schema = db.execute("SELECT sql FROM sqlite_schema").fetchall()
        (journal,) = db.execute("PRAGMA journal_mode=WAL").fetchone()
    except BaseException:
        db.close()
        raise
    if version != SCHEMA or schema != [(TABLE,)] or journal != "wal":
        db.close()
        raise _Damaged
    return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _bytes_used(db: sqlite3.Connection) -> int:
    (pages,), (free,), (size,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def _sealed(key: bytes, value: bytes) -> bytes:
    body = b"\1" + zlib.compress(value, 1) if len(value) > _COMPRESS_ABOVE else b"\0" + value
    return blake2b(body, digest_size=_SUM, key=key).digest() + body


def _unsealed(key: object, value: object) -> Outcome | None:
    """The outcome that was sealed under this key; None when a single bit of either is not as it was."""
    if not isinstance(key, bytes) or not isinstance(value, bytes) or len(value) <= _SUM or len(key) > blake2b.MAX_KEY_SIZE:
        return None
    body = value[_SUM:]
    if blake2b(body, digest_size=_SUM, key=key).digest() != value[:_SUM]:
        return None
    try:
        return outcomes.decode(zlib.decompress(body[1:]) if body[0] else body[1:])
    except (*UNDECODABLE, zlib.error):
        return None


def _is_damage(error: BaseException) -> bool:
    if isinstance(error, UnicodeDecodeError):
        return True
    name = getattr(error, "sqlite_errorname", None)
    return isinstance(error, sqlite3.DatabaseError) and (name is None or name.startswith(_DAMAGE))


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
