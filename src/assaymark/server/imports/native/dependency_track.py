"""Dependency-Track's findings in its packaging format (FPF 1.0 to 1.5, `GET /api/v1/finding/project/{uuid}/export`), with analyses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from assaymark.server.imports.components import Vulnerable, purl_named, rated, scored, seen_of
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Said, Spoken, World, check_of
from assaymark.server.imports.speech import cwe_note, line_of

TOOL = "dependency-track"
_STATES = {
    "EXPLOITABLE": "affected",
    "IN_TRIAGE": "under-investigation",
    "FALSE_POSITIVE": "false-positive",
    "NOT_AFFECTED": "not-affected",
    "RESOLVED": "fixed",
}
LETS_THROUGH = frozenset({"false-positive", "not-affected", "fixed", "accepted"})


class Project(Struct, rename="camel"):
    """A project, also as `GET /api/v1/project` lists it."""

    uuid: str = ""
    name: str = ""
    version: str | None = ""
    description: str | None = ""
    group: str | None = ""
    purl: str | None = ""
    classifier: str | None = ""
    active: bool | None = True
    parent: Any = None
    tags: list[Any] | None = None
    collection_logic: str | None = None
    inactive_since: Any = None


class _Component(Struct):
    name: str = ""
    group: str | None = ""
    version: str | None = ""
    purl: str | None = ""
    project: str | None = ""


class _Vulnerability(Struct, rename="camel"):
    vuln_id: str = ""
    title: str | None = ""
    description: str | None = ""
    severity: str | None = ""
    aliases: list[dict[str, Any]] | None = None
    cwe_id: Any = None
    cwes: list[Any] | None = None
    cvss_v3_base_score: float | None = field(name="cvssV3BaseScore", default=None)


class _Analysis(Struct, rename="camel"):
    state: str | None = ""
    is_suppressed: bool | None = False
    detail: str | None = ""
    justification: str | None = ""


class _Attribution(Struct, rename="camel"):
    attributed_on: Any = None
    reference_url: str | None = ""


class Finding(Struct):
    """One row."""

    component: _Component
    vulnerability: _Vulnerability
    analysis: _Analysis | None = None
    attribution: _Attribution | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Under which the vulnerability is known."""
        others = [text for each in self.vulnerability.aliases or () for text in each.values() if isinstance(text, str)]
        return tuple(dict.fromkeys(each for each in (self.vulnerability.vuln_id, *others) if each))

    @property
    def purl(self) -> str:
        """The component."""
        of, version = self.component, self.component.version or ""
        return of.purl or purl_named("", "/".join(filter(None, (of.group, of.name))), version)

    @property
    def status(self) -> str:
        """What was said of it; empty when nothing was."""
        told = self.analysis or _Analysis()
        found = _STATES.get(told.state or "", "")
        return found or ("accepted" if told.is_suppressed else "")

    @property
    def is_suppressed(self) -> bool:
        """Whether Dependency-Track counts it no more."""
        return bool(self.analysis and self.analysis.is_suppressed)

    @property
    def reason(self) -> str:
        """Why."""
        told = self.analysis or _Analysis()
        words = ("" if told.justification in (None, "NOT_SET") else told.justification, told.detail)
        return line_of(": ".join(word for word in words if word), 1_000)


class Document(Struct):
    """An export."""

    findings: list[Finding] | None = None
    project: Project | None = None
    meta: Any = None


def document_of(data: bytes) -> Document:
    """The export.

    Raises:
        UsageError: when it is none, or more than can be taken.
    """
    document = decoded(data, Document, "Dependency-Track")
    bounded(len(document.findings or ()), "Dependency-Track")
    return document


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What an export of one project says: findings, and its analyses as statements.

    Raises:
        UsageError: when it is none.
    """
    findings = document_of(data).findings or []
    check = check_of(TOOL, ask)
    open_ = [each for each in findings if not each.is_suppressed and each.status not in LETS_THROUGH]
    return Spoken(
        tuple(seen_of(check, (vulnerable(each) for each in open_), ask, world)),
        checks=((check, ask.layer),),
        statements=tuple(statements(findings)),
    )


def vulnerable(row: Finding) -> Vulnerable:
    """The component with its vulnerability."""
    told = row.vulnerability
    severity = rated(told.severity or "") if (told.severity or "UNASSIGNED") != "UNASSIGNED" else scored(told.cvss_v3_base_score)
    weaknesses = told.cwes or []
    first = weaknesses[0].get("cweId") if weaknesses and isinstance(weaknesses[0], dict) else told.cwe_id
    return Vulnerable(
        purl=row.purl,
        version=row.component.version or "",
        ids=row.ids,
        severity=severity or rated(""),
        title=told.title or told.description or "",
        url=(row.attribution.reference_url or "") if row.attribution else "",
        notes=cwe_note(first),
    )


def statements(findings: list[Finding]) -> Iterator[Said]:
    """What was decided."""
    for row in findings:
        if row.status and row.ids:
            yield Said(row.ids, (row.purl,), row.status, row.reason)
