"""Drifts as SARIF 2.1.0: a result for each; what could not be looked at is a notification, and the run then no success.

What is looked away from is a suppressed result, with its end as the justification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from assaymark import __version__
from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drift.told import Report, outcome
from assaymark.deployment.drift.told.document import member
from assaymark.deployment.drift.told.text import stamp
from assaymark.views.encoding import json_text
from assaymark.views.sanitise import one_line
from assaymark.views.sarif import GITHUB, SCHEMA
from assaymark.views.sarif_results import BASE, link_safe, uri_of

_LEVELS = {Weight.CRITICAL: "error", Weight.HIGH: "error", Weight.MEDIUM: "warning", Weight.LOW: "note"}
_SEVERITIES = {Weight.CRITICAL: "9.5", Weight.HIGH: "8.0", Weight.MEDIUM: "5.0", Weight.LOW: "2.0"}


def render(report: Report) -> str:
    """The log as JSON text."""
    found = [each for each in report.drifts if each.kind != "unseen"]
    kept = found[: GITHUB.results]
    rules = sorted({(each.kind, each.weight) for each in kept})
    index = {rule: number for number, rule in enumerate(rules)}
    gaps = list(_gaps(report))
    if len(kept) < len(found):
        gaps.append(_note("limit", f"{len(found) - len(kept)} of {len(found)} results are left out, to keep to GitHub's limits"))
    run = {
        "tool": {"driver": {"name": "Assaymark drift", "semanticVersion": __version__, "rules": [_rule(*rule) for rule in rules]}},
        "automationDetails": {"id": "assaymark/drift/"},
        "invocations": [{"executionSuccessful": not gaps, "toolExecutionNotifications": gaps[: GITHUB.notifications]}],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The tree, or the container's root"}}},
        "results": [_result(each, index[each.kind, each.weight]) for each in kept],
        "properties": {
            "assaymark/outcome": outcome(report).value,
            "assaymark/looked": [one_line(each) for each in report.looked],
            "assaymark/notes": [one_line(each) for each in report.notes],
        },
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(kind: str, weight: Weight) -> dict[str, Any]:
    text = f"What runs is not what was endorsed: {kind}"
    advice = f"{text}. Replace it by a generation of what is approved; drift cannot be accepted"
    return {
        "id": f"drift/{kind}/{weight}",
        "shortDescription": {"text": text},
        "help": {"text": advice, "markdown": advice},
        "defaultConfiguration": {"level": _LEVELS[weight]},
        "properties": {"security-severity": _SEVERITIES[weight], "precision": "very-high", "tags": ["security", "drift"]},
    }


def _result(drift: Drift, index: int) -> dict[str, Any]:
    what, where = one_line(drift.what), one_line(drift.where)
    seal = hashlib.sha256(f"{where}\0{what}\0{drift.kind}".encode("utf-8", "surrogateescape")).hexdigest()
    text = f"{what} in {where}: expected {one_line(drift.expected)}, observed {one_line(drift.observed)}"
    found: dict[str, Any] = {
        "ruleId": f"drift/{drift.kind}/{drift.weight}",
        "ruleIndex": index,
        "level": _LEVELS[drift.weight],
        "message": {"text": link_safe(text)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri_of(what), "uriBaseId": BASE}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": f"{where}: {what}", "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{seal[:16]}:1"},
        "properties": {
            f"assaymark/{name}": value for name, value in member(drift).items() if name in {"action", "until", "cause", "weight"}
        },
    }
    if drift.action is Action.IGNORE:
        found["suppressions"] = [{"kind": "external", "justification": f"looked away from until {stamp(drift.until)}"}]
    return found


def _gaps(report: Report) -> Iterator[dict[str, Any]]:
    for each in report.drifts:
        if each.kind == "unseen":
            yield _note("unseen", f"{one_line(each.what)} in {one_line(each.where)} could not be looked at: {one_line(each.observed)}")


def _note(name: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": f"assaymark/{name}"}, "level": "error", "message": {"text": text}}
