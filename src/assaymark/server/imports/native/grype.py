"""Grype's JSON (`grype -o json`): components of an image, a folder or a bill of materials with the vulnerabilities that Grype knows of."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from assaymark.server.imports.components import Vulnerable, purl_named, rated, seen_of
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.places import path_of

_TOOL = "grype"


class _Fix(Struct):
    versions: list[str] | None = None
    state: str = ""


class _Vulnerability(Struct):
    id: str
    severity: str | None = None
    description: str | None = None
    data_source: str | None = field(name="dataSource", default=None)
    fix: _Fix | None = None


class _Related(Struct):
    id: str = ""
    severity: str | None = None
    description: str | None = None


class _Location(Struct):
    path: str = ""


class _Artifact(Struct):
    name: str
    version: str = ""
    type: str = ""
    purl: str | None = None
    locations: list[_Location] | None = None


class _Match(Struct):
    vulnerability: _Vulnerability
    artifact: _Artifact
    related: list[_Related] | None = field(name="relatedVulnerabilities", default=None)


class _Distro(Struct):
    name: str | None = None


class _Ignored(Struct):
    vulnerability: Any = None


class _Report(Struct):
    matches: list[_Match] | None
    distro: _Distro | None = None
    ignored: list[_Ignored] | None = field(name="ignoredMatches", default=None)


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Grype's.
    """
    report = decoded(data, _Report, "Grype")
    matches = report.matches or []
    bounded(len(matches), "Grype")
    distro = (report.distro.name if report.distro else "") or ""
    check = check_of(_TOOL, ask)
    rows = [_vulnerable(match, distro) for match in matches]
    left = f"{len(report.ignored)} matches that Grype was told to ignore were left out" if report.ignored else ""
    return Spoken(tuple(seen_of(check, rows, ask, world)), checks=((check, ask.layer),), notes=(left,) if left else ())


def _vulnerable(match: _Match, distro: str) -> Vulnerable:
    artifact, told = match.artifact, match.vulnerability
    related = match.related or []
    ecosystem = distro if artifact.type in ("apk", "deb", "rpm") and distro else artifact.type
    described = next((one.description for one in related if one.description), None)
    rating = told.severity if (told.severity or "Unknown") != "Unknown" else next((one.severity for one in related if one.severity), "")
    return Vulnerable(
        purl=artifact.purl or purl_named(ecosystem, artifact.name, artifact.version),
        version=artifact.version,
        ids=tuple(dict.fromkeys([told.id, *(one.id for one in related if one.id)])),
        severity=rated(rating or ""),
        title=told.description or described or "",
        path=path_of(artifact.locations[0].path) if artifact.locations else "",
        fixed=", ".join(told.fix.versions or ()) if told.fix else "",
        url=told.data_source or "",
    )
