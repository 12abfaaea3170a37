from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.application.code.sarif_in import NotSarifError, Region, Report, read_sarif, span_of
from assaymark.model.finding import Span
from assaymark.model.severity import Confidence, Severity


def a_log(*results: dict[str, Any], **run: Any) -> bytes:
    return json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": list(results), **run}]}).encode()


def at(uri: str | None = None, region: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    place = {"artifactLocation": {**({"uri": uri} if uri is not None else {}), **more}, **({"region": region} if region else {})}
    return {"ruleId": "R1", "message": {"text": "m"}, "locations": [{"physicalLocation": place}]}


def one(data: bytes) -> Any:
    (result,) = read_sarif(data).results
    return result


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a/b.py", "a/b.py"),
        ("a%20b/%C3%A9.py", "a b/é.py"),
        ("file:///tmp/x/a%23b.py", "/tmp/x/a#b.py"),
        ("/tmp/x.py", "/tmp/x.py"),
        ("file://host/x.py", "/x.py"),
        ("%ff.py", "\udcff.py"),
        ("", ""),
    ],
)
def test_addresses_become_paths(uri: str, path: str) -> None:
    assert one(a_log(at(uri))).path == path


def test_base_ids_are_resolved_through_each_other_and_loops_end() -> None:
    bases = {"ROOT": {"uri": "file:///srv/"}, "SRC": {"uri": "src/", "uriBaseId": "ROOT"}, "LOOP": {"uri": "l/", "uriBaseId": "LOOP"}}
    assert one(a_log(at("a.py", uriBaseId="SRC"), originalUriBaseIds=bases)).path == "/srv/src/a.py"
    assert one(a_log(at("a.py", uriBaseId="NONE"), originalUriBaseIds=bases)).path == "a.py"
    assert one(a_log(at("a.py", uriBaseId="LOOP"), originalUriBaseIds=bases)).path.endswith("l/a.py")


def test_an_artifact_may_be_named_by_its_index() -> None:
    assert one(a_log(at(None, index=0), artifacts=[{"location": {"uri": "x.py"}}])).path == "x.py"
    assert one(a_log(at(None, index=7), artifacts=[])).path == ""


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({"level": "error"}, {}, Severity.HIGH),
        ({"level": "note"}, {}, Severity.LOW),
        ({"level": "none"}, {}, Severity.INFO),
        ({}, {}, Severity.MEDIUM),
        ({}, {"defaultConfiguration": {"level": "error"}}, Severity.HIGH),
        ({"level": "note"}, {"properties": {"security-severity": "9.8"}}, Severity.CRITICAL),
        ({}, {"properties": {"security-severity": 7.0}}, Severity.HIGH),
        ({}, {"properties": {"security-severity": "4.0"}}, Severity.MEDIUM),
        ({}, {"properties": {"security-severity": "0.1"}}, Severity.LOW),
        ({}, {"properties": {"security-severity": "0"}}, Severity.INFO),
        ({"level": "error"}, {"properties": {"security-severity": "high?"}}, Severity.HIGH),
        ({"properties": {"issue_severity": "LOW"}, "level": "error"}, {}, Severity.LOW),
    ],
)
def test_severity_comes_from_the_result_the_score_or_the_level(result: dict[str, Any], rule: dict[str, Any], severity: Severity) -> None:
    assert one(a_log({**at("x"), **result}, tool={"driver": {"rules": [{"id": "R1", **rule}]}})).severity == severity


@pytest.mark.parametrize(
    ("properties", "confidence"),
    [
        ({"precision": "very-high"}, Confidence.HIGH),
        ({"precision": "very-high", "tags": ["LOW CONFIDENCE"]}, Confidence.LOW),
        ({"issue_confidence": "LOW", "precision": "high"}, Confidence.LOW),
        ({"precision": 3, "tags": "x"}, Confidence.MEDIUM),
    ],
)
def test_confidence_is_read_where_tools_put_it(properties: dict[str, Any], confidence: Confidence) -> None:
    assert one(a_log({**at("x"), "properties": properties})).confidence == confidence


@pytest.mark.parametrize("tags", [["external/cwe/cwe-078"], ["x", "CWE-78: OS command"], ["security", "cwe:78"], "CWE-78"])
def test_cwe_tags_are_understood(tags: Any) -> None:
    assert one(a_log(at("x"), tool={"driver": {"rules": [{"id": "R1", "properties": {"tags": tags}}]}})).cwe == 78


def test_rules_are_found_by_index_by_extension_and_by_id() -> None:
    tool = {"driver": {"rules": [{"id": "D0"}, {"id": "D1"}]}, "extensions": [{"rules": [{"id": "E0", "properties": {"cwe": "CWE-89"}}]}]}
    rows: list[dict[str, Any]] = [
        {"ruleIndex": 1},
        {"rule": {"index": 0, "toolComponent": {"index": 0}}},
        {"rule": {"id": "D0"}},
        {"ruleIndex": 99},
        {},
    ]
    found = read_sarif(a_log(*({"message": {"text": "m"}, **row} for row in rows), tool=tool)).results
    assert [(row.rule, row.cwe) for row in found] == [("D1", 0), ("E0", 89), ("D0", 0), ("unnamed", 0), ("unnamed", 0)]


def test_messages_of_rules_are_filled_in() -> None:
    tool = {"driver": {"rules": [{"id": "R1", "messageStrings": {"a": {"text": "{0} meets {1}"}}, "shortDescription": {"text": "short"}}]}}
    rows: list[dict[str, Any]] = [{"message": {"id": "a", "arguments": ["x", "y"]}}, {"message": {"markdown": "*m*"}}, {}]
    found = read_sarif(a_log(*({"ruleId": "R1", **row} for row in rows), tool=tool)).results
    assert [row.message for row in found] == ["x meets y", "*m*", "short"]


def test_passes_are_no_findings_and_everything_else_is() -> None:
    kinds = ["pass", "notApplicable", "fail", "open", "review", "informational"]
    rows = [{**at("x"), "kind": kind, "ruleId": kind} for kind in kinds]
    assert [row.rule for row in read_sarif(a_log(*rows)).results] == kinds[2:]


def test_only_accepted_suppressions_count() -> None:
    def told(*rows: dict[str, str]) -> str:
        return str(one(a_log({**at("x"), "suppressions": list(rows)})).suppression)

    assert told({"kind": "inSource", "justification": "why"}) == "inSource: why"
    assert told({"kind": "external", "status": "accepted"}) == "external: no reason given"
    assert told({"kind": "external", "status": "underReview"}, {"kind": "external", "status": "rejected"}) == told() == ""


@pytest.mark.parametrize(
    ("invocation", "texts"),
    [
        ({"executionSuccessful": True}, []),
        ({"executionSuccessful": False}, ["the tool says that it did not finish"]),
        ({"executionSuccessful": False, "exitCodeDescription": "boom"}, ["boom"]),
        ({"executionSuccessful": True, "toolExecutionNotifications": [{"level": "error", "message": {"text": "e"}}]}, ["e"]),
        ({"executionSuccessful": True, "toolConfigurationNotifications": [{"level": "error", "message": {"text": "c"}}]}, ["c"]),
        ({"executionSuccessful": True, "toolExecutionNotifications": [{"level": "warning", "message": {"text": "slow rule"}}]}, []),
        (
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "warning", "descriptor": {"id": "Syntax error"}, "message": {"text": "a"}}],
            },
            ["a"],
        ),
    ],
)
def test_what_a_tool_could_not_do_is_told(invocation: dict[str, Any], texts: list[str]) -> None:
    assert [trouble.text for trouble in read_sarif(a_log(invocations=[invocation])).troubles] == texts


def test_several_runs_are_one_report() -> None:
    log = json.loads(a_log(at("x")))
    log["runs"] *= 3
    assert len(read_sarif(json.dumps(log).encode()).results) == 3


TEXT = "one\r\n😀 two\nthree"


@pytest.mark.parametrize(
    ("region", "span"),
    [
        (Region(start_line=2, start_column=4, end_column=7), Span(2, 3, 2, 6)),
        (Region(start_line=1), Span(1, 1, 1, 4)),
        (Region(start_line=1, end_line=3, end_column=3), Span(1, 1, 3, 3)),
        (Region(start_line=1, start_column=99, end_column=2), Span(1, 4, 1, 4)),
        (Region(start_line=2, end_line=99), Span(2, 1, 3, 6)),
        (Region(char_offset=5, char_length=1), Span(2, 1, 2, 2)),
        (Region(byte_offset=5, byte_length=4), Span(2, 1, 2, 2)),
        (Region(char_offset=999, char_length=9), Span(3, 6, 3, 6)),
        (Region(start_line=4), None),
        (Region(), None),
    ],
)
def test_regions_of_every_kind_become_spans_in_the_text(region: Region, span: Span | None) -> None:
    assert span_of(region, TEXT, counts_utf16=True) == span


def test_columns_in_code_points_are_left_alone() -> None:
    assert span_of(Region(start_line=2, start_column=3, end_column=6), TEXT, counts_utf16=False) == Span(2, 3, 2, 6)


@pytest.mark.parametrize(
    "attack",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"version":"2.0.0","runs":[]}',
        b'{"version":"2.1.0"}',
        b'{"version":"2.1.0","runs":[{}]}',
        b'{"version":"2.1.0","runs":[{"tool":{"driver":{"rules":' + b"[" * 200_000,
        b'{"version":"2.1.0","x":' + b"[" * 200_000 + b"]" * 200_000 + b',"runs":[]}',
        b'{"version":"2.1.0","runs":[{"tool":{},"results":[{"properties":{"a":' + b'{"a":' * 100_000,
        b'{"version":"2.1.0","runs":[{"tool":{},"results":[{"message":{"text":"\xff"}}]}]}',
        b"\x00" * 100,
    ],
    ids=[
        "empty",
        "null",
        "list",
        "object",
        "old",
        "no-runs",
        "no-tool",
        "deep-rules",
        "deep-unknown",
        "deep-properties",
        "not-utf-8",
        "nul",
    ],
)
def test_hostile_reports_are_refused_not_believed(attack: bytes) -> None:
    with pytest.raises(NotSarifError):
        read_sarif(attack)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "uri", "text", "index", "level", "tags", "rules"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = ["results", "invocations", "artifacts", "originalUriBaseIds", "columnKind"]
_RESULT = ["ruleId", "ruleIndex", "rule", "level", "kind", "message", "locations", "suppressions", "properties"]


def _read(data: bytes) -> Report | None:
    try:
        return read_sarif(data)
    except NotSarifError:
        return None


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read(data)


@given(
    st.dictionaries(st.sampled_from(_KEYS), _json, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(_RESULT), _json, max_size=4), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_any_json_in_any_field_is_read_or_refused(run: dict[str, Any], results: list[dict[str, Any]]) -> None:
    _read(a_log(*results, **{key: value for key, value in run.items() if key != "results"}))


@given(
    st.builds(
        Region,
        *(st.integers(-5, 30) for _ in range(4)),
        char_offset=st.integers(-5, 40),
        char_length=st.integers(-5, 40),
        byte_offset=st.integers(-5, 40),
        byte_length=st.integers(-5, 40),
    ),
    st.text("a😀\n\r\u2028é\t", max_size=30),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_every_span_lies_in_its_text(region: Region, text: str, utf16: bool) -> None:
    span = span_of(region, text, counts_utf16=utf16)
    if span:
        assert 1 <= span.start_line <= span.end_line <= text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        assert (span.start_line, span.start_column) <= (span.end_line, span.end_column) or region.end_column > 0
        assert min(span.start_column, span.end_column) >= 1
