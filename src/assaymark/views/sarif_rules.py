"""Rules, their help and the CWE taxonomy of a SARIF run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assaymark.model.finding import Finding
from assaymark.model.rules import RuleInfo
from assaymark.model.severity import Confidence
from assaymark.model.verdict import Verdict
from assaymark.views.causes import cwe_of, owasp_of, rule_of
from assaymark.views.explain import Explanation, plain
from assaymark.views.options import Explain
from assaymark.views.sanitise import one_line, shortened, visible
from assaymark.views.sarif_results import link_safe

DESCRIPTION = 1_024
"""Characters that GitHub takes of a description."""
TAGS = 10
"""Tags per rule that GitHub keeps."""
_PRECISION = {Confidence.LOW: "low", Confidence.MEDIUM: "medium", Confidence.HIGH: "high"}
_LEVELS = ("note", "note", "warning", "error", "error")


def cwe_url(cwe: int) -> str:
    return f"https://cwe.mitre.org/data/definitions/{cwe}.html"


def rules_of(verdict: Verdict, findings: Sequence[Finding], explain: Explain) -> list[dict[str, Any]]:
    """One descriptor per rule that speaks for a finding, by id."""
    # Two raw ids may look alike once visible; the index must not.
    named = {visible(finding.rule): rule_of(verdict, finding) for finding in findings}
    return [_rule(name, named[name], explain(named[name].rule_class)) for name in sorted(named)]


def _rule(name: str, rule: RuleInfo, page: Explanation | None) -> dict[str, Any]:
    title = one_line(rule.title) or name
    cwe = cwe_of(rule.rule_class)
    described: dict[str, Any] = {
        "id": name,
        "name": name.replace("/", "-"),
        "shortDescription": {"text": shortened(title, DESCRIPTION)},
        "fullDescription": {"text": link_safe(shortened(page.in_short if page else title, DESCRIPTION))},
        "help": _help(title, rule, page),
        "defaultConfiguration": {"level": _LEVELS[rule.severity.rank]},
        "properties": {
            "security-severity": f"{rule.severity.score:.1f}",
            "precision": _PRECISION[rule.confidence],
            "problem.severity": {"note": "recommendation"}.get(_LEVELS[rule.severity.rank], _LEVELS[rule.severity.rank]),
            "tags": _tags(rule, cwe),
        },
    }
    uri = rule.url if rule.url.startswith(("https://", "http://")) and rule.url.isascii() and rule.url.isprintable() else ""
    uri = uri if " " not in uri else ""
    if uri or cwe:
        described["helpUri"] = uri or cwe_url(cwe)
    if cwe:
        described["relationships"] = [{"target": {"id": f"CWE-{cwe}", "toolComponent": {"name": "CWE"}}, "kinds": ["superset"]}]
    return described


def _tags(rule: RuleInfo, cwe: int) -> list[str]:
    tags = ["security", visible(rule.rule_class)]
    if cwe:
        tags.insert(1, f"external/cwe/cwe-{cwe:03d}")
    tags += [f"OWASP-{place}" for place in owasp_of(rule.rule_class)]
    return [*tags, *(visible(alias) for alias in rule.aliases)][:TAGS]


def _help(title: str, rule: RuleInfo, page: Explanation | None) -> dict[str, str]:
    if page:
        parts = (page.title, plain(page.why), plain(page.exploit), plain(page.advice), *(f"{r.label}: {r.url}" for r in page.references))
        return {"text": link_safe("\n\n".join(part for part in parts if part)), "markdown": page.source}
    more = f" {visible(rule.url)}" if rule.url else ""
    return {"text": link_safe(f"{title}.{more}")}


def taxonomy_of(rules: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The part of CWE that the rules speak of."""
    used = {target["target"]["id"] for rule in rules for target in rule.get("relationships", ())}
    if not used:
        return None
    return {
        "name": "CWE",
        "organization": "MITRE",
        "informationUri": "https://cwe.mitre.org/",
        "shortDescription": {"text": "Common Weakness Enumeration"},
        "taxa": [
            {"id": cwe, "helpUri": cwe_url(int(cwe[4:])), "shortDescription": {"text": cwe}}
            for cwe in sorted(used, key=lambda name: int(name[4:]))
        ],
    }
