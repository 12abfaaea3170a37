"""Snyk's JSON (`snyk test --json`, `snyk container test --json`, `snyk iac test --json`): one project or a list. Snyk Code writes
SARIF, which is read as such. What was ignored in Snyk is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct, field

from assaymark.model.severity import Severity
from assaymark.server.imports import settings_seen
from assaymark.server.imports.components import Vulnerable, purl_named, rated, seen_of
from assaymark.server.imports.documents import bounded, rows
from assaymark.server.imports.found import Ask, Spoken, World, check_of, gap
from assaymark.server.imports.places import path_of
from assaymark.server.imports.settings_seen import Setting
from assaymark.server.imports.speech import cwe_note, line_of

_TOOL = "snyk"
_NAMED = re.compile(r"(?P<kind>[^\[\]]*)\[(?P<name>[^\[\]]*)\]")
_FAMILIES = {"terraformconfig": "terraform", "terraformplan": "terraform", "k8sconfig": "kubernetes", "helmconfig": "helm"}
_BLOCKS = ("resource", "data")
"""Of Terraform; every other block is its own address."""


class _Ids(Struct):
    cve: list[str] | None = field(name="CVE", default=None)
    ghsa: list[str] | None = field(name="GHSA", default=None)
    cwe: list[str] | None = field(name="CWE", default=None)


class _Vulnerability(Struct, rename="camel"):
    id: str
    title: str | None = ""
    severity: str | None = ""
    severity_with_critical: str | None = None
    package_name: str | None = None
    package_manager: str | None = None
    name: str | None = None
    version: str | None = ""
    identifiers: _Ids | None = None
    fixed_in: list[str] | None = None
    from_: list[str] | None = field(name="from", default=None)
    type: str | None = None
    malicious: bool | None = None


class _Issue(Struct, rename="camel"):
    id: str = ""
    public_id: str | None = None
    title: str | None = ""
    severity: str | None = ""
    path: list[str] | None = None
    line_number: int | None = 0
    resolve: str | None = ""
    documentation: str | None = ""
    is_ignored: bool | None = None


class _Filtered(Struct):
    ignore: list[Any] | None = None


class _Project(Struct, rename="camel"):
    vulnerabilities: list[_Vulnerability] | None = None
    applications: list[_Project] | None = None
    iac: list[_Issue] | None = field(name="infrastructureAsCodeIssues", default=None)
    package_manager: str | None = None
    project_type: str | None = None
    display_target_file: str | None = None
    target_file: str | None = None
    filtered: _Filtered | None = None
    error: str | None = None
    ok: bool | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Snyk's.
    """
    projects = [one for project in rows(data, _Project, "Snyk") for one in (project, *(project.applications or ()))]
    bounded(sum(len(one.vulnerabilities or ()) + len(one.iac or ()) for one in projects), "Snyk")
    check = check_of(_TOOL, ask)
    seen = seen_of(check, [row for one in projects for row in _vulnerable(one)], ask, world)
    seen += settings_seen.seen_of(_TOOL, check, [row for one in projects for row in _settings(one)], ask)
    seen += [gap(check, ask.layer, _path(one), line_of(one.error)) for one in projects if one.error]
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=tuple(_notes(projects)))


def _notes(projects: Sequence[_Project]) -> Iterator[str]:
    ignored = sum(len(one.filtered.ignore or ()) for one in projects if one.filtered)
    ignored += sum(bool(issue.is_ignored) for one in projects for issue in one.iac or ())
    if ignored:
        yield f"{ignored} findings that were ignored in Snyk were left out"
    if licences := sum(row.type == "license" for one in projects for row in one.vulnerabilities or ()):
        yield f"{licences} findings about licences were left out: they are no weaknesses"


def _path(project: _Project) -> str:
    return path_of(project.display_target_file or project.target_file or "")


def _vulnerable(project: _Project) -> Iterator[Vulnerable]:
    for row in project.vulnerabilities or ():
        if row.type == "license":
            continue
        known = row.identifiers or _Ids()
        manager = row.package_manager or project.package_manager or ""
        # Of a distribution's package it writes source and binary package as one name.
        name = row.name or row.package_name or ""
        is_system = manager.partition(":")[0] in ("deb", "debian", "ubuntu", "apk", "alpine", "rpm", "rhel", "centos", "linux", "wolfi")
        ids = dict.fromkeys([*(known.cve or ()), *(known.ghsa or ()), row.id])
        yield Vulnerable(
            purl=purl_named(manager, name.rpartition("/")[2] if is_system else name, row.version or ""),
            version=row.version or "",
            ids=tuple(ids),
            severity=Severity.CRITICAL if row.malicious else rated(row.severity_with_critical or row.severity or ""),
            title=row.title or "",
            path=_path(project),
            fixed=", ".join(row.fixed_in or ()),
            url=f"https://security.snyk.io/vuln/{row.id}",
            notes=(*cwe_note((known.cwe or [""])[0]), ("brought in by", " > ".join((row.from_ or [])[:8]))),
        )


def _settings(project: _Project) -> Iterator[Setting]:
    for row in project.iac or ():
        if row.is_ignored:
            continue
        resource, attribute = _address((row.path or [])[:30])
        yield Setting(
            ids=tuple(word for word in (row.public_id, row.id) if word) or ("unnamed",),
            family=_FAMILIES.get(family := project.project_type or project.package_manager or "", family),
            path=_path(project),
            resource=resource,
            attribute=attribute,
            message=row.title or row.id,
            severity=rated(row.severity or ""),
            line=row.line_number or 0,
            advice=row.resolve or "",
            url=row.documentation or "",
        )


def _address(path: Sequence[str]) -> tuple[str, str]:
    """Resource and attribute: ``resource``, ``aws_instance[web]``, ``ami`` is the resource ``aws_instance.web``.

    Which document of a file it is, and which element of a list, moves when another is put before it, and is in no address.
    """
    words = [word for each in path if (word := _word(each))]
    words = words[1:] if words[:1] == ["input"] else words
    if len(words) > 1 and words[0] in _BLOCKS:
        return ".".join(words[words[0] == "resource" : 2]), ".".join(words[2:])
    return ".".join(words), ""


def _word(text: str) -> str:
    """One step of a path, a name in brackets behind a dot."""
    found = _NAMED.fullmatch(text.strip())
    if found is None:
        return text.strip()
    kind, name = found["kind"].strip(), found["name"].strip().strip("'\"")
    return kind if not kind or name.isdigit() else f"{kind}.{name}"
