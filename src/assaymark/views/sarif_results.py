"""One finding as a SARIF result."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from assaymark.model.finding import Finding
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, State
from assaymark.views.causes import is_gap
from assaymark.views.sanitise import one_line, raw_path, visible, visible_lines

BASE = "%SRCROOT%"
_LEVELS = {
    Severity.INFO: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_BASELINE = {
    State.NEW: "new",
    State.CHANGED: "updated",
    State.KNOWN: "unchanged",
    State.NEWLY_KNOWN: "unchanged",
    State.FIXED: "absent",
}
_SNIPPET = 2_000
"""Characters of source that a result carries at most: enough for any statement that a person reads."""


def uri_of(path: str) -> str:
    """A relative URI reference for a path of the subject, also where its bytes are no UTF-8 (RFC 3986, section 2.1)."""
    return quote(raw_path(path.lstrip("/")), safe="/-._~") or "."


def link_safe(text: str) -> str:
    """Text in which SARIF sees no embedded link (section 3.11.6)."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]") if "](" in text else text


def location_of(finding: Finding) -> dict[str, Any]:
    """The place with a whole region, as GitHub wants it; the first line when the finding concerns the whole file."""
    place = finding.place
    region: dict[str, Any] = {"startLine": max(place.line, 1)}
    if place.line:
        region["startColumn"] = max(place.column, 1)
        if place.end_line >= place.line:
            region["endLine"] = place.end_line
            if place.end_column and (place.end_line, place.end_column) > (place.line, place.column):
                region["endColumn"] = place.end_column
    if finding.statement and not is_gap(finding):
        region["snippet"] = {"text": visible_lines(finding.statement)[:_SNIPPET]}
    return {"physicalLocation": {"artifactLocation": {"uri": uri_of(place.path), "uriBaseId": BASE}, "region": region}}


def result_of(judged: Judged, ordinal: int, rule_index: dict[str, int]) -> dict[str, Any]:
    """The result; `ordinal` tells findings of one fingerprint apart."""
    finding = judged.finding
    digits = finding.fingerprint.rpartition(":")[2]
    result: dict[str, Any] = {
        "ruleId": visible(finding.rule),
        "ruleIndex": rule_index[visible(finding.rule)],
        "level": _LEVELS[finding.severity],
        "message": {"text": link_safe(_message(finding))},
        "locations": [location_of(finding)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{visible(digits[:16])}:{ordinal}",
            "assaymark/v1": f"{visible(finding.fingerprint)}:{ordinal}",
        },
        "baselineState": _BASELINE[judged.state],
        "properties": _properties(judged),
    }
    suppressions = _suppressions(judged)
    # An empty array says "looked at, none applies" (section 3.27.23); GitHub and viewers take it as not suppressed.
    result["suppressions"] = suppressions
    return result


def _message(finding: Finding) -> str:
    said = one_line(finding.message) or visible(finding.rule)
    return f"{said} {one_line(finding.fix.advice)}" if finding.fix else said


def _properties(judged: Judged) -> dict[str, Any]:
    finding = judged.finding
    properties: dict[str, Any] = {
        "assaymark/id": visible(finding.short_id),
        "assaymark/state": judged.state.value,
        "assaymark/class": visible(finding.core.rule_class),
        "assaymark/severity": finding.severity.value,
        "assaymark/confidence": finding.confidence.value,
        "assaymark/stops": judged.gates,
        "assaymark/witnesses": [visible(witness.rule) for witness in finding.witnesses],
    }
    if finding.notes:
        properties["assaymark/notes"] = {one_line(name): one_line(value) for name, value in finding.notes}
    return properties


def _suppressions(judged: Judged) -> list[dict[str, Any]]:
    waiver, inline = judged.waiver, judged.finding.suppression
    if waiver:
        kind = "inSource" if waiver.source == "inline" else "external"
        until = f"; until {visible(waiver.until)}" if waiver.until else ""
        owner = f"; owner {one_line(waiver.owner)}" if waiver.owner else ""
        return [{"kind": kind, "status": "accepted", "justification": one_line(waiver.reason) + owner + until}]
    if inline:
        # The comment is there, and the policy does not honour it.
        return [{"kind": "inSource", "status": "rejected", "justification": one_line(inline.marker)}]
    return []
