"""What people decided on the server, in a judgement; and a verdict that is read again when they decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from assaymark.errors import UsageError
from assaymark.model.assessment import SubjectId
from assaymark.model.decision import Decision, DecisionId, DecisionKind, Justification, Scope, check_days, check_scope, check_words
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Kind, Layer, Place, RuleClassId, RuleId, Suppression, Witness
from assaymark.model.identity import fingerprint
from assaymark.model.severity import Confidence, Severity
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import Outcome, PolicyTerms, ReasonKind, Verdict
from assaymark.verdict.again import again
from assaymark.verdict.decide import Decision as Judgement
from assaymark.verdict.decide import Side, decide
from assaymark.verdict.given import NOTHING, Covering, Facts, Given, Terms, covers, facts_of, precedence
from assaymark.verdict.policy import GateSettings, Level, Policy

TODAY = dt.date(2026, 3, 1)


def found(
    name: str, path: str = "a.py", *, kind: Kind = Kind.CODE, severity: Severity = Severity.HIGH, line: int = 1, **more: Any
) -> Finding:
    parts = {Kind.COMPONENT: ("pkg:npm/left-pad", name), Kind.UNCHECKED: ("ruff", name, "syntax")}.get(kind, (name, "statement"))
    rule_class = {Kind.COMPONENT: "vulnerable-dependency", Kind.UNCHECKED: "unchecked"}.get(kind, "sql-injection")
    core = Core(kind, RuleClassId(rule_class), parts)
    return Finding(
        fingerprint=fingerprint(core, "scope/1"),
        core=core,
        place=Place(path, line),
        layer=Layer.APPLICATION,
        severity=severity,
        confidence=Confidence.HIGH,
        witnesses=(Witness(CheckId("ruff"), RuleId("ruff/S608"), f"{name} is wrong"),),
        input=Digest("git-sha1:" + "a" * 40),
        **more,
    )


def made(number: int = 1, *, days: int = 30, kind: DecisionKind = DecisionKind.ACCEPT, approver: str = "", **scope: Any) -> Decision:
    return Decision(DecisionId(number), kind, Scope(**scope), "known", "ann", TODAY + dt.timedelta(days=days), TODAY, approver=approver)


PLAIN = Policy()


def judge(*findings: Finding, given_: Given = NOTHING, base: tuple[Finding, ...] = (), policy: Policy = PLAIN) -> Judgement:
    return decide(Side(base, policy), Side(findings, policy), today=TODAY, given=given_)


def as_verdict(judgement: Judgement) -> Verdict:
    gate = judgement.policy.gate
    ref = SubjectRef("commit", "x", "")
    return Verdict(
        outcome=judgement.outcome, base=ref, head=ref, reasons=judgement.reasons, findings=judgement.judged, checks=(), policy_level="",
        fail_on="", knowledge="", policy_digest="", scheme="", whole=False, before=judgement.before, after=judgement.after, seconds=0.0,
        tool_version="", rules={}, notices=judgement.notices,
        terms=PolicyTerms(gate.unproven == "stop", gate.max_waiver_days, gate.approver_required),
    )  # fmt: skip


def test_a_decision_lets_a_new_finding_through_and_is_named() -> None:
    said = judge(found("x"), given_=Given((made(7, rule="sql-injection"),)))
    assert said.outcome is Outcome.PASS
    assert [(r.kind, r.stops) for r in said.reasons] == [(ReasonKind.DECIDED, False)]
    assert "decision 7" in said.reasons[0].text
    (one,) = said.judged
    assert one.waiver is not None
    assert (one.waiver.source, one.waiver.decision, one.held_back, one.gates) == ("decision", 7, True, False)
    assert (said.after.waived, said.after.open["high"]) == (1, 0)


def test_what_a_decision_is_not_about_stops() -> None:
    said = judge(found("x"), found("y", "b.py"), given_=Given((made(rule="sql-injection", path="a.py"),)))
    assert said.outcome is Outcome.FAIL
    assert [(j.finding.place.path, j.gates) for j in said.judged] == [("b.py", True), ("a.py", False)]


def test_what_could_not_be_checked_can_be_decided_about() -> None:
    said = judge(found("file", kind=Kind.UNCHECKED), given_=Given((made(rule="unchecked", path="a.py"),)))
    assert said.outcome is Outcome.PASS


def test_a_policy_that_asks_for_an_approver_says_that_there_is_none() -> None:
    policy = Policy(GateSettings(Level.REGULATED))
    said = judge(found("x"), given_=Given((made(3, rule="sql-injection"),)), policy=policy)
    assert said.outcome is Outcome.FAIL
    assert any("decision 3" in notice and "no approver" in notice for notice in said.notices)
    agreed = judge(found("x"), given_=Given((made(3, rule="sql-injection", approver="bob"),)), policy=policy)
    assert agreed.outcome is Outcome.PASS
    own = judge(found("x"), given_=Given((made(3, rule="sql-injection", approver="ann"),)), policy=policy)
    assert own.outcome is Outcome.FAIL


def test_a_decision_longer_than_the_policy_allows_is_said_and_not_honoured() -> None:
    said = judge(found("x"), given_=Given((made(3, days=200, rule="sql-injection"),)))
    assert said.outcome is Outcome.FAIL
    assert any("runs 200 days" in notice for notice in said.notices)


def test_a_decision_that_ends_soon_is_noticed() -> None:
    said = judge(found("x"), given_=Given((made(3, days=5, rule="sql-injection"),)))
    assert any("ends on 2026-03-06" in notice for notice in said.notices)


def test_a_decision_is_over_after_its_last_day() -> None:
    over = replace(made(rule="sql-injection"), until=TODAY - dt.timedelta(days=1))
    assert judge(found("x"), given_=Given((over,))).outcome is Outcome.FAIL
    assert judge(found("x"), given_=Given((replace(over, until=TODAY),))).outcome is Outcome.PASS


def test_the_repositorys_own_word_is_named_before_a_decision() -> None:
    commented = found("x", suppression=Suppression("# nosec", 1))
    said = judge(commented, given_=Given((made(rule="sql-injection"),)), policy=Policy(GateSettings(Level.INTERNAL)))
    (one,) = said.judged
    assert one.waiver is not None
    assert one.waiver.source == "inline"


@pytest.mark.parametrize("scope", [{"advisory": "GHSA-1"}, {"advisory": "CVE-1"}, {"package": "pkg:npm/left-pad", "version": "1.0"}])
def test_a_vulnerable_component_is_covered_by_any_of_its_names(scope: dict[str, Any]) -> None:
    one = found("GHSA-1", kind=Kind.COMPONENT, notes=(("version", "1.0"), ("also known as", "CVE-1")))
    assert covers(Scope(**scope), facts_of(one))
    two = replace(one, notes=(("version", "1.0, 1.1"), ("also known as", "CVE-2")))
    assert covers(Scope(**scope), facts_of(two)) == (scope == {"advisory": "GHSA-1"})


def test_of_several_the_one_that_lasts_longest_counts() -> None:
    rows = [made(1, days=10, rule="sql-injection"), made(2, days=90, rule="sql-injection"), made(3, days=50, rule="ruff/S608")]
    chosen = Covering(rows, Terms(), TODAY).of(facts_of(found("x")))
    assert chosen is not None
    assert chosen.id == 2


@pytest.mark.parametrize(
    ("scope", "word"),
    [
        (Scope(), "names nothing"), (Scope(layer=Layer.APPLICATION), "names nothing"), (Scope(path="a/**"), "path alone"),
        (Scope(rule="r", version="1"), "version of no package"), (Scope(package="left-pad"), "no package URL"),
        (Scope(rule="r" * 400), "no name"), (Scope(rule="a\nb"), "no name"),
    ],
)  # fmt: skip
def test_a_scope_that_means_everything_is_refused(scope: Scope, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check_scope(scope)
    check_scope(Scope(path="a/**", subject=SubjectId(1)))


def test_a_decision_says_why_and_ends() -> None:
    with pytest.raises(UsageError, match="reason"):
        check_words(DecisionKind.WAIVE, "  ", None)
    with pytest.raises(UsageError, match="justification"):
        check_words(DecisionKind.NOT_AFFECTED, "not reachable", None)
    with pytest.raises(UsageError, match="only not-affected"):
        check_words(DecisionKind.WAIVE, "later", Justification.MITIGATED)
    with pytest.raises(UsageError, match="is over"):
        check_days(TODAY - dt.timedelta(days=1), TODAY)
    with pytest.raises(UsageError, match="days away"):
        check_days(TODAY + dt.timedelta(days=366), TODAY)


# --- laws ------------------------------------------------------------------------------------------------------------

names = st.sampled_from(["x", "y"])
paths = st.sampled_from(["a.py", "b/c.py"])
severities = st.sampled_from([Severity.LOW, Severity.HIGH, Severity.CRITICAL])
kinds = st.sampled_from([Kind.CODE, Kind.COMPONENT, Kind.UNCHECKED])
one_finding = st.builds(
    lambda name, path, severity, kind, line: found(name, path, severity=severity, kind=kind, line=line),
    names, paths, severities, kinds, st.integers(1, 3),
)  # fmt: skip
some = st.lists(one_finding, max_size=5, unique_by=lambda each: (each.fingerprint, each.place))
one_scope = st.one_of(
    st.builds(
        Scope, rule=st.sampled_from(["sql-injection", "ruff/S608", "unchecked", "other"]), path=st.sampled_from(["", "a.py", "b/**"])
    ),
    st.builds(Scope, advisory=st.sampled_from(["x", "y"]), severity=st.sampled_from([None, Severity.LOW])),
    st.builds(Scope, finding=st.sampled_from([found("x").fingerprint, found("y", kind=Kind.COMPONENT).fingerprint])),
)
rows = st.lists(st.tuples(one_scope, st.integers(-2, 200), st.sampled_from(DecisionKind)), max_size=4).map(
    lambda given_: tuple(
        replace(made(n, days=1, kind=kind), scope=scope, until=TODAY + dt.timedelta(days=days))
        for n, (scope, days, kind) in enumerate(given_, 1)
    )
)


@settings(deadline=None)
@given(some, some, rows, st.randoms(use_true_random=False))
def test_the_order_of_decisions_does_not_matter(
    base: list[Finding], head: list[Finding], given_: tuple[Decision, ...], chance: Any
) -> None:
    mixed = list(given_)
    chance.shuffle(mixed)
    assert judge(*head, base=tuple(base), given_=Given(given_)) == judge(*head, base=tuple(base), given_=Given(tuple(mixed)))


@settings(deadline=None)
@given(some, rows)
def test_a_decision_covers_nothing_outside_its_scope_and_time(head: list[Finding], given_: tuple[Decision, ...]) -> None:
    by_id = {each.id: each for each in given_}
    for one in judge(*head, given_=Given(given_)).judged:
        if one.waiver is not None and one.waiver.source == "decision":
            decision = by_id[DecisionId(one.waiver.decision)]
            assert covers(decision.scope, facts_of(one.finding))
            assert decision.until >= TODAY
            assert decision.days <= Policy().gate.max_waiver_days


@settings(deadline=None)
@given(some, some, rows)
def test_a_verdict_read_again_is_what_it_would_have_been(base: list[Finding], head: list[Finding], given_: tuple[Decision, ...]) -> None:
    plain, decided = (as_verdict(judge(*head, base=tuple(base), given_=each)) for each in (Given(), Given(given_)))
    read = again(plain, Given(given_), TODAY)
    assert read.outcome is decided.outcome
    assert sorted(map(repr, read.reasons)) == sorted(map(repr, decided.reasons))
    assert sorted(map(repr, read.findings)) == sorted(map(repr, decided.findings))
    assert read.after == decided.after
    back = again(read, Given(), TODAY)
    assert (back.outcome, back.after) == (plain.outcome, plain.after)
    assert sorted(map(repr, back.findings)) == sorted(map(repr, plain.findings))
    assert sorted(map(repr, back.reasons)) == sorted(map(repr, plain.reasons))


@settings(deadline=None)
@given(st.lists(st.tuples(one_scope, st.integers(0, 90)), max_size=6), some)
def test_the_names_under_which_decisions_are_kept_lose_none(given_: list[tuple[Scope, int]], head: list[Finding]) -> None:
    decisions = [replace(made(n), scope=scope, until=TODAY + dt.timedelta(days=days)) for n, (scope, days) in enumerate(given_, 1)]
    covering = Covering(decisions, Terms(), TODAY)
    for each in head:
        facts: Facts = facts_of(each)
        expected = min((one for one in decisions if covers(one.scope, facts)), key=precedence, default=None)
        assert covering.of(facts) == expected
