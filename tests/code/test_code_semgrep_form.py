from __future__ import annotations

import json

from assaymark.checks.application.code.external_report import attribute
from assaymark.checks.application.code.sarif_in import read_sarif
from assaymark.model.check import Checked, Dialect, Input, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import CodeSite, RuleId
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity


def an_input(text: str, dialect: str) -> Input:
    return Input(sha256(text.encode()), Dialect(dialect), (Part("", text.encode()),))


def test_a_report_in_semgrep_s_form_is_understood() -> None:
    text = "function f(a) {\n  eval(a) // nosemgrep\n}\n"
    rule = {"id": "javascript-eval-of-variable", "defaultConfiguration": {"level": "error"}, "name": "javascript-eval-of-variable"}
    rule["properties"] = {"precision": "very-high", "tags": ["CWE-94", "MEDIUM CONFIDENCE", "security"]}
    place = {"artifactLocation": {"uri": "in/assay-000000/input.js", "uriBaseId": "%SRCROOT%"}}
    region = {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 10, "snippet": {"text": "  eval(a)"}}
    result = {
        "ruleId": rule["id"],
        "message": {"text": "m"},
        "fingerprints": {},
        "locations": [{"physicalLocation": {**place, "region": region}}],
    }
    note = {
        "descriptor": {"id": "Syntax error"},
        "level": "warning",
        "message": {"text": "Syntax error at line in/assay-000001/input.js:1:\n `x` was unexpected"},
    }
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": [note]}
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"rules": [rule]}}, "results": [result], "invocations": [invocation]}]}
    outcomes = attribute(
        "semgrep", [an_input(text, "js"), an_input("(", "js")], [{"input.js": ""}, {"input.js": ""}], read_sarif(json.dumps(log).encode())
    )
    assert isinstance(outcomes, list)
    first, second = outcomes
    assert isinstance(first, Checked)
    (sighting,) = first.sightings
    assert sighting.site == CodeSite(("f",), "eval(a)", "javascript")
    assert (sighting.severity, sighting.confidence, sighting.notes) == (Severity.HIGH, Confidence.MEDIUM, (("cwe", "CWE-94"),))
    assert sighting.suppression is not None
    assert catalogue().class_of(RuleId(sighting.rule)) == "code-injection"
    assert isinstance(second, Unchecked)
    assert (second.reason_class, "assay-" in second.reason) == ("syntax", False)
