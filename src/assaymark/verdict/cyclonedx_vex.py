"""CycloneDX VEX: the analyses of a document's vulnerabilities, as the statements that OpenVEX would make. Pure.

Guarantees: what is no CycloneDX, or names no component by a package URL, is refused or said; sizes are bounded. A reference that is a
``bom-ref`` of a component in the same document stands for that component's package URL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.verdict.vex import Statement, Status, split_purl

_MOST = 100_000
_STATES: Mapping[str, Status] = {
    "not_affected": Status.NOT_AFFECTED,
    "false_positive": Status.NOT_AFFECTED,
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "exploitable": Status.AFFECTED,
    "in_triage": Status.UNDER_INVESTIGATION,
}
_JUSTIFICATIONS: Mapping[str, str] = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "requires_configuration": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_dependency": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_environment": "vulnerable_code_cannot_be_controlled_by_adversary",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}


class _Analysis(Struct, frozen=True):
    state: str = ""
    justification: str = ""
    detail: str = ""
    response: tuple[str, ...] = ()
    first_issued: str = msgspec.field(name="firstIssued", default="")
    last_updated: str = msgspec.field(name="lastUpdated", default="")


class _Version(Struct, frozen=True):
    version: str = ""
    status: str = "affected"


class _Affects(Struct, frozen=True):
    ref: str
    versions: tuple[_Version, ...] = ()


class _Reference(Struct, frozen=True):
    id: str = ""


class _Vulnerability(Struct, frozen=True):
    id: str = ""
    references: tuple[_Reference, ...] = ()
    analysis: _Analysis | None = None
    affects: tuple[_Affects, ...] = ()
    updated: str = ""
    published: str = ""


class _Component(Struct, frozen=True):
    ref: str = msgspec.field(name="bom-ref", default="")
    purl: str = ""


class _Document(Struct, frozen=True):
    form: str = msgspec.field(name="bomFormat")
    metadata: dict[str, Any] = {}
    components: tuple[_Component, ...] = ()
    vulnerabilities: tuple[_Vulnerability, ...] = ()


def parse_cyclonedx_vex(data: bytes, name: str) -> tuple[Statement, ...]:
    """The statements of a document.

    Raises:
        UsageError: when it is no CycloneDX, or says nothing of vulnerabilities.
    """
    advice = "see https://cyclonedx.org/capabilities/vex"
    try:
        document = msgspec.json.decode(data, type=_Document)
    except UNDECODABLE as error:
        raise UsageError(f"{name} is no CycloneDX document", why=str(error)[:300], advice=advice) from error
    if document.form != "CycloneDX" or len(document.vulnerabilities) > _MOST or len(document.components) > _MOST:
        raise UsageError(f"{name} is no CycloneDX document that can be read", advice=advice)
    purls = {each.ref: each.purl for each in document.components if each.ref and each.purl}
    found: list[Statement] = []
    for number, row in enumerate(document.vulnerabilities, 1):
        if row.analysis is None or not row.analysis.state:
            continue
        try:
            found.append(_statement(row, row.analysis, document, purls))
        except ValueError as error:
            raise UsageError(f"{name}: vulnerability {number} is not valid", why=str(error), advice=advice) from error
    if not found:
        raise UsageError(f"{name} holds no analysis of a vulnerability", advice=advice)
    return tuple(found)


def _statement(row: _Vulnerability, analysis: _Analysis, document: _Document, purls: Mapping[str, str]) -> Statement:
    status = _STATES.get(analysis.state)
    if status is None:
        raise ValueError(f"its state {analysis.state[:40]!r} is unknown")
    ids = tuple(dict.fromkeys(each for each in (row.id, *(one.id for one in row.references)) if each))
    if not ids:
        raise ValueError("it has no id")
    products = tuple(sorted({pair for each in row.affects for pair in _products(each, purls)}))
    if not products:
        raise ValueError("it affects nothing that is named by a package URL")
    stamp = document.metadata.get("timestamp", "")
    when = analysis.last_updated or analysis.first_issued or row.updated or (stamp if isinstance(stamp, str) else "") or row.published
    if not when:
        raise ValueError("neither it nor the document has a timestamp")
    word = _JUSTIFICATIONS.get(analysis.justification, "")
    said = " ".join(f"{word} {analysis.detail} {' '.join(analysis.response)}".split()) or analysis.state.replace("_", " ")
    return Statement(dt.date.fromisoformat(when[:10]), ids, products, status, said, _author(document.metadata))


def _products(each: _Affects, purls: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    ref = each.ref if each.ref.startswith("pkg:") else purls.get(each.ref, purls.get(each.ref.rpartition("#")[2], ""))
    if not ref.startswith("pkg:"):
        return
    name, version = split_purl(ref)
    versions = [one.version for one in each.versions if one.version]
    if versions and not version:
        yield from ((name, one) for one in versions)
    else:
        yield name, version


def _author(metadata: Mapping[str, Any]) -> str:
    for field in ("authors", "supplier", "manufacturer", "manufacture"):
        given = metadata.get(field)
        first = given[0] if isinstance(given, list) and given else given
        if isinstance(first, dict) and isinstance(first.get("name"), str) and first["name"].strip():
            return str(first["name"])[:200]
    return ""
