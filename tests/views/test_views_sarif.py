"""SARIF says what GitHub and other readers need, and never drops a result silently."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.views import views_sample as sample

from assaymark.model.finding import CheckId, Layer
from assaymark.model.severity import Severity
from assaymark.model.verdict import CheckRun, Judged, State, Verdict
from assaymark.views import sarif
from assaymark.views.sarif import Limits
from assaymark.views.sarif_results import uri_of


def log_of(verdict: Verdict, limits: Limits = sarif.GITHUB, **changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    options = msgspec.structs.replace(sample.OPTIONS, **changes)
    text, said = sarif.build(verdict, options, limits)
    return json.loads(text), said


def results_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    return [result for run in log["runs"] for result in run["results"]]


def notes_of(log: dict[str, Any]) -> list[str]:
    return [note["message"]["text"] for run in log["runs"] for i in run["invocations"] for note in i["toolExecutionNotifications"]]


def test_one_run_per_check_with_a_stable_category() -> None:
    log, said = log_of(sample.rich(), category="shop/ci")
    assert [run["automationDetails"]["id"] for run in log["runs"]] == [
        "shop/ci/secrets/", "shop/ci/ruff/", "shop/ci/zizmor/", "shop/ci/semgrep/",
    ]  # fmt: skip
    assert len({run["tool"]["driver"]["name"] for run in log["runs"]}) == 4
    assert said == ()


def test_states_become_baseline_states_and_fixed_ones_are_opt_in() -> None:
    def states(**changes: Any) -> list[str]:
        return sorted(result["baselineState"] for result in results_of(log_of(sample.rich(), **changes)[0]))

    assert states() == ["new"] * 6 + ["unchanged"] * 2 + ["updated"]
    assert states(fixed_in_sarif=True) == ["absent"] + ["new"] * 6 + ["unchanged"] * 2 + ["updated"]


def test_copies_of_one_finding_have_fingerprints_of_their_own() -> None:
    log, _ = log_of(sample.rich())
    pairs = [result["partialFingerprints"] for result in results_of(log)]
    for key in ("primaryLocationLineHash", "assaymark/v1"):
        values = [pair[key] for pair in pairs]
        assert len(set(values)) == len(values)
    first = sample.fingerprint("first")
    assert {p["assaymark/v1"] for p in pairs if p["assaymark/v1"].startswith(first)} == {f"{first}:1", f"{first}:2"}
    assert all(len(p["primaryLocationLineHash"].split(":")[0]) == 16 for p in pairs)


def test_waivers_are_suppressions_and_unhonoured_comments_are_rejected_ones() -> None:
    honoured = results_of(log_of(sample.rich())[0])
    kinds = {result["suppressions"][0]["kind"]: result["suppressions"][0] for result in honoured if result["suppressions"]}
    assert kinds["external"]["status"] == kinds["inSource"]["status"] == "accepted"
    assert kinds["external"]["justification"] == "mirror is read-only; owner ops; until 2027-01-31"
    (finding,) = [j.finding for j in sample.rich().findings if j.finding.suppression]
    (refused,) = results_of(log_of(sample.verdict_of([Judged(finding, State.NEW)]))[0])
    assert refused["suppressions"] == [{"kind": "inSource", "status": "rejected", "justification": "# nosec B608"}]


def test_rules_carry_what_github_asks_for() -> None:
    log, _ = log_of(sample.rich())
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert {"startLine"} <= set(result["locations"][0]["physicalLocation"]["region"])
        for rule in rules:
            properties = rule["properties"]
            assert rule["shortDescription"]["text"]
            assert rule["help"]["text"]
            assert 0 <= float(properties["security-severity"]) <= 10
            assert properties["precision"] in {"low", "medium", "high", "very-high"}
            assert properties["tags"][0] == "security"
            assert len(properties["tags"]) <= 10
    (sql,) = [r for run in log["runs"] for r in run["tool"]["driver"]["rules"] if r["id"] == "ruff/S608"]
    assert "external/cwe/cwe-089" in sql["properties"]["tags"]
    assert sql["help"]["markdown"] == sample.PAGE


def test_what_could_not_be_checked_is_a_notification_and_no_result() -> None:
    log, _ = log_of(sample.unproven())
    assert results_of(log) == []
    assert "Python cannot parse line 7" in notes_of(log)
    successful = {run["tool"]["driver"]["name"]: run["invocations"][0]["executionSuccessful"] for run in log["runs"]}
    assert successful == {"Assaymark secrets": True, "Assaymark ruff": False, "Assaymark zizmor": True}


def test_more_results_than_github_takes_are_left_out_mildest_first_and_said() -> None:
    log, said = log_of(sample.huge(300), Limits(results=100, results_kept=80))
    results = results_of(log)
    assert len(results) == 100
    assert {result["level"] for result in results} == {"error"}
    assert "200 of 300 results of ruff are left out" in " ".join(said)
    assert "GitHub shows 80 of the 100 results of ruff" in " ".join(said)
    assert set(said) <= set(notes_of(log))


def test_a_file_too_large_for_github_shrinks_until_it_fits_and_says_so() -> None:
    limit = 20_000
    text, said = sarif.build(sample.huge(2_000), sample.OPTIONS, Limits(gzip_bytes=limit))
    log = json.loads(text)
    assert len(gzip.compress(text.encode(), 6)) <= limit
    kept = len(results_of(log))
    assert 50 < kept < 2_000
    assert f"{2_000 - kept} of 2000 results of ruff are left out" in " ".join(said)


def test_more_checks_than_github_takes_runs_are_said() -> None:
    runs = tuple(CheckRun(CheckId(f"c{i:02}"), Layer.APPLICATION, "1", "", 1, 0, 0.1) for i in range(23))
    found = Judged(sample.finding(rule="c22/r", severity=Severity.CRITICAL), State.NEW, gates=True)
    log, said = log_of(sample.verdict_of([found], checks=runs))
    assert len(log["runs"]) == 20
    assert log["runs"][0]["tool"]["driver"]["name"] == "Assaymark c22"
    assert "3 checks (c19, c20, c21) with 0 results are left out" in " ".join(said)
    assert set(said) <= set(notes_of(log))


def test_an_ordinary_verdict_leaves_nothing_out() -> None:
    assert sarif.notices(sample.rich(), sample.OPTIONS) == ()
    assert len(results_of(log_of(sample.huge())[0])) == 10_000


@pytest.mark.parametrize(
    ("path", "uri"),
    [("a b#c?.py", "a%20b%23c%3F.py"), ("c:/x", "c%3A/x"), ("caf\udce9.py", "caf%E9.py"), ("ä/ö", "%C3%A4/%C3%B6"), ("/etc/x", "etc/x")],
)
def test_paths_are_relative_percent_encoded_references(path: str, uri: str) -> None:
    assert uri_of(path) == uri


@given(st.binary(min_size=1, max_size=20).filter(lambda raw: not raw.startswith(b"/")))
def test_every_name_of_a_file_comes_back_from_its_uri(raw: bytes) -> None:
    uri = uri_of(raw.decode("utf-8", "surrogateescape"))
    assert uri.isascii()
    assert unquote_to_bytes(uri) == raw


def test_messages_hold_no_link_of_others() -> None:
    found = Judged(sample.finding(message="see [here](https://evil.example)"), State.NEW)
    (result,) = results_of(log_of(sample.verdict_of([found]))[0])
    assert result["message"]["text"].startswith("see \\[here\\](")
