"""A verdict's components as an OpenVEX document (specification 0.2.0). Pure: author and time are arguments.

One statement per finding about a component: what somebody decided (a waiver, an earlier statement), else ``under_investigation``. A waiver
is a risk that somebody accepts, so it says ``affected`` with that as the action; only a reason that begins with one of OpenVEX's
justifications and a colon says ``not_affected``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from assaymark.model.component_notes import advisories_of, package_of, versions_of
from assaymark.model.digest import digest_of
from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, State, Verdict, WaiverRef

CONTEXT = "https://openvex.dev/ns/v0.2.0"
JUSTIFICATIONS = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)


def render_openvex(verdict: Verdict, author: str, when: str) -> str:
    """The document as JSON text; equal verdicts give equal documents."""
    rows: dict[str, Mapping[str, object]] = {}
    for judged in verdict.findings:
        if judged.finding.core.kind is Kind.COMPONENT and judged.state is not State.FIXED:
            row = _statement(judged)
            rows.setdefault(json.dumps(row, sort_keys=True), row)
    statements = [rows[key] for key in sorted(rows)]
    document = {
        "@context": CONTEXT,
        "@id": f"https://openvex.dev/docs/public/vex-{digest_of([author, when, statements]).partition(':')[2]}",
        "author": author,
        "timestamp": when,
        "version": 1,
        "tooling": f"assaymark {verdict.tool_version}",
        "statements": statements,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _statement(judged: Judged) -> dict[str, object]:
    finding = judged.finding
    name, *aliases = advisories_of(finding)
    vulnerability: dict[str, object] = {"name": name, **({"aliases": aliases} if aliases else {})}
    return {"vulnerability": vulnerability, "products": _products(package_of(finding), versions_of(finding)), **_decided(judged)}


def _products(package: str, versions: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": f"{package}@{quote(version, safe='.-_~')}"} for version in versions] or [{"@id": package}]


def _decided(judged: Judged) -> dict[str, str]:
    if judged.waiver is None or judged.waiver.source == "inline":
        note = judged.finding.fix.advice if judged.finding.fix else "not looked at yet"
        return {"status": "under_investigation", "status_notes": note}
    return _of_statement(judged.waiver) if judged.waiver.source == "vex" else _of_waiver(judged.waiver)


def _of_waiver(waiver: WaiverRef) -> dict[str, str]:
    justification, colon, rest = waiver.reason.partition(":")
    if colon and justification.strip() in JUSTIFICATIONS:
        return {"status": "not_affected", "justification": justification.strip(), "impact_statement": rest.strip() or waiver.reason}
    return {"status": "affected", "action_statement": f"Accepted until {waiver.until} by {waiver.owner}: {waiver.reason}"}


def _of_statement(waiver: WaiverRef) -> dict[str, str]:
    """As it was said: status, then justification, then the rest."""
    status, _, said = waiver.reason.partition(": ")
    if status != "not_affected":
        return {"status": status, **({"status_notes": said} if said else {})}
    word, _, rest = said.partition(" ")
    return {
        "status": status,
        **({"justification": word, "impact_statement": rest or said} if word in JUSTIFICATIONS else {"impact_statement": said}),
    }
