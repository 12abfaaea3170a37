"""Trivy's JSON (`trivy … --format json`, schema 2 and the list that came before it; also `trivy k8s`): vulnerabilities, misconfigurations,
secrets. Licences are no weaknesses and are counted in the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from assaymark.model.identity import Seen
from assaymark.server.imports import components, hidden, settings_seen
from assaymark.server.imports.components import Vulnerable, purl_named, rated
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.hidden import Leak
from assaymark.server.imports.places import path_of
from assaymark.server.imports.settings_seen import Setting
from assaymark.server.imports.speech import cwe_note

_TOOL = "trivy"
_SYSTEM = "os-pkgs"
_MERGED = frozenset({"node-pkg", "python-pkg", "jar", "gemspec", "gobinary", "rustbinary", "conda-pkg"})
"""Kinds of targets that stand for packages all over an image, so that each package has a path of its own."""


class _Named(Struct):
    purl: str | None = field(name="PURL", default=None)


class _Vulnerability(Struct, rename="pascal"):
    vulnerability_id: str = field(name="VulnerabilityID", default="")
    pkg_name: str = ""
    installed_version: str = ""
    fixed_version: str = ""
    pkg_path: str = ""
    pkg_identifier: _Named | None = None
    severity: str = ""
    title: str = ""
    description: str = ""
    primary_url: str = field(name="PrimaryURL", default="")
    vendor_ids: list[str] | None = field(name="VendorIDs", default=None)
    cwe_ids: list[str] | None = field(name="CweIDs", default=None)
    status: Any = None


class _Cause(Struct, rename="pascal"):
    resource: str = ""
    start_line: int = 0
    end_line: int = 0


class _Misconfiguration(Struct, rename="pascal"):
    id: str = field(name="ID")
    avdid: str = field(name="AVDID", default="")
    title: str = ""
    message: str = ""
    severity: str = ""
    status: str = ""
    resolution: str = ""
    primary_url: str = field(name="PrimaryURL", default="")
    cause_metadata: _Cause | None = None


class _Secret(Struct, rename="pascal"):
    rule_id: str = field(name="RuleID")
    severity: str = ""
    title: str = ""
    match: str = ""
    start_line: int = 0
    end_line: int = 0


class _Result(Struct, rename="pascal"):
    target: str = ""
    class_: str = field(name="Class", default="")
    type: str = ""
    vulnerabilities: list[_Vulnerability] | None = None
    misconfigurations: list[_Misconfiguration] | None = None
    secrets: list[_Secret] | None = None
    licenses: list[Any] | None = None


class _Resource(Struct, rename="pascal"):
    namespace: str = ""
    kind: str = ""
    name: str = ""
    results: list[_Result] | None = None
    error: str = ""


class _Report(Struct, rename="pascal"):
    results: list[_Result] | None = None
    resources: list[_Resource] | None = None
    vulnerabilities: list[_Resource] | None = None
    misconfigurations: list[_Resource] | None = None
    findings: list[_Resource] | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Trivy's.
    """
    if data.lstrip().startswith(b"["):
        results = [("", row) for row in decoded(data, list[_Result], "Trivy")]
    else:
        report = decoded(data, _Report, "Trivy")
        results = [("", row) for row in report.results or ()] + list(_of_cluster(report))
    bounded(sum(len(row.vulnerabilities or ()) + len(row.misconfigurations or ()) + len(row.secrets or ()) for _, row in results), "Trivy")
    check = check_of(_TOOL, ask)
    seen: list[Seen] = components.seen_of(check, [one for where, row in results for one in _vulnerable(row, where)], ask, world)
    seen += settings_seen.seen_of(_TOOL, check, [one for where, row in results for one in _settings(row, where)], ask)
    leaks, notes = hidden.seen_of(_TOOL, check, [one for where, row in results for one in _leaks(row, where)], (ask, world))
    licences = sum(len(row.licenses or ()) for _, row in results)
    if licences:
        notes += (f"{licences} licences were left out: they are no weaknesses",)
    return Spoken((*seen, *leaks), checks=((check, ask.layer),), notes=notes)


def _of_cluster(report: _Report) -> Iterator[tuple[str, _Result]]:
    groups = (report.resources, report.vulnerabilities, report.misconfigurations, report.findings)
    for resource in (one for group in groups for one in group or ()):
        where = "/".join(word for word in (resource.namespace, resource.kind, resource.name) if word)
        for row in resource.results or ():
            yield where, row


def _vulnerable(row: _Result, where: str) -> Iterator[Vulnerable]:
    for one in row.vulnerabilities or ():
        named = one.pkg_identifier.purl if one.pkg_identifier else None
        path = one.pkg_path or ("" if row.class_ == _SYSTEM or row.type in _MERGED else row.target)
        yield Vulnerable(
            purl=named or purl_named(row.type, one.pkg_name, one.installed_version),
            version=one.installed_version,
            ids=tuple(dict.fromkeys(each for each in (one.vulnerability_id, *(one.vendor_ids or ())) if each)),
            severity=rated(one.severity),
            title=one.title or one.description,
            path=path_of(f"{where}/{path}" if where else path),
            fixed=one.fixed_version,
            url=one.primary_url,
            notes=cwe_note((one.cwe_ids or [""])[0]),
        )


def _settings(row: _Result, where: str) -> Iterator[Setting]:
    for one in row.misconfigurations or ():
        if one.status not in ("", "FAIL"):  # passed, or let through
            continue
        cause = one.cause_metadata or _Cause()
        yield Setting(
            ids=tuple(dict.fromkeys(word for word in (one.avdid, one.id) if word)),
            family=row.type,
            path=f"{where}/{row.target}" if where else row.target,
            resource=cause.resource,
            message=one.message or one.title,
            severity=rated(one.severity),
            line=cause.start_line,
            end_line=cause.end_line,
            advice=one.resolution,
            url=one.primary_url,
        )


def _leaks(row: _Result, where: str) -> Iterator[Leak]:
    for one in row.secrets or ():
        yield Leak(
            rule=one.rule_id,
            path=f"{where}/{row.target}" if where else row.target,
            message=one.title or one.rule_id,
            severity=rated(one.severity),
            context=one.match,
            line=one.start_line,
            end_line=one.end_line,
        )
