"""Findings, sides and documents for tests of the organisation's policies."""

from __future__ import annotations

import datetime as dt
from typing import Any

from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Fingerprint, Kind, Layer, Place, RuleClassId, RuleId, Witness
from assaymark.model.severity import Confidence, Severity
from assaymark.verdict import decide as judge
from assaymark.verdict.given import Given
from assaymark.verdict.organisation import OrganisationPolicy, in_force_for
from assaymark.verdict.organisation_file import parse_one
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import About

TODAY = dt.date(2026, 11, 28)


def finding(name: str = "a", severity: Severity = Severity.HIGH, path: str = "shop/orders.py", **more: Any) -> Finding:
    kind = more.get("kind", Kind.CODE)
    family = RuleClassId(more.get("family", "sql-injection"))
    parts = ("ruff", "file", name) if kind is Kind.UNCHECKED else ("scope", name)
    return Finding(
        fingerprint=Fingerprint(f"v1:{name:0<32}"),
        core=Core(kind, family, parts),
        place=Place(path, more.get("line", 3)),
        layer=Layer.APPLICATION,
        severity=severity,
        confidence=more.get("confidence", Confidence.HIGH),
        witnesses=(Witness(CheckId("ruff"), RuleId(more.get("rule", "ruff/S608")), f"message of {name}"),),
        input=Digest(f"sha256:{name}"),
    )


def document(rules: str = "", floor: str = "", applies: str = "", name: str = "base", version: str = "1.0.0") -> str:
    parts = [f"kind: Policy\nmetadata: {{name: {name}, version: {version}}}"]
    parts += [f"applies: {applies}"] if applies else []
    parts += [f"floor: {floor}"] if floor else []
    parts += [f"rules:\n{rules}"] if rules else []
    return "\n".join(parts) + "\n"


def rule(when: str, action: str = "stop", name: str = "r", **more: str) -> str:
    lines = [f"  - id: {name}", f"    when: '{when}'", f"    action: {action}", "    message: not here", "    advice: repair it"]
    return "\n".join([*lines, *(f"    {key}: {value}" for key, value in more.items())]) + "\n"


def policy(text: str) -> OrganisationPolicy:
    return parse_one(text.encode(), "policy.yaml")


def given(*texts: str, about: About | None = None, **more: Any) -> Given:
    about = about or About(kind="merge-request", repository="shop/web", team="shop", branch="main")
    rules, floors = in_force_for(tuple(map(policy, texts)), about)
    return Given(rules=rules, floors=floors, about=about, **more)


def decided(new: list[Finding], *texts: str, old: list[Finding] | None = None, own: Policy | None = None, **more: Any) -> judge.Decision:
    own = own or Policy()
    asked = given(*texts, **more)
    return judge.decide(judge.Side(old or [], own), judge.Side(new, own), today=TODAY, given=asked)
