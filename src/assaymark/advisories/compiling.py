"""Records, KEV and EPSS into one SQLite file that is only read afterwards.

Guarantees: the file appears whole or not at all; equal advisories give an equal snapshot id, whatever the order in which they came and the
day; what could not be understood is counted and named.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.advisories import osv
from assaymark.advisories.archives import Raw
from assaymark.advisories.groups import Groups
from assaymark.advisories.severities import UNRATED, Rated, rate, worse
from assaymark.checks.application.dependencies.matching.records import (
    Advisory,
    Affects,
    Exploited,
    Nature,
    encode_advisory,
    encode_affects,
    encode_names,
)
from assaymark.checks.application.dependencies.matching.snapshot import FORMAT
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.severity import Severity

_LONGEST_SUMMARY = 200
_NAMED = 5
"""Unreadable members that are named; the rest is counted."""


class _Known(Struct):
    """What the records of one alias group say together."""

    rated: Rated = UNRATED
    summary: str = ""
    url: str = ""
    is_notice: bool = True
    """Every record of it is a notice."""


class Compiled(Struct, frozen=True):
    """What came of it."""

    snapshot: str
    records: int
    withdrawn: int
    packages: int
    advisories: int
    unreadable: tuple[str, ...] = ()
    """Names of members that are no record, at most a few."""
    unreadable_count: int = 0
    elsewhere: tuple[tuple[str, int], ...] = ()
    """(ecosystem, count) of packages whose ecosystem is not matched here."""
    unordered: int = 0
    """Packages of records whose affected versions have no order here (commits only, legacy versions)."""
    newest: str = ""
    """When the last record was modified, as it says."""


class Collection:
    """Takes records in, in any order."""

    def __init__(self) -> None:
        self._groups = Groups()
        self._told: dict[str, list[tuple[str, osv.Told]]] = {}
        self._records: dict[str, _Known] = {}
        self._elsewhere: Counter[str] = Counter()
        self._unreadable: list[str] = []
        self._counts: Counter[str] = Counter()
        self._newest = ""

    def is_empty(self) -> bool:
        """Whether nothing that was added is a record."""
        return not self._counts["records"]

    def add(self, raw: Raw) -> None:
        """One member of an archive."""
        try:
            record = osv.decode(raw.data)
        except UNDECODABLE:
            self._counts["unreadable"] += 1
            if len(self._unreadable) < _NAMED:
                self._unreadable.append(raw.name)
            return
        if record.withdrawn:
            self._counts["withdrawn"] += 1
            return
        if record.id in self._records:
            return  # one record is published in the archive of each of its ecosystems
        self._counts["records"] += 1
        self._newest = max(self._newest, record.modified)
        self._groups.join(record.id, record.aliases or ())
        self._records[record.id] = _known(record)
        for told in osv.told(record):
            if isinstance(told, str):
                self._elsewhere[told] += 1
            else:
                self._counts["unordered"] += told.opaque
                self._told.setdefault(told.package, []).append((record.id, told))

    def write(
        self, path: Path, exploited: Mapping[str, Exploited], epss: Mapping[str, tuple[float, float]], about: Mapping[str, str]
    ) -> Compiled:
        """Compile everything into the file; `about` is kept beside it and is no part of the snapshot."""
        named = self._groups.named()
        packages = [(name, encode_affects(self._affects(rows, named))) for name, rows in sorted(self._told.items())]
        advisories = [(one.id, encode_advisory(one)) for one in self._advisories(named, exploited, epss)]
        compiled = Compiled(
            snapshot=_digest([*packages, *advisories]),
            records=self._counts["records"],
            withdrawn=self._counts["withdrawn"],
            packages=len(packages),
            advisories=len(advisories),
            unreadable=tuple(self._unreadable),
            unreadable_count=self._counts["unreadable"],
            elsewhere=tuple(sorted(self._elsewhere.items())),
            unordered=self._counts["unordered"],
            newest=self._newest,
        )
        ecosystems = Counter(name.partition("/")[0] for name, _ in packages)
        meta = {
            **about,
            "format": FORMAT,
            "snapshot": compiled.snapshot,
            "counts": msgspec.json.encode(compiled).decode(),
            "ecosystems": json.dumps(dict(sorted(ecosystems.items()))),
            "exploited": str(len(exploited)),
            "epss": str(len(epss)),
        }
        _store(path, _Tables(packages, advisories, self._aliases(named), self._spoken_of(named)), meta)
        return compiled

    def _aliases(self, named: Mapping[str, tuple[str, tuple[str, ...]]]) -> list[tuple[str, str]]:
        """Every id of a vulnerability that has a record, so that people may ask by any, in any case of letters."""
        known = {named[record][0] for record in self._records}
        return sorted({name.lower(): group for name, (group, _) in named.items() if group in known}.items())

    def _spoken_of(self, named: Mapping[str, tuple[str, tuple[str, ...]]]) -> list[tuple[str, bytes]]:
        """Which packages each vulnerability is about: the index by package, turned round."""
        found: dict[str, set[str]] = {}
        for package, rows in self._told.items():
            for record, _ in rows:
                found.setdefault(named[record][0], set()).add(package)
        return [(group, encode_names(sorted(names))) for group, names in sorted(found.items())]

    @staticmethod
    def _affects(rows: Iterable[tuple[str, osv.Told]], named: Mapping[str, tuple[str, tuple[str, ...]]]) -> tuple[Affects, ...]:
        made = {
            Affects(named[record][0], record, told.spans, tuple(sorted(told.versions)), told.opaque, told.imports) for record, told in rows
        }
        return tuple(sorted(made, key=encode_affects))

    def _advisories(
        self, named: Mapping[str, tuple[str, tuple[str, ...]]], exploited: Mapping[str, Exploited], epss: Mapping[str, tuple[float, float]]
    ) -> list[Advisory]:
        groups: dict[str, _Known] = {}
        for record, known in sorted(self._records.items()):
            canonical = named[record][0]
            groups[canonical] = _joined(groups[canonical], known) if canonical in groups else known
        return [_advisory(id_, named[id_][1], known, exploited, epss) for id_, known in sorted(groups.items())]


def _known(record: osv.Record) -> _Known:
    text = record.summary or record.details.strip().partition("\n")[0]
    summary = " ".join(text.split())
    urls = [reference.url for reference in record.references or () if reference.type == "ADVISORY" and reference.url.startswith("https://")]
    return _Known(
        rated=rate(record),
        summary=summary if len(summary) <= _LONGEST_SUMMARY else summary[: _LONGEST_SUMMARY - 1] + "…",
        url=min(urls, default=""),
        is_notice=_is_notice(record),
    )


def _is_notice(record: osv.Record) -> bool:
    """RustSec marks what is no vulnerability: unmaintained, unsound, notice."""
    rows = record.affected or ()
    return bool(rows) and all(isinstance(row.database_specific, dict) and bool(row.database_specific.get("informational")) for row in rows)


def _joined(one: _Known, other: _Known) -> _Known:
    return _Known(
        rated=worse(one.rated, other.rated),
        summary=one.summary or other.summary,
        url=one.url or other.url,
        is_notice=one.is_notice and other.is_notice,
    )


def _advisory(
    id_: str, aliases: tuple[str, ...], known: _Known, exploited: Mapping[str, Exploited], epss: Mapping[str, tuple[float, float]]
) -> Advisory:
    ids = (id_, *aliases)
    nature = Nature.MALICIOUS if id_.startswith("MAL-") else Nature.NOTICE if known.is_notice else Nature.VULNERABILITY
    rated = known.rated
    if nature is Nature.NOTICE and rated.sure == 0:
        rated = Rated(Severity.LOW, "a notice, no vulnerability")
    return Advisory(
        id=id_,
        aliases=tuple(sorted(aliases)),
        nature=nature,
        severity=rated.severity,
        basis=rated.basis,
        vector=rated.vector,
        summary=known.summary,
        exploited=min(
            (exploited[each] for each in ids if each in exploited), key=lambda row: (not row.ransomware, row.added), default=None
        ),
        epss=max((epss[each] for each in ids if each in epss), default=None),
        url=known.url,
    )


def _digest(rows: Iterable[tuple[str, bytes]]) -> str:
    state = hashlib.sha256(FORMAT.encode())
    for name, data in rows:
        for part in (name.encode("utf-8", "surrogatepass"), data):
            state.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{state.hexdigest()}"


class _Tables(Struct, frozen=True):
    """Rows of the file."""

    packages: list[tuple[str, bytes]]
    advisories: list[tuple[str, bytes]]
    aliases: list[tuple[str, str]]
    spoken_of: list[tuple[str, bytes]]


def _store(path: Path, tables: _Tables, meta: Mapping[str, str]) -> None:
    """Beside its place first, then in it: whoever reads the old file goes on reading it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(draft)) as database, database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            database.execute("CREATE TABLE package (name TEXT PRIMARY KEY, affects BLOB NOT NULL) WITHOUT ROWID")
            database.execute("CREATE TABLE advisory (id TEXT PRIMARY KEY, about BLOB NOT NULL) WITHOUT ROWID")
            database.execute("CREATE TABLE alias (name TEXT PRIMARY KEY, advisory TEXT NOT NULL) WITHOUT ROWID")
            database.execute("CREATE TABLE spoken_of (advisory TEXT PRIMARY KEY, packages BLOB NOT NULL) WITHOUT ROWID")
            database.executemany("INSERT INTO package VALUES (?, ?)", tables.packages)
            database.executemany("INSERT INTO advisory VALUES (?, ?)", tables.advisories)
            database.executemany("INSERT INTO alias VALUES (?, ?)", tables.aliases)
            database.executemany("INSERT INTO spoken_of VALUES (?, ?)", tables.spoken_of)
            database.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
