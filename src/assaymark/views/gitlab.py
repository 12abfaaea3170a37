"""GitLab's reports: code quality (shown in every tier) and the security reports of schema 15.

Open findings that are not waived go in; GitLab compares branches itself and takes no waivers, so what is waived is counted in a message
of the security reports. Fingerprints and tracking signatures are ours, so a moved finding stays the same finding there too.
Paths that are no UTF-8 are written visibly, because GitLab's reports are JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from assaymark.errors import UsageError
from assaymark.model.digest import sha256
from assaymark.model.finding import Finding, Kind
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, State, Verdict
from assaymark.views.causes import OPEN, cwe_of, is_gap, ordinals, owasp_of, rule_of
from assaymark.views.encoding import json_text
from assaymark.views.options import Options
from assaymark.views.sanitise import one_line, visible, visible_lines
from assaymark.views.sarif_rules import cwe_url

SCHEMA_VERSION = "15.2.1"
IDENTIFIERS = 20
"""GitLab keeps no more per vulnerability."""
_NAME, _SOLUTION, _DESCRIPTION = 255, 7_000, 100_000
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
_COMMIT = re.compile(r"git-sha(?:1|256):([0-9a-f]{40,64})")
_NO_COMMIT = "0" * 40
"""What git itself writes where there is no commit."""
_QUALITY = {
    Severity.INFO: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}


def _open(verdict: Verdict) -> list[tuple[Judged, int]]:
    """Findings that are open and not waived, with their ordinals."""
    listed = (j for j in verdict.findings if j.state in OPEN and j.waiver is None and not is_gap(j.finding))
    return ordinals(listed)


def _identity(finding: Finding, ordinal: int) -> str:
    return f"{visible(finding.fingerprint)}:{ordinal}"


# --- code quality ----------------------------------------------------------------------------------------------------


def render_codequality(verdict: Verdict, options: Options | None = None) -> str:
    """The code quality report: an array of issues, each with a fingerprint of its own."""
    del options
    return json_text([_issue(judged.finding, ordinal) for judged, ordinal in _open(verdict)])


def _issue(finding: Finding, ordinal: int) -> dict[str, Any]:
    lines = {"begin": max(finding.place.line, 1)}
    if finding.place.end_line > finding.place.line:
        lines["end"] = finding.place.end_line
    issue = {
        "type": "issue",
        "check_name": visible(finding.rule),
        "description": one_line(finding.message) or visible(finding.rule),
        "categories": ["Security"],
        "severity": _QUALITY[finding.severity],
        "fingerprint": sha256(_identity(finding, ordinal).encode()).removeprefix("sha256:"),
        "location": {"path": visible(finding.place.path), "lines": lines},
    }
    if finding.fix:
        issue["content"] = {"body": one_line(finding.fix.advice)}
    return issue


# --- security reports ------------------------------------------------------------------------------------------------


def render_sast(verdict: Verdict, options: Options | None = None) -> str:
    """The SAST report: everything but secrets.

    Raises:
        UsageError: when the options name no start or end of the run.
    """
    listed = [(j, ordinal) for j, ordinal in _open(verdict) if j.finding.core.kind is not Kind.SECRET]
    return _report(verdict, options or Options(), "sast", listed)


def render_secrets(verdict: Verdict, options: Options | None = None) -> str:
    """The secret detection report.

    Raises:
        UsageError: when the options name no start or end of the run.
    """
    listed = [(j, ordinal) for j, ordinal in _open(verdict) if j.finding.core.kind is Kind.SECRET]
    return _report(verdict, options or Options(), "secret_detection", listed)


def _report(verdict: Verdict, options: Options, kind: str, listed: Sequence[tuple[Judged, int]]) -> str:
    if not (_TIME.fullmatch(options.started) and _TIME.fullmatch(options.finished)):
        raise UsageError(
            "GitLab's security reports need the start and end of the run",
            why=f"got {options.started!r} and {options.finished!r}, want UTC times like 2026-01-31T12:00:00",
            advice="pass both times",
        )
    vendor = {"id": "assaymark", "name": "Assaymark", "version": visible(verdict.tool_version) or "0", "vendor": {"name": "Assaymark"}}
    name = kind.replace("_", "-")
    return json_text(
        {
            "version": SCHEMA_VERSION,
            "schema": f"https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v{SCHEMA_VERSION}/dist/{name}-report-format.json",
            "scan": {
                "type": kind,
                "status": "success",
                "start_time": options.started,
                "end_time": options.finished,
                "analyzer": vendor,
                "scanner": vendor,
                "messages": _messages(verdict, kind),
            },
            "vulnerabilities": [_vulnerability(verdict, judged.finding, ordinal, kind) for judged, ordinal in listed],
        }
    )


def _messages(verdict: Verdict, kind: str) -> list[dict[str, str]]:
    said = [f"assaymark: {verdict.outcome.value} at policy level {visible(verdict.policy_level)}"]
    waived = sum(
        (j.finding.core.kind is Kind.SECRET) == (kind == "secret_detection") and not is_gap(j.finding)
        for j in verdict.findings
        if j.waiver is not None and j.state is not State.FIXED
    )
    said += [f"{waived} waived findings are left out"] if waived else []
    gaps = [j.finding for j in verdict.findings if is_gap(j.finding) and j.state in OPEN]
    messages = [{"level": "info", "value": text} for text in said]
    return messages + [{"level": "warn", "value": f"{visible(g.place.path)}: {one_line(g.message)}"} for g in gaps]


def _vulnerability(verdict: Verdict, finding: Finding, ordinal: int, kind: str) -> dict[str, Any]:
    rule = rule_of(verdict, finding)
    made: dict[str, Any] = {
        "id": _uuid(_identity(finding, ordinal)),
        "name": one_line(rule.title)[:_NAME] or visible(finding.rule)[:_NAME],
        "description": _description(finding),
        "severity": finding.severity.value.capitalize(),
        "identifiers": _identifiers(verdict, finding),
        "location": _place(verdict, finding, kind),
        "tracking": _tracking(finding, ordinal),
    }
    if finding.fix:
        made["solution"] = one_line(finding.fix.advice)[:_SOLUTION]
    if rule.url.startswith(("https://", "http://")):
        made["links"] = [{"url": visible(rule.url)}]
    if finding.statement:
        made["raw_source_code_extract"] = visible_lines(finding.statement)[:_SOLUTION]
    return made


def _description(finding: Finding) -> str:
    """GitLab renders it as Markdown, so it stands in a code block that its content cannot end."""
    told = "\n".join(f"{visible(w.rule)}: {one_line(w.message)}" for w in finding.witnesses)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", told)), default=0))
    return f"{fence}\n{told[:_DESCRIPTION]}\n{fence}"


def _identifiers(verdict: Verdict, finding: Finding) -> list[dict[str, str]]:
    rule = rule_of(verdict, finding)
    listed = [{"type": "assaymark_rule", "name": one_line(rule.title) or visible(rule.id), "value": visible(finding.rule)}]
    cwe = cwe_of(finding.core.rule_class)
    if cwe:
        listed.append({"type": "cwe", "name": f"CWE-{cwe}", "value": str(cwe), "url": cwe_url(cwe)})
    listed += [{"type": "owasp", "name": place, "value": place} for place in owasp_of(finding.core.rule_class)]
    listed += [{"type": "assaymark_rule", "name": visible(w.rule), "value": visible(w.rule)} for w in finding.witnesses[1:]]
    return listed[:IDENTIFIERS]


def _place(verdict: Verdict, finding: Finding, kind: str) -> dict[str, Any]:
    place: dict[str, Any] = {"file": visible(finding.place.path), "start_line": max(finding.place.line, 1)}
    if finding.place.end_line > finding.place.line:
        place["end_line"] = finding.place.end_line
    if kind == "secret_detection":
        commit = _COMMIT.fullmatch(verdict.head.digest)
        known = commit is not None and verdict.head.kind == "commit"
        place["commit"] = {"sha": commit[1] if commit and known else _NO_COMMIT}
    return place


def _tracking(finding: Finding, ordinal: int) -> dict[str, Any]:
    signature = {"algorithm": "scope_offset", "value": _identity(finding, ordinal)}
    line = max(finding.place.line, 1)
    item = {"file": visible(finding.place.path), "start_line": line, "end_line": max(finding.place.end_line, line)}
    return {"type": "source", "items": [{**item, "signatures": [signature]}]}


def _uuid(identity: str) -> str:
    """A UUID of version 8 (RFC 9562): custom, from our identity."""
    digits = sha256(identity.encode()).removeprefix("sha256:")[:32]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
