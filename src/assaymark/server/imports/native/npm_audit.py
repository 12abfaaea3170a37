"""npm audit's JSON: version 2 (npm 7 and later) and version 1 (npm 6, also `yarn audit`'s summary). Neither names the lock file: the one
of the subject is taken, ``package-lock.json`` where it is not at hand. Version 2 names ranges and no versions: they are in the notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from assaymark.errors import UsageError
from assaymark.server.imports.components import Vulnerable, purl_named, rated, seen_of
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of

_TOOL = "npm-audit"
_GHSA = re.compile(r"GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}", re.IGNORECASE)
_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")


class _Via(Struct):
    name: str = ""
    title: str | None = ""
    url: str | None = ""
    severity: str | None = ""
    range: str | None = ""
    source: Any = None
    cwe: Any = None


class _Package(Struct):
    name: str = ""
    severity: str | None = ""
    via: list[_Via | str] | None = None
    fix: Any = field(name="fixAvailable", default=None)


class _Found(Struct):
    version: str = ""


class _Advisory(Struct):
    module_name: str = ""
    id: Any = None
    title: str | None = ""
    url: str | None = ""
    severity: str | None = ""
    cves: list[str] | None = None
    github: str | None = field(name="github_advisory_id", default=None)
    patched: str | None = field(name="patched_versions", default="")
    vulnerable: str | None = field(name="vulnerable_versions", default="")
    findings: list[_Found] | None = None


class _Report(Struct):
    audit_version: int | None = field(name="auditReportVersion", default=None)
    vulnerabilities: dict[str, _Package] | None = None
    advisories: dict[str, _Advisory] | None = None
    error: Any = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of npm audit's, or tells of an error.
    """
    report = decoded(data, _Report, "npm audit")
    if report.error:
        raise UsageError("npm audit reports an error and no findings", why=str(report.error)[:200], advice="run it again")
    path = next(iter(world.contents(_LOCKS)), _LOCKS[1])
    rows = list(_second(report, path) if report.advisories is None else _first(report, path))
    bounded(len(rows), "npm audit")
    check = check_of(_TOOL, ask)
    return Spoken(tuple(seen_of(check, rows, ask, world)), checks=((check, ask.layer),))


def _second(report: _Report, path: str) -> Iterator[Vulnerable]:
    for name, package in (report.vulnerabilities or {}).items():
        for via in package.via or ():
            if isinstance(via, str):
                continue  # through another package, which has a row of its own
            fix = package.fix if isinstance(package.fix, dict) else {}
            raised = f"{fix.get('name')} {fix.get('version')}" if fix.get("name") not in (None, name) else ""
            yield Vulnerable(
                purl=purl_named("npm", via.name or name),
                version="",
                ids=_ids(via.url or "", via.source),
                severity=rated(via.severity or package.severity or ""),
                title=via.title or "",
                path=path,
                fixed=str(fix.get("version") or "") if fix.get("name") == name else "",
                url=via.url or "",
                notes=(("affected versions", via.range or ""), ("comes with", raised)),
            )


def _first(report: _Report, path: str) -> Iterator[Vulnerable]:
    for one in (report.advisories or {}).values():
        for version in dict.fromkeys(each.version for each in one.findings or [_Found()]):
            ids = tuple(dict.fromkeys([*(one.cves or ()), *filter(None, [one.github]), *_ids(one.url or "", one.id)]))
            yield Vulnerable(
                purl=purl_named("npm", one.module_name),
                version=version,
                ids=tuple(each for each in ids if len(ids) == 1 or not each.startswith("NPM-")) or ids,
                severity=rated(one.severity or ""),
                title=one.title or "",
                path=path,
                fixed=one.patched or "",
                url=one.url or "",
                notes=(("affected versions", one.vulnerable or ""),),
            )


def _ids(url: str, number: object) -> tuple[str, ...]:
    """The advisory of GitHub that the address names (in the letters in which it is written there); otherwise npm's own number."""
    found = _GHSA.search(url)
    if found:
        return ("GHSA" + found[0][4:].lower(),)
    return (f"NPM-{number}",) if number not in (None, "") else ()
