"""Which package sets hold a component: asked when an advisory comes, so that nothing has to be read again.

An inverted table ``(package, version key) -> package set`` in SQLite. A package set is known by a digest that whoever adds it chooses (of a
lock file, an image); where it stands, and who answers for it, is theirs to know.

Guarantees: adding a set twice changes nothing, replacing it forgets what it held; the answer is the matcher's: by range, by listed version,
and word for word where a version has no order. One writer at a time; readers see whole sets only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.matcher import is_named, key_in
from assaymark.checks.application.dependencies.matching.records import Affects, Span
from assaymark.checks.application.dependencies.packages import Ecosystem, PackageSet
from assaymark.checks.application.dependencies.versions.coding import SCHEME
from assaymark.checks.application.dependencies.versions.keys import key_of

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS package (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS package_set (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS component (
  package INTEGER NOT NULL, version BLOB NOT NULL, package_set INTEGER NOT NULL, PRIMARY KEY (package, version, package_set)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unordered (
  package INTEGER NOT NULL, version TEXT NOT NULL, package_set INTEGER NOT NULL, PRIMARY KEY (package, version, package_set)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held ON component (package_set);
CREATE INDEX IF NOT EXISTS held_unordered ON unordered (package_set);
"""
_AT_ONCE = 500


class Fleet:
    """The table, open for adding and asking."""

    def __init__(self, path: Path) -> None:
        """Open it, or begin it.

        Raises:
            ValueError: when its keys are of another scheme, so that it has to be filled anew.
        """
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_TABLES)
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO meta VALUES ('scheme', ?)", (SCHEME,))
        (scheme,) = self._database.execute("SELECT value FROM meta WHERE name = 'scheme'").fetchone()
        if scheme != SCHEME:
            self._database.close()
            raise ValueError(f"{path} holds keys of scheme {scheme}; delete it and add the package sets again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    # --- filling it --------------------------------------------------------------------------------------------------

    def add(self, digest: str, packages: PackageSet) -> None:
        """Keep what a package set holds, instead of what it held."""
        self.add_all([(digest, packages)])

    def add_all(self, sets: Iterable[tuple[str, PackageSet]]) -> None:
        """Many at once, in one transaction."""
        with self._database:
            names: dict[str, int] = {}
            for digest, packages in sets:
                number = self._number("package_set", "digest", digest)
                self._forget(number)
                ordered: list[tuple[int, bytes, int]] = []
                loose: list[tuple[int, str, int]] = []
                for package in packages.packages:
                    if not is_named(package):
                        continue
                    name = key_in(packages, package)
                    if name not in names:
                        names[name] = self._number("package", "name", name)
                    key = key_of(package.ecosystem, package.version)
                    if key is None:
                        loose.append((names[name], package.version, number))
                    else:
                        ordered.append((names[name], key, number))
                self._database.executemany("INSERT OR IGNORE INTO component VALUES (?, ?, ?)", ordered)
                self._database.executemany("INSERT OR IGNORE INTO unordered VALUES (?, ?, ?)", loose)

    def remove(self, digest: str) -> None:
        """Forget a package set."""
        with self._database:
            row = self._database.execute("SELECT id FROM package_set WHERE digest = ?", (digest,)).fetchone()
            if row is not None:
                self._forget(row[0])
                self._database.execute("DELETE FROM package_set WHERE id = ?", row)

    def _number(self, table: str, column: str, text: str) -> int:
        self._database.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))  # noqa: S608 - names of ours
        (number,) = self._database.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()  # noqa: S608 - names of ours
        return int(number)

    def _forget(self, number: int) -> None:
        for table in ("component", "unordered"):
            self._database.execute(f"DELETE FROM {table} WHERE package_set = ?", (number,))  # noqa: S608 - names of ours

    # --- asking it ---------------------------------------------------------------------------------------------------

    def hit_by(self, advisories: Mapping[str, Sequence[Affects]]) -> dict[str, frozenset[str]]:
        """Advisory -> digests of the package sets that it hits; `advisories` are records by package key, as the index holds them."""
        numbers = self._known("package", "id", "name", advisories)
        hit: dict[str, set[int]] = {}
        with closing(self._database.cursor()) as cursor:
            for package, records in advisories.items():
                number = numbers.get(package)
                if number is None:
                    continue
                for record in records:
                    found = hit.setdefault(record.advisory, set())
                    for span in record.spans:
                        found.update(_within(cursor, number, span))
                    if record.versions:
                        found.update(_listed(cursor, number, package, record.versions))
        digests = {number: digest for digest, number in self._known("package_set", "id", "digest", None).items()} if hit else {}
        return {advisory: frozenset(digests[number] for number in found) for advisory, found in hit.items() if found}

    def _known(self, table: str, number: str, column: str, names: Iterable[str] | None) -> dict[str, int]:
        """Text -> number of all rows, or of these."""
        query = f"SELECT {column}, {number} FROM {table}"  # noqa: S608 - names of ours
        if names is None:
            return dict(self._database.execute(query))
        wanted = list(names)
        found: dict[str, int] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            found.update(self._database.execute(f"{query} WHERE {column} IN ({','.join('?' * len(some))})", some))
        return found


def _within(cursor: sqlite3.Cursor, package: int, span: Span) -> Iterator[int]:
    query = "SELECT DISTINCT package_set FROM component WHERE package = ? AND version >= ?"
    if span.high is None:
        rows = cursor.execute(query, (package, span.low))
    else:
        rows = cursor.execute(f"{query} AND version {'<=' if span.closed else '<'} ?", (package, span.low, span.high))
    return (number for (number,) in rows)


def _listed(cursor: sqlite3.Cursor, package: int, name: str, versions: Iterable[str]) -> Iterator[int]:
    ecosystem = Ecosystem(name.partition("/")[0].partition(":")[0])
    for version in versions:
        key = key_of(ecosystem, version)
        table, value = ("unordered", version) if key is None else ("component", key)
        rows = cursor.execute(f"SELECT package_set FROM {table} WHERE package = ? AND version = ?", (package, value))  # noqa: S608
        yield from (number for (number,) in rows.fetchall())


def news(before: Index | None, after: Index) -> dict[str, tuple[Affects, ...]]:
    """Records of the later index that the earlier one did not hold as they are: what a fleet has to be asked about after an update."""
    old = dict(before.every()) if before is not None else {}
    found: dict[str, tuple[Affects, ...]] = {}
    for package, records in after.every():
        known = set(old.get(package, ()))
        fresh = tuple(record for record in records if record not in known)
        if fresh:
            found[package] = fresh
    return found
