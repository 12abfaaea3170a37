"""What somebody says of vulnerabilities: OpenVEX, and the analyses in CycloneDX. Statements, no findings: they are handed to the decisions.

Guarantees: a statement is taken over as it was said, with its author; what lets nothing through (affected, under investigation) is kept
apart from what does. Whether a statement is honoured is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from assaymark.errors import PolicyInvalid, UsageError
from assaymark.server.imports.documents import MOST_FINDINGS, decoded
from assaymark.server.imports.found import Said, Spoken
from assaymark.server.imports.speech import line_of
from assaymark.verdict.vex import Status, parse_vex

_STATUS = {
    Status.NOT_AFFECTED: "not-affected",
    Status.AFFECTED: "affected",
    Status.FIXED: "fixed",
    Status.UNDER_INVESTIGATION: "under-investigation",
}
_STATES = {
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under-investigation",
    "false_positive": "false-positive",
    "not_affected": "not-affected",
}


class _Analysis(Struct):
    state: str | None = ""
    justification: str | None = ""
    detail: str | None = ""


class _Affects(Struct):
    ref: str = ""


class _Reference(Struct):
    id: str | None = ""


class _Vulnerability(Struct):
    id: str | None = ""
    references: list[_Reference] | None = None
    affects: list[_Affects] | None = None
    analysis: _Analysis | None = None
    updated: str | None = ""


class _Metadata(Struct):
    timestamp: str | None = ""
    authors: Any = None
    supplier: Any = None
    tools: Any = None


class _Document(Struct):
    metadata: _Metadata | None = None
    vulnerabilities: list[_Vulnerability] | None = None


def read_openvex(data: bytes) -> Spoken:
    """The statements of an OpenVEX document.

    Raises:
        UsageError: when it is none.
    """
    try:
        found = parse_vex(data, "the document")
    except PolicyInvalid as error:
        raise UsageError(error.what, why=error.why, advice=error.advice) from error
    said = tuple(
        Said(
            row.vulnerabilities,
            tuple(f"{purl}@{version}" if version else purl for purl, version in row.products),
            _STATUS[row.status],
            line_of(row.said, 1_000),
            line_of(row.author, 200),
            row.at.isoformat(),
        )
        for row in found
    )
    return Spoken(statements=said)


def of_cyclonedx(data: bytes, purls: Mapping[str, str]) -> tuple[Said, ...]:
    """The analyses of a bill; `purls` are the package URLs of its references.

    Raises:
        UsageError: when it has another shape, or more than can be taken.
    """
    document = decoded(data, _Document, "CycloneDX")
    rows = document.vulnerabilities or []
    if len(rows) > MOST_FINDINGS:
        raise UsageError(
            f"the bill speaks of more than {MOST_FINDINGS} vulnerabilities", advice="split it into several imports by category"
        )
    return tuple(_said(document, rows, purls))


def _said(document: _Document, rows: list[_Vulnerability], purls: Mapping[str, str]) -> Iterator[Said]:
    metadata = document.metadata or _Metadata()
    author = _author(metadata)
    for row in rows:
        analysis = row.analysis
        status = _STATES.get(analysis.state or "") if analysis else None
        if analysis is None or status is None:
            continue
        products = tuple(filter(None, (purl_at(one.ref, purls) for one in row.affects or ())))
        ids = tuple(dict.fromkeys(each for each in (row.id, *(one.id for one in row.references or ())) if each))
        if not ids or (row.affects and not products):
            continue
        reason = line_of(": ".join(word for word in (analysis.justification, analysis.detail) if word), 1_000)
        yield Said(ids, products, status, reason, author, (row.updated or metadata.timestamp or "")[:10])


def purl_at(reference: str, purls: Mapping[str, str]) -> str:
    """The package URL of a reference within the bill, or at the end of a link into another one."""
    last = reference.rpartition("#")[2]
    found = purls.get(reference) or purls.get(last) or (reference if reference.startswith("pkg:") else "")
    return found or (last if last.startswith("pkg:") else "")


def _author(metadata: _Metadata) -> str:
    for holder in (metadata.authors, metadata.supplier):
        first = holder[0] if isinstance(holder, list) and holder else holder
        if isinstance(first, dict) and isinstance(first.get("name"), str):
            return line_of(first["name"], 200)
    return ""
