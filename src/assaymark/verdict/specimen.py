"""One finding, component, change, subject and verdict that stand for all: conditions are tried over them when a policy is read, and
examples say only in what they differ. Pure data; a test holds it to be of the form that real ones have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from assaymark.verdict.organisation import Example
from assaymark.verdict.seen_by_rules import RANK

SPECIMEN: Mapping[str, Any] = {
    "rank": RANK,
    "finding": {
        "fingerprint": "v1:00000000000000000000000000000000",
        "rule": "ruff/S608",
        "rules": ["ruff/S608"],
        "checks": ["ruff"],
        "family": "sql-injection",
        "kind": "code",
        "layer": "application",
        "severity": "high",
        "rank": 3,
        "confidence": "high",
        "state": "new",
        "gates": True,
        "waived": False,
        "path": "shop/orders.py",
        "line": 12,
        "message": "SQL is built from text",
        "fixable": False,
        "package": "",
        "advisory": "",
        "notes": {},
    },
    "component": {
        "purl": "pkg:pypi/requests@2.32.0",
        "package": "pkg:pypi/requests",
        "version": "2.32.0",
        "ecosystem": "PyPI",
        "path": "requirements.txt",
        "approved": False,
        "state": "not-endorsed",
        "why": ["not-endorsed"],
        "instead": "2.31.0",
        "known_days": -1,
        "advisories": [],
        "direct": True,
        "development": False,
    },
    "change": {
        "actor": "ana",
        "program": False,
        "trigger": "merge-request",
        "merge_request": 7,
        "title": "Add orders",
        "day": "2026-11-28",
        "brings": {"info": 0, "low": 0, "medium": 0, "high": 1, "critical": 0},
        "repairs": {"info": 0, "low": 0, "medium": 0, "high": 0, "critical": 0},
    },
    "subject": {"kind": "merge-request", "name": "shop/web !7", "repository": "shop/web", "team": "shop", "branch": "main"},
    "verdict": {
        "outcome": "fail",
        "level": "production",
        "fail_on": "medium",
        "min_confidence": "medium",
        "unproven": "stop",
        "inline_waivers": "ratchet",
        "max_waiver_days": 180,
        "approver_required": False,
        "stopping": 1,
        "reasons": ["new-finding"],
        "open": {"info": 0, "low": 0, "medium": 0, "high": 1, "critical": 0},
        "waived": 0,
        "unchecked": 0,
    },
    "decisions": [
        {
            "source": "policy",
            "reason": "input comes from our own job",
            "owner": "ana@example.org",
            "until": "2026-12-31",
            "days": 33,
            "family": "weak-hash",
            "severity": "medium",
            "rank": 2,
            "state": "known",
        }
    ],
}
"""Without its notes a finding has none: conditions ask `has(finding.notes.…)` first."""


def laid_over(example: Example) -> dict[str, Any]:
    """The specimen with what an example says otherwise; `rank` of a finding follows its severity unless it is said."""
    finding = {**example.finding}
    if "severity" in finding and "rank" not in finding:
        finding["rank"] = RANK.get(finding["severity"], 0)
    world: dict[str, Any] = dict(SPECIMEN)
    for name, said in (
        ("finding", finding),
        ("component", example.component),
        ("change", example.change),
        ("subject", example.subject),
        ("verdict", example.verdict),
    ):
        world[name] = {
            key: {**value, **said[key]} if isinstance(value, dict) and isinstance(said.get(key), dict) else said.get(key, value)
            for key, value in SPECIMEN[name].items()
        }
    if example.decisions is not UNSET:
        base = SPECIMEN["decisions"][0]
        world["decisions"] = [{**base, **each} for each in example.decisions]
    return world
