"""What GitHub, GitLab and Jenkins are told: nothing lost silently, nothing that content could say for us."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt
from tests.views import views_sample as sample

from assaymark.errors import UsageError
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import Judged, State, Verdict
from assaymark.views import github, gitlab, junit, markdown
from assaymark.views.sanitise import one_line

ANY_TEXTS = st.lists(st.text(st.characters(), min_size=1, max_size=12), min_size=1, max_size=3).map(tuple)
MARKUP_TEXTS = st.lists(st.text("<>&@#!~%$[]()`*_-=+|:/\\'\"\n x1w.", min_size=1, max_size=14), min_size=1, max_size=3).map(tuple)


# --- GitHub ----------------------------------------------------------------------------------------------------------


def unescaped(text: str) -> str:
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, char)
    return text


@pytest.mark.parametrize("text", ["a,b:c%0A\r\n", "100%25", "::error::x"])
def test_command_escapes_are_undone_by_the_runner(text: str) -> None:
    assert unescaped(github.prop(text)) == text
    assert not set("\r\n:,") & set(github.prop(text))
    assert not set("\r\n") & set(github.data(text))


@settings(max_examples=40, deadline=None)
@given(ANY_TEXTS)
def test_every_line_of_annotations_is_one_command_of_ours(texts: tuple[str, ...]) -> None:
    for line in github.render(sample.hostile(texts)).splitlines():
        assert re.fullmatch(r"::(error|warning|notice) (?:[a-zA-Z]+=[^:,]*,?)*::.*", line)


def test_annotations_beyond_ten_of_a_level_are_counted_in_the_last_line() -> None:
    lines = github.render(sample.huge(100)).splitlines()
    levels = [line.split(" ", 1)[0] for line in lines[:-1]]
    assert levels == ["::error"] * 10 + ["::warning"] * 10
    assert "80 more are not annotated here" in lines[-1]


def test_a_pass_is_one_notice() -> None:
    assert github.render(sample.empty()) == "::notice title=assay pass::nothing got worse\n"


# --- Markdown --------------------------------------------------------------------------------------------------------

OURS = {"h3", "p", "ul", "li", "strong", "em", "code", "pre"}


def rendered(verdict: Verdict) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown.render(verdict, sample.OPTIONS)))


@settings(max_examples=60, deadline=None)
@given(st.one_of(ANY_TEXTS, MARKUP_TEXTS))
def test_content_makes_no_markup_in_a_comment(texts: tuple[str, ...]) -> None:
    shown = re.sub(r"<!-- assaymark:assaymark -->|</?details>|</?summary>", "", rendered(sample.hostile(texts)))
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z0-9!?-]+)", shown)) <= OURS
    outside_code = re.sub(r"<(code|pre)\b.*?</\1>", " ", shown, flags=re.DOTALL)
    words = html.unescape(re.sub(r"<[^>]*>", " ", outside_code))
    assert not re.search(r"[@#!~$%^&](?=[^\s\u200b])", words)
    assert "://" not in words


def test_a_hostile_comment_keeps_its_outline() -> None:
    text = markdown.render(sample.hostile(), sample.OPTIONS)
    assert text.startswith("<!-- assaymark:assaymark -->\n### 🟠 Fail: ")
    assert not any(line.startswith(("/", "|", "::")) for line in text.splitlines())
    assert text.count("<details>") == text.count("</details>")


def test_the_marker_is_stable_and_harmless() -> None:
    assert markdown.marker("My --> category") == "<!-- assaymark:my-category -->"
    assert markdown.marker("…") == "<!-- assaymark:assaymark -->"


@given(st.text(st.characters(), max_size=20))
def test_a_code_span_cannot_be_ended_by_its_content(text: str) -> None:
    shown = MarkdownIt("commonmark").render("x " + markdown.code(text))
    assert shown.count("<code>") <= 1
    assert re.sub(r"<code>.*?</code>", "", shown, flags=re.DOTALL) in {"<p>x </p>\n", "<p>x</p>\n"}


def test_a_comment_about_ten_thousand_findings_is_short() -> None:
    text = markdown.render(sample.huge(), sample.OPTIONS)
    assert len(text) < 60_000
    assert "and 9995 more places" in text


def test_a_comment_about_endless_names_still_fits_the_forge() -> None:
    texts = tuple(f"{i}" + "@&<x>" * 2_000 for i in range(40))
    text = markdown.render(sample.hostile(texts), sample.OPTIONS)
    assert len(text) < 65_536
    assert "more causes with" in text
    assert "more reasons" in text


# --- GitLab ----------------------------------------------------------------------------------------------------------


def sast(verdict: Verdict) -> Any:
    return json.loads(gitlab.render_sast(verdict, sample.OPTIONS))


def test_secrets_and_code_go_to_their_own_reports_and_waived_ones_are_counted() -> None:
    report, secrets = sast(sample.rich()), json.loads(gitlab.render_secrets(sample.rich(), sample.OPTIONS))
    assert len(report["vulnerabilities"]) == 6
    assert [v["location"]["file"] for v in secrets["vulnerabilities"]] == ["config/prod.env"]
    assert {"level": "info", "value": "2 waived findings are left out"} in report["scan"]["messages"]
    assert {"level": "warn", "value": "app/broken.py: Python cannot parse line 7"} in report["scan"]["messages"]


def test_secrets_name_the_commit_and_zeros_where_there_is_none() -> None:
    def sha(head: SubjectRef) -> str:
        verdict = msgspec.structs.replace(sample.rich(), head=head)
        return str(json.loads(gitlab.render_secrets(verdict, sample.OPTIONS))["vulnerabilities"][0]["location"]["commit"]["sha"])

    assert sha(sample.rich().head) == "c" * 40
    assert sha(SubjectRef("worktree", "working tree", "sha256:" + "d" * 64)) == "0" * 40


def test_every_vulnerability_and_issue_is_told_apart() -> None:
    issues = json.loads(gitlab.render_codequality(sample.huge(1_000)))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 1_000
    report = sast(sample.rich())
    assert len({v["id"] for v in report["vulnerabilities"]}) == len(report["vulnerabilities"])


def test_moving_a_finding_changes_no_identity() -> None:
    def identity(path: str, line: int) -> Any:
        (v,) = sast(sample.verdict_of([Judged(sample.finding(path, line, seed="same"), State.NEW)]))["vulnerabilities"]
        return v["id"], v["tracking"]["items"][0]["signatures"]

    assert identity("a.py", 1) == identity("b/c.py", 90)


def test_identifiers_begin_with_the_rule_and_stay_within_the_limit() -> None:
    twins = tuple(msgspec.structs.replace(sample.rich().findings[1].finding.witnesses[1], rule=f"t/{i}") for i in range(40))
    (v,) = sast(sample.verdict_of([Judged(sample.finding(more=twins), State.NEW)]))["vulnerabilities"]
    assert len(v["identifiers"]) == gitlab.IDENTIFIERS
    assert [i["value"] for i in v["identifiers"][:5]] == ["ruff/S608", "89", "A03:2021", "A05:2025", "t/0"]


@pytest.mark.parametrize("render", [gitlab.render_sast, gitlab.render_secrets])
def test_security_reports_without_times_are_refused_with_advice(render: Any) -> None:
    with pytest.raises(UsageError) as caught:
        render(sample.rich(), msgspec.structs.replace(sample.OPTIONS, started="yesterday"))
    assert "pass both times" in caught.value.diagnosis()


# --- JUnit -----------------------------------------------------------------------------------------------------------


def suites(verdict: Verdict) -> dict[str, Any]:
    return {str(suite.get("name")): suite for suite in etree.fromstring(junit.render(verdict).encode())}


def test_gating_findings_fail_gaps_are_skipped_and_the_rest_passes() -> None:
    found = suites(sample.rich())
    assert list(found) == ["assaymark.secrets", "assaymark.ruff", "assaymark.zizmor", "assaymark.semgrep", "assaymark.posture"]
    ruff = found["assaymark.ruff"]
    assert (ruff.get("failures"), ruff.get("skipped")) == ("3", "1")
    (skipped,) = ruff.iter("skipped")
    assert skipped.get("message") == "Python cannot parse line 7"
    assert found["assaymark.zizmor"].get("failures") == "0"
    assert found["assaymark.posture"].get("failures") == "1"


def test_a_check_without_findings_still_has_a_case() -> None:
    for suite in suites(sample.empty()).values():
        assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


@settings(max_examples=30, deadline=None)
@given(ANY_TEXTS)
def test_junit_tells_the_content_as_it_is_shown(texts: tuple[str, ...]) -> None:
    verdict = sample.hostile(texts)
    told = " ".join(str(text) for text in etree.fromstring(junit.render(verdict).encode()).itertext())
    assert all(one_line(j.finding.message) in told for j in verdict.findings if j.gates)
