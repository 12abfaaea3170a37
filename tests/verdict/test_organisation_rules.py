"""What floors and rules of the organisation make of a judgement."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from tests.verdict.policy_samples import TODAY, decided, document, finding, given, policy, rule

from assaymark.errors import PolicyInvalid
from assaymark.model.finding import CheckId, Finding, Kind
from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Judged, Outcome, ReasonKind, State
from assaymark.verdict import decide as judge
from assaymark.verdict import grounds as judged_by
from assaymark.verdict import ruling
from assaymark.verdict.grounds import Grounds
from assaymark.verdict.policy import APPETITE, CheckTable, GateSettings, Level, Policy, Unproven, Waiver
from assaymark.verdict.rules import About, Approval, Component, raised, strictness
from assaymark.verdict.seen_by_rules import VARIABLES, component_seen, finding_seen, world_of
from assaymark.verdict.specimen import SPECIMEN

LOW = finding("low", Severity.LOW)
HIGH = finding("high", Severity.HIGH)
COMPONENT = Component(
    "pkg:pypi/requests@2.32.0", "pkg:pypi/requests", "2.32.0", "PyPI", "requirements.txt", "expired", ("expired",), "2.31.0", 4
)
NEW_ONES = 'component.approved == false && component.path == "requirements.txt"'
MILD = Policy(policy=GateSettings(level=Level.PROTOTYPE))


def test_a_rule_that_stops_stops_what_the_gate_lets_through_and_is_named() -> None:
    found = decided([LOW], document(rule('finding.severity == "low"')))
    assert found.outcome is Outcome.FAIL
    (reason,) = found.reasons
    assert (reason.kind, reason.rule, reason.path, reason.line) == (ReasonKind.POLICY, "base/r", "shop/orders.py", 3)
    assert "base/r: not here" in reason.text
    assert found.judged[0].gates


def test_a_rule_that_warns_is_shown_and_stops_nobody() -> None:
    found = decided([LOW], document(rule("true", "warn")))
    assert found.outcome is Outcome.PASS
    assert [reason.stops for reason in found.reasons] == [False]


def test_a_rule_that_allows_lets_through_what_the_gate_stops_and_says_so() -> None:
    found = decided([HIGH], document(rule('finding.path.startsWith("shop/")', "allow")))
    assert found.outcome is Outcome.PASS
    assert [reason.kind for reason in found.reasons] == [ReasonKind.EXCEPTION]
    waiver = found.judged[0].waiver
    assert waiver is not None
    assert (waiver.source, waiver.owner) == ("rule", "base/r")
    assert (found.after.waived, found.after.open["high"]) == (1, 0)


def test_a_rule_that_stops_goes_before_one_that_allows_whatever_their_order() -> None:
    allow, stop = rule("true", "allow", "yes"), rule("true", "stop", "no")
    for text in (allow + stop, stop + allow):
        assert decided([HIGH], document(text)).outcome is Outcome.FAIL


def test_an_allowed_gap_leaves_nothing_unproven() -> None:
    gap = finding("gap", Severity.MEDIUM, kind=Kind.UNCHECKED, rule="ruff/unchecked")
    assert decided([gap]).outcome is Outcome.UNPROVEN
    assert decided([gap], document(rule('finding.kind == "unchecked"', "allow"))).outcome is Outcome.PASS


def test_a_rule_that_asks_for_approval_stops_until_somebody_gave_it() -> None:
    text = document(rule("change.brings.high > 0", "require-approval", over="change"))
    assert decided([HIGH], text, own=MILD).outcome is Outcome.FAIL
    found = decided([HIGH], text, own=MILD, approvals=(Approval("base/r", "bo", "seen it"),))
    assert found.outcome is Outcome.PASS
    assert "approved by bo (seen it)" in found.reasons[0].text


def test_rules_are_asked_about_what_the_change_brings_unless_they_ask_for_more() -> None:
    known = [HIGH]
    assert decided(known, document(rule("true")), old=known).outcome is Outcome.PASS
    assert decided(known, document(rule("true", states="[known]")), old=known).outcome is Outcome.FAIL


def test_what_somebody_let_through_is_asked_about_only_where_the_rule_says_so() -> None:
    own = Policy(waiver=(Waiver("ours", "ana", dt.date(2026, 12, 24), rule="sql-injection"),))
    assert decided([HIGH], document(rule("true")), own=own).outcome is Outcome.PASS
    assert decided([HIGH], document(rule("finding.waived", waived="true")), own=own).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("action", "outcome"), [("stop", Outcome.UNPROVEN), ("require-approval", Outcome.UNPROVEN), ("warn", Outcome.PASS)]
)
def test_a_rule_that_fails_leaves_the_change_unproven_if_it_could_have_stopped_it(action: str, outcome: Outcome) -> None:
    assert LOW.place.line == 3
    found = decided([LOW], document(rule("12 / (finding.line - 3) > 0", action)))
    assert found.outcome is outcome
    assert "base/r could not be evaluated" in found.reasons[0].text


def test_more_questions_than_are_answered_leave_the_change_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruling, "MOST_ASKED", 5)
    found = decided([finding(f"f{n}", Severity.INFO) for n in range(6)], document(rule("false")))
    assert found.outcome is Outcome.UNPROVEN


def test_a_rule_says_a_bounded_number_of_reasons_and_counts_the_rest() -> None:
    found = decided([finding(f"f{n}", Severity.INFO) for n in range(50)], document(rule("true")))
    assert len(found.reasons) == 21
    assert "30 more" in found.reasons[-1].text


def test_a_floor_stops_what_a_repository_would_let_through_and_says_so() -> None:
    assert decided([HIGH], own=MILD).outcome is Outcome.PASS
    found = decided([HIGH], document(floor="{fail_on: high}"), own=MILD)
    assert found.outcome is Outcome.FAIL
    assert found.policy.gate.fail_on is Severity.HIGH
    assert "policy base raises fail_on from critical to high" in found.notices


def test_a_floor_puts_a_rule_back_that_a_repository_switched_off() -> None:
    own = Policy(checks=CheckTable(disable_rules=("sql-injection",)))
    assert decided([HIGH], own=own).outcome is Outcome.PASS
    assert decided([HIGH], document(floor="{rules: [sql-injection]}"), own=own).outcome is Outcome.FAIL


@drawn(st.sampled_from(list(Level)), st.sampled_from(list(Level)))
def test_a_floor_only_raises(own: Level, floor: Level) -> None:
    before = Policy(policy=GateSettings(level=own))
    after = raised(before, given(document(floor=f"{{level: {floor.value}}}")).floors)
    for name in before.gate.__struct_fields__:
        theirs, ours, both = (strictness(name, getattr(gate, name)) for gate in (before.gate, APPETITE[floor], after.gate))
        assert both == max(theirs, ours)


def test_a_recorded_exception_of_a_repository_does_not_go_below_a_floor() -> None:
    strict = Policy(policy=GateSettings(level=Level.PRODUCTION, unproven=Unproven.STOP))
    assert judge.effective(strict, MILD, TODAY, given(document(floor="{level: production}")).floors).gate.fail_on is Severity.MEDIUM


@pytest.mark.parametrize(
    ("applies", "about", "yes"),
    [
        ("{teams: [shop]}", About(team="shop"), True),
        ("{teams: [shop]}", About(team="bank"), False),
        ("{repositories: ['shop/*']}", About(repository="shop/web"), True),
        ("{repositories: ['shop/*']}", About(repository="shop/web/x"), False),
        ("{subjects: [image]}", About(kind="branch"), False),
        ("{branches: ['release/**']}", About(branch="release/1/2"), True),
        ("{branches: [main]}", About(branch=""), False),
        ("", About(), True),
    ],
)
def test_a_policy_applies_where_its_scope_says(applies: str, about: About, *, yes: bool) -> None:
    asked = given(document(rule("true"), applies=applies), about=about)
    assert bool(asked.rules) is yes
    assert bool(asked.floors) is yes


def test_the_specimen_has_the_form_of_what_rules_see() -> None:
    decision = decided([HIGH], own=Policy(waiver=(Waiver("ours", "ana", dt.date(2026, 12, 24), rule="weak-hash"),)))
    waived = finding("w", family="weak-hash")
    decision = decided([HIGH, waived], own=Policy(waiver=(Waiver("ours", "ana", dt.date(2026, 12, 24), rule="weak-hash"),)))
    world = {
        **world_of(decision, given(), "2026-11-28"),
        "finding": finding_seen(decision.judged[0]),
        "component": component_seen(COMPONENT),
    }
    assert set(world) == set(VARIABLES) == set(SPECIMEN)
    for name in ("finding", "component", "change", "subject", "verdict"):
        assert {key: type(value) for key, value in world[name].items()} == {key: type(value) for key, value in SPECIMEN[name].items()}
    assert {key: type(value) for key, value in world["decisions"][0].items()} == {
        key: type(value) for key, value in SPECIMEN["decisions"][0].items()
    }


def test_a_rule_over_components_stops_what_is_not_approved_and_says_what_to_take_instead() -> None:
    asked = document(rule(NEW_ONES, over="component"))
    good = Component("pkg:pypi/flask@3.0.0", "pkg:pypi/flask", "3.0.0", "PyPI", "requirements.txt", "waived", ("expired",))
    decision = decided([], asked, components=(good, COMPONENT))
    (reason,) = [each for each in decision.reasons if each.stops]
    assert decision.outcome is Outcome.FAIL
    assert (reason.kind, reason.path) == (ReasonKind.POLICY, "requirements.txt")
    assert "pkg:pypi/requests@2.32.0: expired; 2.31.0 is approved" in reason.text
    assert decided([], asked, components=(good,)).outcome is Outcome.PASS


def test_a_rule_over_components_that_only_warns_stops_nobody() -> None:
    decision = decided([], document(rule(NEW_ONES, "warn", over="component")), components=(COMPONENT,))
    assert decision.outcome is Outcome.PASS
    assert [each.rule for each in decision.reasons] == ["base/r"]


def test_where_nobody_looked_what_a_change_adds_a_rule_that_stops_leaves_it_unproven() -> None:
    decision = decided([], document(rule(NEW_ONES, over="component")))
    assert decision.outcome is Outcome.UNPROVEN
    assert "nobody looked" in decision.reasons[0].text
    assert decided([], document(rule(NEW_ONES, "warn", over="component"))).outcome is Outcome.PASS
    kept = Grounds(judge.Side([], Policy()), TODAY)
    assert judged_by.unlooked(kept, given(document(rule(NEW_ONES, over="component")))) == ("base/r",)


def test_more_components_than_are_said_one_by_one_are_counted_and_an_approval_lets_all_of_them_through() -> None:
    many = tuple(Component(f"pkg:pypi/p{n}@1", f"pkg:pypi/p{n}", "1", "PyPI", "requirements.txt", "not-endorsed") for n in range(30))
    decision = decided([], document(rule(NEW_ONES, over="component")), components=many)
    assert len(decision.reasons) == 21
    assert "(10 more)" in decision.reasons[-1].text
    asked = document(rule(NEW_ONES, "require-approval", over="component"))
    assert "30 components" in decided([], asked, components=many).reasons[0].text
    agreed = (Approval("base/r", "bo", "once"),)
    assert decided([], asked, components=many, approvals=agreed).outcome is Outcome.PASS


def test_a_rule_over_components_neither_allows_nor_names_a_finding() -> None:
    with pytest.raises(PolicyInvalid, match="cannot allow"):
        policy(document(rule(NEW_ONES, "allow", over="component")))
    with pytest.raises(PolicyInvalid, match="finding, which is not known"):
        policy(document(rule("finding.waived", over="component")))
    with pytest.raises(PolicyInvalid, match="component, which is not known"):
        policy(document(rule("component.approved")))


def test_a_path_that_is_no_text_can_be_asked_about() -> None:
    odd = finding("odd", Severity.LOW, path="caf\udce9.py")
    assert decided([odd], document(rule('finding.path.contains("caf")'))).outcome is Outcome.FAIL


_FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from("abcdefgh"),
        st.sampled_from(list(Severity)),
        st.sampled_from(["shop/a.py", "tests/b.py", "c.py"]),
        kind=st.sampled_from([Kind.CODE, Kind.SECRET, Kind.UNCHECKED]),
        confidence=st.sampled_from(list(Confidence)),
    ),
    max_size=8,
)
_TEXTS = st.sampled_from(
    [
        "",
        document(rule("finding.rank >= rank.high")),
        document(rule('finding.path.startsWith("shop/")', "allow") + rule("change.brings.low > 1", "warn", "w", over="change")),
        document(rule("true", "require-approval", states="[new, known, changed]"), floor="{level: regulated}"),
        document(floor="{fail_on: info, min_confidence: low, inline_waivers: ignore}"),
    ]
)


@settings(deadline=None)
@drawn(_FINDINGS, _FINDINGS, _TEXTS, _TEXTS, st.sampled_from(list(Level)))
def test_what_is_kept_of_a_judgement_gives_it_again_and_under_other_policies_what_those_would_have_given(
    old: list[Finding], new: list[Finding], then: str, now: str, level: Level
) -> None:
    """The law that simulation rests on."""
    own = Policy(policy=GateSettings(level=level))
    texts = [[text] if text else [] for text in (then, now)]
    kept = Grounds(judge.Side(new, own), TODAY, judge.Side(old, own), given=given(*texts[0]))
    again = judged_by.unpacked(judged_by.packed(kept))
    assert judged_by.decide(again) == judged_by.decide(kept)
    asked = given(*texts[1])
    real = judged_by.decide(Grounds(judge.Side(new, own), TODAY, judge.Side(old, own), given=asked))
    assert judged_by.decide(judged_by.under(again, asked)) == real


def test_what_did_not_run_is_said() -> None:
    own = Policy(checks=CheckTable(disable=(CheckId("secrets"),)))
    kept = Grounds(judge.Side([], own), TODAY)
    assert judged_by.unsaid(kept, given(document(floor="{checks: [secrets, ruff]}"))) == ("secrets",)
    ran = Grounds(judge.Side([], own), TODAY, given=given(document(floor="{checks: [secrets]}")))
    assert judged_by.unsaid(ran, given(document(floor="{checks: [secrets]}"))) == ()


def test_documents_differ_by_what_they_mean_and_not_by_how_they_are_spelt() -> None:
    one = policy("kind: Policy\nmetadata: {name: base, version: 1.0.0}\nfloor: {fail_on: high}\n")
    other = policy('# words\nfloor:\n  fail_on: "high"\nmetadata:\n  version: 1.0.0\n  name: base\nkind: Policy\n')
    assert one.digest == other.digest
    assert one.digest != policy("kind: Policy\nmetadata: {name: base, version: 1.0.0}\nfloor: {fail_on: low}\n").digest


def test_states_of_findings_are_as_documented() -> None:
    judged = Judged(HIGH, State.NEWLY_KNOWN)
    assert finding_seen(judged)["state"] == "newly-known"
