"""OSV-Scanner's JSON: sources (lock files, images) with packages and the records of OSV that speak of them. Its groups say which records
are one vulnerability; a record of its own rates nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.server.imports.components import Vulnerable, purl_named, rated, scored, seen_of
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.places import Roots

_TOOL = "osv-scanner"


class _Source(Struct):
    path: str = ""
    type: str = ""


class _Package(Struct):
    name: str = ""
    version: str = ""
    ecosystem: str = ""


class _Event(Struct):
    fixed: str | None = None


class _Range(Struct):
    events: list[_Event] | None = None


class _AffectedPackage(Struct):
    name: str = ""


class _Affected(Struct):
    package: _AffectedPackage | None = None
    ranges: list[_Range] | None = None


class _Record(Struct):
    id: str
    aliases: list[str] | None = None
    summary: str | None = ""
    details: str | None = ""
    affected: list[_Affected] | None = None
    database_specific: dict[str, Any] | None = None


class _Group(Struct):
    ids: list[str] | None = None
    aliases: list[str] | None = None
    max_severity: str | None = ""


class _Found(Struct):
    package: _Package
    vulnerabilities: list[_Record] | None = None
    groups: list[_Group] | None = None


class _Result(Struct):
    source: _Source | None = None
    packages: list[_Found] | None = None


class _Report(Struct):
    results: list[_Result] | None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of OSV-Scanner's.
    """
    report = decoded(data, _Report, "OSV-Scanner")
    results = report.results or []
    bounded(sum(len(found.vulnerabilities or ()) for row in results for found in row.packages or ()), "OSV-Scanner")
    roots = Roots((row.source.path for row in results if row.source), world.contents)
    check = check_of(_TOOL, ask)
    rows = [one for row in results for found in row.packages or () for one in _vulnerable(row, found, roots)]
    return Spoken(tuple(seen_of(check, rows, ask, world)), checks=((check, ask.layer),), notes=roots.notes)


def _vulnerable(row: _Result, found: _Found, roots: Roots) -> Iterator[Vulnerable]:
    records = {record.id: record for record in found.vulnerabilities or ()}
    grouped = {each for group in found.groups or () for each in group.ids or ()}
    groups = [*(found.groups or ()), *(_Group([one]) for one in records if one not in grouped)]
    path = roots.path(
        row.source.path.partition(":")[0] if row.source and row.source.type == "docker" else row.source.path if row.source else ""
    )
    for group in groups:
        mine = [records[each] for each in group.ids or () if each in records]
        if not mine:
            continue
        ids = [*(group.ids or ()), *(group.aliases or ()), *(alias for record in mine for alias in record.aliases or ())]
        yield Vulnerable(
            purl=purl_named(found.package.ecosystem, found.package.name, found.package.version),
            version=found.package.version,
            ids=tuple(dict.fromkeys(ids)),
            severity=_severity(group, mine),
            title=next((record.summary or record.details for record in mine if record.summary or record.details), "") or "",
            path=path,
            fixed=", ".join(dict.fromkeys(_fixed(mine, found.package.name)))[:200],
            url=f"https://osv.dev/{mine[0].id}",
        )


def _severity(group: _Group, records: list[_Record]) -> Severity:
    try:
        score = scored(float(group.max_severity)) if group.max_severity else None
    except ValueError:
        score = None
    words = [record.database_specific.get("severity") for record in records if record.database_specific]
    word = next((word for word in words if isinstance(word, str)), "")
    return score or rated(word)


def _fixed(records: list[_Record], name: str) -> Iterator[str]:
    for record in records:
        for affected in record.affected or ():
            if affected.package is not None and affected.package.name.lower() != name.lower():
                continue
            for event in (event for row in affected.ranges or () for event in row.events or ()):
                if event.fixed:
                    yield event.fixed
