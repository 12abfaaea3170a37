from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, CodeSite, Finding, Layer, RuleId, SecretSite, Sighting, Site, Span, Suppression
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome, ReasonKind, State
from assaymark.verdict.decide import Side, decide
from assaymark.verdict.globs import matches
from assaymark.verdict.policy import GateSettings, InlineWaivers, Level, Policy, Waiver, narrowed

TODAY = dt.date(2026, 11, 23)
SITE = CodeSite(("f",), "run(cmd, shell=True)")


def finding(*, path: str = "src/a.py", line: int = 1, site: Site = SITE, comment: str = "") -> Finding:
    sighting = Sighting(
        RuleId("ruff/S602"), site, Severity.HIGH, "m", Span(line, 1, line, 9), suppression=Suppression(comment, line) if comment else None
    )
    (found,) = identify([Seen(sighting, CheckId("ruff"), Layer.APPLICATION, sha256(b""), path)], catalogue())
    return found


def waiver(**given: object) -> Waiver:
    row: dict[str, object] = {"reason": "r", "owner": "o", "until": TODAY + dt.timedelta(days=30), **given}
    return Waiver(**row)  # type: ignore[arg-type]


def policy(*waivers: Waiver, **settings: object) -> Policy:
    return Policy(policy=GateSettings(level=Level.PRODUCTION, **settings), waiver=waivers)  # type: ignore[arg-type]


def outcome(head: list[Finding], *waivers: Waiver, **settings: object) -> Outcome:
    return decide(Side((), policy(**settings)), Side(head, policy(*waivers, **settings)), today=TODAY).outcome


def test_a_waiver_of_one_finding_lets_it_through_and_is_shown_as_an_exception() -> None:
    decision = decide(Side((), policy()), Side([finding()], policy(waiver(finding=finding().short_id))), today=TODAY)
    assert decision.outcome is Outcome.PASS
    assert [r.kind for r in decision.reasons] == [ReasonKind.EXCEPTION]


def test_a_waiver_of_one_finding_does_not_cover_a_copy() -> None:
    both = [finding(line=1), finding(line=9)]
    assert outcome(both, waiver(finding=finding().fingerprint)) is Outcome.FAIL
    assert outcome(both, waiver(finding=finding().fingerprint, count=2)) is Outcome.PASS


@pytest.mark.parametrize(
    "bad",
    [
        {"until": TODAY - dt.timedelta(days=1)},
        {"until": TODAY + dt.timedelta(days=999)},
        {"finding": "0" * 12},
        {"rule": "ruff/S608"},
        {"path": "other/**"},
    ],
)
def test_a_waiver_that_ended_is_too_long_or_is_about_something_else_covers_nothing(bad: dict[str, object]) -> None:
    assert outcome([finding()], waiver(**{"finding": finding().short_id, **bad})) is Outcome.FAIL


def test_the_last_day_of_a_waiver_still_counts() -> None:
    assert outcome([finding()], waiver(rule="command-injection", until=TODAY)) is Outcome.PASS


def test_where_an_approver_is_asked_for_the_owner_alone_is_not_enough() -> None:
    asked = {"approver_required": True}
    assert outcome([finding()], waiver(rule="ruff/S602"), **asked) is Outcome.FAIL
    assert outcome([finding()], waiver(rule="ruff/S602", approver="o"), **asked) is Outcome.FAIL
    assert outcome([finding()], waiver(rule="ruff/S602", approver="p"), **asked) is Outcome.PASS


@pytest.mark.parametrize(
    ("setting", "expected"),
    [(InlineWaivers.HONOUR, Outcome.PASS), (InlineWaivers.RATCHET, Outcome.FAIL), (InlineWaivers.IGNORE, Outcome.FAIL)],
)
def test_a_further_inline_comment_does_what_the_policy_says(setting: InlineWaivers, expected: Outcome) -> None:
    assert outcome([finding(comment="# nosec")], inline_waivers=setting) is expected


def test_an_inline_comment_that_stood_in_base_is_honoured_and_counted() -> None:
    known = [finding(comment="# nosec")]
    decision = decide(Side(known, policy()), Side(known, policy()), today=TODAY)
    assert (decision.outcome, decision.after.waived) == (Outcome.PASS, 1)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("", Outcome.PASS),
        (f":exp:{TODAY.isoformat()}", Outcome.PASS),
        (f":exp:{(TODAY - dt.timedelta(days=1)).isoformat()}", Outcome.FAIL),
        (":exp:soon", Outcome.FAIL),
    ],
)
def test_an_inline_comment_that_names_its_end_holds_no_longer(end: str, expected: Outcome) -> None:
    commented = [finding(comment=f"# trivy:ignore:AVD-AWS-0092{end}")]
    assert outcome(commented, inline_waivers=InlineWaivers.HONOUR) is expected


def test_an_inline_comment_added_to_a_known_finding_is_a_weakening() -> None:
    decision = decide(Side([finding()], policy()), Side([finding(comment="# nosec")], policy()), today=TODAY)
    assert decision.outcome is Outcome.FAIL
    assert [r.kind for r in decision.reasons] == [ReasonKind.WEAKENED]


def test_an_inline_comment_that_stood_covers_nothing_worse_than_it_did() -> None:
    worse = finding(comment="# nosec")
    mild = msgspec.structs.replace(worse, severity=Severity.INFO)
    decision = decide(Side([mild], policy()), Side([worse], policy()), today=TODAY)
    assert decision.outcome is Outcome.FAIL
    assert ReasonKind.WEAKENED in {r.kind for r in decision.reasons}


def test_of_two_findings_at_one_place_the_order_does_not_say_which_has_the_comment() -> None:
    both = [finding(), finding(comment="# nosec")]
    given = [decide(Side((), policy()), Side(rows, policy()), today=TODAY) for rows in (both, both[::-1])]
    assert given[0] == given[1]


def test_a_secret_that_left_the_tree_stays_a_matter_until_its_rotation_is_recorded() -> None:
    secret = finding(site=SecretSite("ab" * 32, "key"))
    left = decide(Side([secret], policy()), Side([], policy()), today=TODAY)
    assert [(r.kind, r.stops) for r in left.reasons] == [(ReasonKind.UNROTATED, False)]
    rotated = decide(Side([secret], policy()), Side([], policy(waiver(finding=secret.short_id, rotated=True))), today=TODAY)
    assert ReasonKind.UNROTATED not in {r.kind for r in rotated.reasons}


def test_a_known_finding_that_became_more_severe_stops() -> None:
    mild = msgspec.structs.replace(finding(), severity=Severity.LOW)
    decision = decide(Side([mild], policy()), Side([finding()], policy()), today=TODAY)
    assert [r.kind for r in decision.reasons] == [ReasonKind.WORSENED]
    assert decision.judged[0].state is State.KNOWN


def test_what_only_new_knowledge_shows_is_debt_and_stops_nothing() -> None:
    decision = decide(Side((), policy()), Side([finding()], policy()), today=TODAY, newly_known=frozenset({finding().fingerprint}))
    assert (decision.outcome, decision.judged[0].state) == (Outcome.PASS, State.NEWLY_KNOWN)


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a/b/c.py", "a/**", True),
        ("a/b/c.py", "a/*", False),
        ("a/b/c.py", "**/c.py", True),
        ("c.py", "**/c.py", True),
        ("a/b/c.py", "a/", True),
        ("ab/c.py", "a/", False),
        ("a.py", "?.py", True),
        ("a+b.py", "a+b.py", True),
        ("a\nb", "a*", True),
    ],
)
def test_globs_mean_what_people_expect(path: str, glob: str, *, expected: bool) -> None:
    assert matches(path, glob) is expected


def test_a_finding_whose_waiver_ended_stops_again_where_it_is_touched() -> None:
    over = waiver(finding=finding().short_id, until=TODAY - dt.timedelta(days=1))
    decision = decide(Side([finding()], policy(over)), Side([finding(line=7)], policy(over)), today=TODAY)
    assert decision.outcome is Outcome.FAIL
    assert "waiver" in decision.reasons[0].text


def test_an_edited_statement_asks_for_its_waiver_to_be_renewed() -> None:
    edited = finding(site=CodeSite(("f",), "run(cmd, shell=True, check=True)"))
    held = policy(waiver(finding=finding().short_id))
    decision = decide(Side([finding()], held), Side([edited], held), today=TODAY)
    assert (decision.outcome, decision.judged[0].state) == (Outcome.PASS, State.CHANGED)
    assert any("renew it" in notice for notice in decision.notices)


def test_the_first_policy_may_be_lax_but_it_is_shown_and_does_not_judge_the_change_that_brings_it() -> None:
    lax = Policy(policy=GateSettings(level=Level.PROTOTYPE))
    shown = decide(Side((), Policy(), promised=False), Side((), lax), today=TODAY)
    assert shown.outcome is Outcome.PASS
    assert {r.kind for r in shown.reasons} == {ReasonKind.EXCEPTION}
    assert decide(Side((), Policy(), promised=False), Side([finding()], lax), today=TODAY).outcome is Outcome.FAIL
    assert decide(Side((), Policy()), Side((), lax), today=TODAY).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("before", "after", "weaker"),
    [
        ("[[rules]]\nid = 'a'\nregex = 'x'\n", "[[rules]]\nid = 'a'\nregex = 'x'\n[[rules]]\nid = 'b'\nregex = 'y'\n", 0),
        ("[[rules]]\nid = 'a'\nregex = 'x'\n", "rules = []\n", 1),
        ("[[rules]]\nid = 'a'\nregex = 'x'\n", "[[rules]]\nid = 'a'\nregex = 'xx'\n", 1),
        ("[[rules]]\nid = 'a'\nregex = 'x'\n", "[allowlist]\npaths = ['.*']\n[[rules]]\nid = 'a'\nregex = 'x'\n", 1),
        ("[[rules]]\nid = 'a'\nregex = 'x'\n", "", 1),
    ],
)
def test_a_rule_file_that_loses_a_rule_is_a_weakening_and_one_that_gains_a_rule_is_none(before: str, after: str, weaker: int) -> None:
    assert len(narrowed("ci/rules.toml", "secret_rules", before.encode(), after.encode())) == weaker


def test_any_change_of_a_tools_manifest_is_named() -> None:
    (found,) = narrowed("ci/tool.toml", "manifests", b"select = ['*']\n", b"select = ['*.none']\n")
    assert found.name == "checks.manifests:ci/tool.toml"
