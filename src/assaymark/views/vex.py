"""What a server knows of vulnerabilities in components, as OpenVEX (0.2.0) or as CycloneDX VEX (1.6). Pure: author and time are arguments.

One statement per component, vulnerability and answer. A risk that somebody bears is ``affected``, with that as the action: only who said
that it does no harm is quoted so. What nobody decided is under investigation.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from assaymark.model.decision import Decision, DecisionKind
from assaymark.model.digest import digest_of
from assaymark.views.openvex import CONTEXT, JUSTIFICATIONS


class Form(StrEnum):
    """Which kind of document."""

    OPENVEX = "openvex"
    CYCLONEDX = "cyclonedx"


class Known(Struct, frozen=True, order=True):
    """A vulnerability of a component that stands open in something."""

    advisory: str
    package: str
    """Package URL without version."""
    aliases: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    own: str = ""
    """What the repository itself says of it: source, reason, owner, day; empty when it says nothing."""


Row = tuple[Known, Decision | None]
_ANALYSIS: Mapping[DecisionKind, str] = {
    DecisionKind.NOT_AFFECTED: "not_affected",
    DecisionKind.FALSE_POSITIVE: "false_positive",
    DecisionKind.FIXED: "resolved",
}
_CYCLONE: Mapping[str, str] = {
    "component_not_present": "code_not_present",
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "vulnerable_code_cannot_be_controlled_by_adversary": "requires_environment",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
}


def render(form: Form, rows: Iterable[Row], author: str, when: str) -> str:
    """The document as JSON text; the same rows, author and time give the same document, whatever their order."""
    ordered = sorted(rows, key=lambda row: (row[0], row[1].id if row[1] else 0))
    made = _openvex(ordered, author, when) if form is Form.OPENVEX else _cyclonedx(ordered, author, when)
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def purls(known: Known) -> list[str]:
    """Package URLs of the component as it is there."""
    return [f"{known.package}@{quote(version, safe='.-_~')}" for version in known.versions] or [known.package]


def _openvex(rows: Sequence[Row], author: str, when: str) -> dict[str, Any]:
    statements: dict[str, dict[str, Any]] = {}
    for known, decision in rows:
        vulnerability = {"name": known.advisory, **({"aliases": list(known.aliases)} if known.aliases else {})}
        row = {"vulnerability": vulnerability, "products": [{"@id": each} for each in purls(known)], **_status(known, decision)}
        statements.setdefault(json.dumps(row, sort_keys=True), row)
    found = [statements[key] for key in sorted(statements)]
    return {
        "@context": CONTEXT,
        "@id": f"https://openvex.dev/docs/public/vex-{digest_of([author, when, found]).partition(':')[2]}",
        "author": author,
        "timestamp": when,
        "version": 1,
        "tooling": "assaymark",
        "statements": found,
    }


def _status(known: Known, decision: Decision | None) -> dict[str, str]:
    if decision is None:
        return {
            "status": "under_investigation",
            "status_notes": f"let through by the repository: {known.own}" if known.own else "not decided",
        }
    said = f"{decision.reason} ({decision.owner}, until {decision.until})"
    match decision.kind:
        case DecisionKind.NOT_AFFECTED | DecisionKind.FALSE_POSITIVE:
            word = decision.justification
            return {"status": "not_affected", **({"justification": word.value} if word else {}), "impact_statement": said}
        case DecisionKind.FIXED:
            return {"status": "fixed", "status_notes": said}
        case _:
            verb = "Accepted" if decision.kind is DecisionKind.ACCEPT else "To be repaired, waived"
            return {"status": "affected", "action_statement": f"{verb} until {decision.until} by {decision.owner}: {decision.reason}"}


def _cyclonedx(rows: Sequence[Row], author: str, when: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for known, decision in rows:
        analysis = _analysis(known, decision)
        key = json.dumps([known.advisory, analysis], sort_keys=True)
        row = found.setdefault(key, {"id": known.advisory, **_references(known), "analysis": analysis, "affects": []})
        row["affects"] += [{"ref": each} for each in purls(known) if {"ref": each} not in row["affects"]]
    vulnerabilities = [found[key] for key in sorted(found)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, digest_of([author, when, vulnerabilities]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "authors": [{"name": author}],
            "tools": {"components": [{"type": "application", "name": "assaymark"}]},
        },
        "vulnerabilities": vulnerabilities,
    }


def _references(known: Known) -> dict[str, Any]:
    found = [{"id": each, "source": {"name": each.partition("-")[0]}} for each in known.aliases]
    return {"references": found} if found else {}


def _analysis(known: Known, decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {"state": "in_triage", **({"detail": f"let through by the repository: {known.own}"} if known.own else {})}
    detail = f"{decision.reason} ({decision.owner}, until {decision.until})"
    state = _ANALYSIS.get(decision.kind)
    if state is None:
        return {
            "state": "exploitable",
            "response": ["will_not_fix" if decision.kind is DecisionKind.ACCEPT else "update"],
            "detail": detail,
        }
    word = _CYCLONE.get(decision.justification or "") if state == "not_affected" else None
    return {"state": state, **({"justification": word} if word else {}), "detail": detail}


assert set(_CYCLONE) == set(JUSTIFICATIONS)  # noqa: S101 - both are the words of OpenVEX
