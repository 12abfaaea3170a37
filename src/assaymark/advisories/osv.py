"""Records of the OSV schema (https://ossf.github.io/osv-schema/), as far as they decide who is affected and how badly.

Understood: ranges of type ECOSYSTEM and SEMVER with introduced, fixed, last_affected and limit; lists of versions; aliases; withdrawn;
severity of the record and of a package; what GitHub's, Go's and Rust's databases add. Ranges of type GIT are about commits and are not
used: a package that has nothing else is marked as told in no order known here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.records import RELEASED, Span, package_key
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import key_of

_MOST_IMPORTS = 40


_NO_PACKAGE = "commits of a repository"
"""What a record is about that names no package."""


class Rating(Struct, frozen=True):
    """An entry of ``severity``."""

    type: str = ""
    score: str = ""


class Event(Struct, frozen=True):
    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""
    limit: str = ""


class Range(Struct, frozen=True):
    type: str = ""
    events: tuple[Event, ...] = ()


class PackageName(Struct, frozen=True):
    ecosystem: str = ""
    name: str = ""


class Affected(Struct, frozen=True):
    package: PackageName | None = None
    ranges: tuple[Range, ...] | None = None
    versions: tuple[str, ...] | None = None
    severity: tuple[Rating, ...] | None = None
    ecosystem_specific: Any = None
    database_specific: Any = None


class Reference(Struct, frozen=True):
    type: str = ""
    url: str = ""


class Record(Struct, frozen=True):
    """One advisory of one database."""

    id: str
    modified: str = ""
    withdrawn: str | None = None
    aliases: tuple[str, ...] | None = None
    summary: str = ""
    details: str = ""
    severity: tuple[Rating, ...] | None = None
    affected: tuple[Affected, ...] | None = None
    references: tuple[Reference, ...] | None = None
    database_specific: Any = None


decode = msgspec.json.Decoder(Record).decode
"""Raises `msgspec.MsgspecError` (or `UnicodeDecodeError`) when the bytes are no record."""


class Told(Struct, frozen=True):
    """What a record says of one package."""

    package: str
    """The package's key in the index."""
    ecosystem: Ecosystem
    spans: tuple[Span, ...]
    versions: tuple[str, ...]
    opaque: bool
    imports: tuple[str, ...]


def told(record: Record) -> Iterator[Told | str]:
    """Every package of an ecosystem that we know; of others the ecosystem's name, so that it can be said."""
    for affected in record.affected or ():
        package = affected.package
        if package is None or not package.name:
            yield _NO_PACKAGE
            continue
        name, _, release = package.ecosystem.partition(":")
        try:
            ecosystem = Ecosystem(name)
        except ValueError:
            yield name or _NO_PACKAGE
            continue
        written = _python_name(package.name) if ecosystem is Ecosystem.PYPI else package.name
        key = package_key(ecosystem, written, release if ecosystem in RELEASED else "")
        yield _told(affected, key, ecosystem)


def _told(affected: Affected, key: str, ecosystem: Ecosystem) -> Told:
    spans: list[Span] = []
    ordered = [each for each in affected.ranges or () if each.type in ("ECOSYSTEM", "SEMVER")]
    opaque = not ordered and not affected.versions
    for each in ordered:
        found = spans_of(ecosystem, each.events)
        opaque |= found is None
        spans += found or ()
    return Told(
        package=key,
        ecosystem=ecosystem,
        spans=tuple(dict.fromkeys(spans)),
        versions=tuple(_unspanned(ecosystem, affected.versions or (), spans)),
        opaque=opaque,
        imports=tuple(_imports(affected.ecosystem_specific)),
    )


def spans_of(ecosystem: Ecosystem, events: Sequence[Event]) -> list[Span] | None:
    """Intervals of affected versions, by the schema's evaluation: events in order of version, each opening or closing.

    None when one of the versions has no order. ``introduced: 0`` is before every version.
    """
    points: list[tuple[bytes, Event]] = []
    limits: list[bytes] = []
    for event in events:
        text = event.introduced or event.fixed or event.last_affected or event.limit
        key = b"" if event.introduced == "0" else None if text == "*" else key_of(ecosystem, text)
        if event.limit:
            if text == "*":
                continue
            if key is None:
                return None
            limits.append(key)
        elif key is None:
            return None
        else:
            points.append((key, event))
    spans: list[Span] = []
    low: bytes | None = None
    for key, event in sorted(points, key=lambda point: point[0]):
        if event.introduced:
            low = key if low is None else low
        elif low is not None:
            spans.append(Span(low, key, bool(event.last_affected), event.fixed))
            low = None
    if low is not None:
        spans.append(Span(low))
    return [_within(span, max(limits)) for span in spans if span.low < max(limits)] if limits else spans


def _within(span: Span, limit: bytes) -> Span:
    return span if span.high is not None and span.high < limit else Span(span.low, limit)


def _unspanned(ecosystem: Ecosystem, versions: Iterable[str], spans: Sequence[Span]) -> Iterator[str]:
    """Listed versions that no span holds: the others need not be kept."""
    joined = _joined(spans)
    lows = [span.low for span in joined]
    for version in dict.fromkeys(versions):
        key = key_of(ecosystem, version)
        at = bisect_right(lows, key) - 1 if key is not None else -1
        if key is None or at < 0 or not joined[at].holds(key):
            yield version


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The same versions in spans that do not overlap, in order, so that a version is sought and not compared with each."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.low):
        last = joined[-1] if joined else None
        if last is None or (last.high is not None and span.low > last.high):
            joined.append(Span(span.low, span.high, span.closed))
        elif last.high is not None and (span.high is None or (span.high, span.closed) > (last.high, last.closed)):
            joined[-1] = Span(last.low, span.high, span.closed)
    return joined


def _imports(specific: object) -> Iterator[str]:
    """Go's packages and symbols."""
    rows = specific.get("imports") if isinstance(specific, dict) else None
    count = 0
    for row in rows if isinstance(rows, list) else ():
        path = row.get("path") if isinstance(row, dict) else None
        symbols = row.get("symbols") if isinstance(row, dict) else None
        for symbol in symbols if isinstance(symbols, list) and symbols else [""]:
            if isinstance(path, str) and isinstance(symbol, str) and count < _MOST_IMPORTS:
                count += 1
                yield f"{path}#{symbol}" if symbol else path


def _python_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
