"""Vulnerabilities that a CycloneDX document brings along (1.4 to 1.7, the extension of 1.3 translated): findings like those of a scanner,
each under the tool that wrote the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from assaymark.model.severity import Severity
from assaymark.server.imports.components import Vulnerable, rated, scored
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import slug
from assaymark.server.imports.speech import cwe_note
from assaymark.server.imports.vex import purl_at

_LETS_THROUGH = frozenset({"resolved", "resolved_with_pedigree", "false_positive", "not_affected"})
_DEEPEST = 50


class _Rating(Struct):
    severity: str | None = ""
    score: float | None = None
    method: str | None = ""


class _Reference(Struct):
    id: str | None = ""


class _Version(Struct):
    version: str | None = ""
    status: str | None = ""


class _Affects(Struct):
    ref: str = ""
    versions: list[_Version] | None = None


class _Analysis(Struct):
    state: str | None = ""


class _Vulnerability(Struct):
    id: str | None = ""
    ratings: list[_Rating] | None = None
    references: list[_Reference] | None = None
    affects: list[_Affects] | None = None
    cwes: list[int] | None = None
    description: str | None = ""
    recommendation: str | None = ""
    analysis: _Analysis | None = None


class _Component(Struct):
    reference: str = field(name="bom-ref", default="")
    purl: str = ""
    name: str = ""
    version: str = ""
    components: list[_Component] | None = None


class _Metadata(Struct):
    tools: Any = None
    component: _Component | None = None


class Document(Struct):
    """A bill as far as its vulnerabilities go."""

    vulnerabilities: list[_Vulnerability] | None = None
    components: list[_Component] | None = None
    metadata: _Metadata | None = None


def document_of(data: bytes) -> Document:
    """The bill.

    Raises:
        UsageError: when it has another shape, or more than can be taken.
    """
    document = decoded(data, Document, "CycloneDX")
    bounded(len(document.vulnerabilities or ()), "CycloneDX")
    return document


def purls_of(document: Document) -> dict[str, str]:
    """Reference -> package URL; a component without one stands as a generic package."""
    found: dict[str, str] = {}
    stack = [(one, 0) for one in document.components or ()]
    if document.metadata and document.metadata.component:
        stack.append((document.metadata.component, 0))
    while stack:
        component, depth = stack.pop()
        purl = component.purl or (f"pkg:generic/{component.name}@{component.version}" if component.name else "")
        for name in filter(None, (component.reference, component.purl)):
            found.setdefault(name, purl)
        if depth < _DEEPEST:
            stack += [(one, depth + 1) for one in component.components or ()]
    return found


def vulnerable(document: Document, purls: Mapping[str, str]) -> Iterator[Vulnerable]:
    """What the bill says of components; what its own analysis lets through is no finding."""
    for row in document.vulnerabilities or ():
        if not row.id or (row.analysis and row.analysis.state in _LETS_THROUGH):
            continue
        ids = tuple(dict.fromkeys(each for each in (row.id, *(one.id for one in row.references or ())) if each))
        for affected in row.affects or ():
            purl = purl_at(affected.ref, purls)
            if purl:
                bare, _, version = purl.partition("?")[0].partition("#")[0].rpartition("@")
                yield Vulnerable(
                    purl=purl,
                    version=version if bare else "",
                    ids=ids,
                    severity=_severity(row),
                    title=row.description or "",
                    notes=(*cwe_note((row.cwes or [0])[0]), ("what to do", row.recommendation or "")),
                )


def unknown(document: Document, purls: Mapping[str, str]) -> int:
    """How many references lead to no component."""
    return sum(not purl_at(one.ref, purls) for row in document.vulnerabilities or () for one in row.affects or ())


def _severity(row: _Vulnerability) -> Severity:
    """The worst of its ratings."""
    found = []
    for one in row.ratings or ():
        word = (one.severity or "").lower()
        if word and word not in ("unknown", "none"):
            found.append(rated(word))
        elif one.score is not None and (one.method or "").startswith("CVSS"):
            found.append(scored(one.score) or Severity.MEDIUM)
    return max(found, key=lambda one: one.rank) if found else Severity.MEDIUM


def tool_of(document: Document) -> str:
    """Who wrote it, for the name under which its findings are known."""
    tools = document.metadata.tools if document.metadata else None
    rows = tools.get("components") if isinstance(tools, dict) else tools
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("name"), str) and row["name"]:
            return slug(row["name"], "cyclonedx")
    return "cyclonedx"
