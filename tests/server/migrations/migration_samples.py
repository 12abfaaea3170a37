"""Exports as the two platforms write them, put together by their documented fields."""

from __future__ import annotations

import json
from typing import Any

TEST = {
    "id": 5,
    "scan_type": "Trivy Scan",
    "test_type": {"id": 2, "name": "Trivy Scan", "static_tool": True},
    "engagement": {
        "id": 4,
        "name": "nightly",
        "target_start": "2026-01-01",
        "product": {"id": 7, "name": "Shop", "prod_type": {"id": 1, "name": "Web Team", "critical_product": True, "key_product": False}},
    },
}


def dojo_finding(number: int, **more: Any) -> dict[str, Any]:
    """A finding as `/api/v2/findings/?related_fields=true` gives it."""
    return {
        "id": number, "test": 5, "title": f"CVE-2020-8203 lodash {number}", "severity": "High", "active": True,
        "description": "harm", "date": "2025-03-04", "component_name": f"lodash{number}", "component_version": "4.17.15",
        "file_path": "package-lock.json", "vulnerability_ids": [{"vulnerability_id": "CVE-2020-8203"}], "duplicate": False,

        "false_p": False, "numerical_severity": "S1", "is_mitigated": False,
        "risk_accepted": False, "out_of_scope": False, "endpoints": [], "notes": [], "cwe": 1321, "line": None,
        "reporter": 3, "related_fields": {"test": json.loads(json.dumps(TEST))}, **more,
    }  # fmt: skip


def page(*rows: dict[str, Any], following: str | None = None) -> bytes:
    """A page of its API."""
    return json.dumps({"count": len(rows), "next": following, "previous": None, "results": list(rows)}).encode()


def dojo() -> list[bytes]:
    """Findings in every standing, an accepted risk, a note, and a user."""
    note = {"id": 9, "entry": "looked at it", "author": {"id": 3, "username": "ana"}, "date": "2025-04-01T00:00:00Z", "private": False}
    findings = [
        dojo_finding(1, notes=[note]),
        dojo_finding(2, risk_accepted=True, active=False),
        dojo_finding(3, false_p=True, active=False),
        dojo_finding(4, duplicate=True),
        dojo_finding(5, is_mitigated=True, active=False),
        dojo_finding(
            6, component_name=None, vulnerability_ids=[], file_path="src/a.py", line=3, title="SQL", vuln_id_from_tool="B608", cwe=89
        ),
    ]
    risk = {
        "id": 8,
        "name": "until the move",
        "accepted_findings": [2],
        "accepted_by": "ciso",
        "expiration_date": "2099-01-01T00:00:00Z",
        "owner": 3,
    }
    users = {"id": 3, "username": "ana", "email": "x"}
    return [page(risk), page(users), page(*findings)]


PROJECT = {"uuid": "1f-a", "name": "shop", "version": "1.2", "classifier": "APPLICATION", "active": True, "tags": [{"name": "web"}]}


def track() -> list[bytes]:
    """A project, its findings with analyses, and its bill."""

    def finding(name: str, advisory: str, analysis: dict[str, Any]) -> dict[str, Any]:
        return {
            "component": {"name": name, "version": "1.0", "purl": f"pkg:npm/{name}@1.0", "project": "1f-a"},
            "vulnerability": {
                "vulnId": advisory,
                "source": "NVD",
                "severity": "HIGH",
                "aliases": [{"cveId": advisory}],
                "description": "harm",
            },
            "analysis": analysis,
            "attribution": {"attributedOn": "2025-01-02"},
        }

    export = {
        "version": "1.5",
        "meta": {"application": "Dependency-Track", "version": "4.13"},
        "project": {name: PROJECT[name] for name in ("uuid", "name", "version")},
        "findings": [
            finding("a", "CVE-2020-1", {"isSuppressed": False}),
            finding(
                "b",
                "CVE-2020-2",
                {"state": "NOT_AFFECTED", "isSuppressed": True, "justification": "CODE_NOT_REACHABLE", "detail": "never called"},
            ),
            finding("c", "CVE-2020-3", {"state": "IN_TRIAGE", "isSuppressed": False}),
        ],
    }
    bill = {
        "bomFormat": "CycloneDX", "specVersion": "1.5",
        "metadata": {"component": {"name": "shop", "version": "1.2", "type": "application", "bom-ref": "x"}},
        "components": [{"type": "library", "bom-ref": n, "name": n, "version": "1.0", "purl": f"pkg:npm/{n}@1.0"} for n in "abc"],
    }  # fmt: skip
    return [json.dumps(bill).encode(), json.dumps(export).encode(), json.dumps([PROJECT]).encode()]
