"""What asks for more than what something was judged by: the laws of the order, and what is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from tests.verdict.policy_samples import document, given, rule
from tests.views.views_sample import empty

from assaymark.model.finding import CheckId
from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import PolicyRef, PolicyTerms, State
from assaymark.verdict.policy import APPETITE, CheckTable, GateSettings, InlineWaivers, Level, Policy, Unproven
from assaymark.verdict.rules import Action, Floor, FloorOf, Over, Rule, raised
from assaymark.verdict.stricter import floor_above, policy_of, rules_above

REF = PolicyRef("base", "1.0.0", "sha256:0")
CHECKS = st.lists(st.sampled_from(["secrets", "ruff", "dependencies"]), unique=True, max_size=3).map(tuple)


def _maybe(values: Any) -> Any:
    return st.none() | values


FLOORS = st.builds(
    Floor,
    level=_maybe(st.sampled_from(Level)),
    fail_on=_maybe(st.sampled_from(Severity)),
    min_confidence=_maybe(st.sampled_from(Confidence)),
    unproven=_maybe(st.sampled_from(Unproven)),
    inline_waivers=_maybe(st.sampled_from(InlineWaivers)),
    max_waiver_days=_maybe(st.integers(1, 400)),
    approver_required=_maybe(st.booleans()),
    checks=CHECKS,
    rules=CHECKS,
)
POLICIES = st.builds(
    lambda level, fail_on, off, rules: Policy(
        GateSettings(level=level, **({"fail_on": fail_on} if fail_on is not None else {})),
        CheckTable(disable=tuple(CheckId(each) for each in off), disable_rules=rules),
    ),
    st.sampled_from(Level), _maybe(st.sampled_from(Severity)), CHECKS, CHECKS,
)  # fmt: skip
RULES = st.lists(
    st.builds(
        Rule, policy=st.just(REF), id=st.sampled_from("abc"), when=st.sampled_from(["true", "finding.rank > 1"]),
        action=st.sampled_from(Action), message=st.just(""), advice=st.just(""), over=st.sampled_from(Over),
        states=st.sampled_from([(State.NEW,), (State.NEW, State.KNOWN)]), waived=st.booleans(),
    ),
    max_size=3, unique_by=lambda each: each.id,
).map(tuple)  # fmt: skip


@drawn(POLICIES, FLOORS)
def test_a_floor_is_above_exactly_where_it_raises_something(policy: Policy, floor: Floor) -> None:
    over = raised(policy, (FloorOf(REF, floor),))
    assert bool(floor_above(policy, floor)) is (over != policy)


@drawn(POLICIES, FLOORS)
def test_nothing_is_above_what_was_raised_to_it(policy: Policy, floor: Floor) -> None:
    assert floor_above(raised(policy, (FloorOf(REF, floor),)), floor) == ()


@drawn(POLICIES, FLOORS, FLOORS)
def test_a_stricter_policy_has_no_more_above_it(policy: Policy, other: Floor, floor: Floor) -> None:
    names = {each.split()[0:2][-1] if each.startswith(("check", "rule")) else each.split()[0] for each in floor_above(policy, floor)}
    left = floor_above(raised(policy, (FloorOf(REF, other),)), floor)
    assert {each.split()[0:2][-1] if each.startswith(("check", "rule")) else each.split()[0] for each in left} <= names


@drawn(RULES)
def test_no_rule_is_above_itself(rules: tuple[Rule, ...]) -> None:
    assert list(rules_above(rules, rules)) == []


@drawn(RULES, RULES, RULES)
def test_having_been_asked_more_leaves_no_more_above(judged: tuple[Rule, ...], more: tuple[Rule, ...], now: tuple[Rule, ...]) -> None:
    known = {each.id for each in judged}
    both = (*judged, *(each for each in more if each.id not in known))
    assert {each.id for each, _ in rules_above(both, now)} <= {each.id for each, _ in rules_above(judged, now)}


@drawn(RULES, RULES)
def test_what_can_only_warn_or_allow_is_above_nothing(judged: tuple[Rule, ...], now: tuple[Rule, ...]) -> None:
    assert all(each.action in {Action.STOP, Action.REQUIRE_APPROVAL} for each, _ in rules_above(judged, now))


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        ("{fail_on: low}", ("fail_on is low, it was medium",)),
        ("{fail_on: high}", ()),
        ("{min_confidence: low}", ("min_confidence is low, it was medium",)),
        ("{unproven: stop}", ()),
        ("{inline_waivers: ignore}", ("inline_waivers is ignore, it was ratchet",)),
        ("{max_waiver_days: 30}", ("max_waiver_days is 30, it was 180",)),
        ("{approver_required: true}", ("approver_required is true, it was false",)),
        ("{checks: [ruff, secrets]}", ("check ruff may not be off, it was",)),
        ("{rules: [ruff/S324]}", ("rule ruff/S324 may not be off, it was",)),
        ("{level: prototype}", ()),
    ],
)
def test_each_setting_is_compared_and_named(floor: str, said: tuple[str, ...]) -> None:
    policy = Policy(checks=CheckTable(disable=(CheckId("ruff"),), disable_rules=("ruff/S324",)))
    (of,) = given(document(floor=floor)).floors
    assert floor_above(policy, of.floor) == said


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("", rule("true"), "it was not asked"),
        (rule("true", "warn"), rule("true"), "it could warn"),
        (rule("true"), rule("finding.rank >= rank.high"), "another one"),
        (rule("finding.rank >= rank.high"), rule("true"), "another one"),
        (rule("true"), rule("true", states="[new, known]"), "asked of more"),
        (rule("true", states="[new, known]"), rule("true"), ""),
        (rule("true"), rule("true", "require-approval"), ""),
        (rule("true"), rule("true", "warn"), ""),
        (rule("true"), "", ""),
    ],
)
def test_rules_are_compared_by_what_they_can_stop(before: str, after: str, why: str) -> None:
    judged, now = (given(document(rules=each)).rules if each else () for each in (before, after))
    found = [said for _, said in rules_above(judged, now)]
    assert (len(found), all(why in each for each in found)) == (bool(why), True), found


def test_what_a_verdict_does_not_say_is_taken_as_the_strictest() -> None:
    said = msgspec.structs.replace(empty(), policy_level="production", fail_on="high", terms=PolicyTerms(False, 90, False))
    regulated = Floor(level=Level.REGULATED)
    names = [each.split()[0] for each in floor_above(policy_of(said), regulated)]
    assert names == ["fail_on", "unproven", "approver_required"], "confidence and comments are not in a verdict"
    assert floor_above(policy_of(msgspec.structs.replace(said, fail_on="", terms=None)), regulated) == ()
    assert APPETITE[Level.REGULATED].max_waiver_days == 90
