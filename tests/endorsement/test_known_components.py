"""Whether a component is known to be good: laws of what is derived from endorsements, rules and waivers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from assaymark.endorsement.components import (
    DAY,
    RULES,
    WAIVER_RULE,
    Choice,
    ComponentKind,
    ComponentState,
    Facts,
    Known,
    Rules,
    Vouching,
    Waived,
    derive,
    instead,
    rule_of,
)
from assaymark.endorsement.verify import SKEW
from assaymark.model.assessment import Instant
from assaymark.model.severity import Severity

NOW = Instant(1_000 * DAY)
PLAIN = Rules()
GOOD = Vouching(1, Instant(990 * DAY), Instant(1_010 * DAY))
FLASK = Facts(ComponentKind.PACKAGE, "pkg:pypi/flask", (GOOD,), since=Instant(900 * DAY))

_instants = st.integers(980, 1_020).map(lambda day: Instant(day * DAY))
_vouchings = st.builds(Vouching, st.integers(1, 9), _instants, _instants, st.none() | _instants)
_facts = st.builds(
    Facts,
    st.sampled_from(ComponentKind),
    st.sampled_from(["pkg:npm/a", "pkg:pypi/b"]),
    st.lists(_vouchings, max_size=5).map(tuple),
    st.lists(st.builds(Known, st.just("CVE-1"), st.sampled_from(Severity)), max_size=2).map(tuple),
    st.none() | _instants,
)
_rules = st.builds(Rules, st.sampled_from([0, 5]), st.sampled_from([(), ("pkg:npm/*",)]), st.none() | st.sampled_from(Severity))
_waivers = st.lists(st.builds(Waived, st.sampled_from(RULES), st.integers(1, 9), _instants), max_size=6)


@given(_facts, _rules, _instants)
def test_approved_is_what_a_valid_endorsement_vouches_for_and_no_rule_forbids(facts: Facts, rules: Rules, now: Instant) -> None:
    found = derive(facts, rules, (), now)
    valid = [each for each in facts.vouchings if each.is_valid(now)]
    assert (found.state is ComponentState.APPROVED) == (not found.why)
    assert found.state is not ComponentState.WAIVED
    if found.state is ComponentState.APPROVED:
        assert found.by in valid
        assert found.until == found.by.expires_at
        assert found.by.verified_at == max(each.verified_at for each in valid)


@given(_facts, _rules, _waivers, _instants)
def test_the_order_in_which_they_are_given_does_not_matter(facts: Facts, rules: Rules, waivers: list[Waived], now: Instant) -> None:
    other = derive(replace(facts, vouchings=facts.vouchings[::-1]), rules, waivers[::-1], now)
    found = derive(facts, rules, waivers, now)
    assert (found.state, found.why, found.until) == (other.state, other.why, other.until)


@given(_facts, _rules, _waivers, _instants)
def test_withdrawing_everything_approves_nothing(facts: Facts, rules: Rules, waivers: list[Waived], now: Instant) -> None:
    gone = replace(facts, vouchings=tuple(replace(each, withdrawn_at=now) for each in facts.vouchings))
    found = derive(gone, rules, waivers, now)
    assert found.state is not ComponentState.APPROVED
    assert {ComponentState.WITHDRAWN, ComponentState.NOT_ENDORSED} & set(found.why)


@given(_facts, _rules, _instants, _vouchings)
def test_another_endorsement_never_takes_an_approval_away(facts: Facts, rules: Rules, now: Instant, more: Vouching) -> None:
    if derive(facts, rules, (), now).state is ComponentState.APPROVED:
        assert derive(replace(facts, vouchings=(*facts.vouchings, more)), rules, (), now).state is ComponentState.APPROVED


@given(_facts, _rules, _waivers, _instants)
def test_a_waiver_lets_through_its_own_rule_and_no_other(facts: Facts, rules: Rules, waivers: list[Waived], now: Instant) -> None:
    without = derive(facts, rules, (), now)
    found = derive(facts, rules, waivers, now)
    covered = {each.rule for each in waivers if each.ends_at > now}
    assert found.why == without.why
    assert (found.state is ComponentState.WAIVED) == bool(without.why and set(without.why) <= covered)
    if found.state is ComponentState.WAIVED:
        assert found.until is not None
        assert found.until > now
        assert len(found.waivers) == len(found.why)


@given(_facts, _rules)
def test_nothing_is_approved_after_the_last_endorsement_ended(facts: Facts, rules: Rules) -> None:
    end = Instant(max((each.expires_at for each in facts.vouchings), default=0))
    assert derive(facts, rules, (), end).state is not ComponentState.APPROVED


def test_each_reason_has_its_own_name() -> None:
    def state(facts: Facts = FLASK, rules: Rules = PLAIN, now: Instant = NOW) -> ComponentState:
        return derive(facts, rules, (), now).state

    assert state() is ComponentState.APPROVED
    assert state(replace(FLASK, vouchings=())) is ComponentState.NOT_ENDORSED
    assert state(now=GOOD.expires_at) is ComponentState.EXPIRED
    assert state(replace(FLASK, vouchings=(replace(GOOD, withdrawn_at=NOW),))) is ComponentState.WITHDRAWN
    assert state(replace(FLASK, vouchings=(replace(GOOD, withdrawn_at=Instant(NOW + 1)),))) is ComponentState.APPROVED
    assert state(replace(FLASK, advisories=(Known("CVE-1", Severity.HIGH),))) is ComponentState.HAS_ADVISORY
    assert state(replace(FLASK, advisories=(Known("CVE-1", Severity.MEDIUM),))) is ComponentState.APPROVED
    assert state(rules=Rules(min_age_days=101)) is ComponentState.TOO_YOUNG
    assert state(rules=Rules(min_age_days=100)) is ComponentState.APPROVED
    assert state(replace(FLASK, since=None), Rules(min_age_days=1)) is ComponentState.TOO_YOUNG
    assert state(rules=Rules(origins=("pkg:npm/*",))) is ComponentState.WRONG_ORIGIN
    assert state(rules=Rules(origins=("pkg:npm/*", "pkg:pypi/flask"))) is ComponentState.APPROVED


def test_what_begins_beyond_the_clocks_difference_vouches_for_nothing_yet() -> None:
    later = replace(GOOD, verified_at=Instant(NOW + SKEW + 1))
    assert derive(replace(FLASK, vouchings=(later,)), PLAIN, (), NOW).state is ComponentState.NOT_ENDORSED


def test_the_nearest_approved_version_above_is_taken_instead_otherwise_the_newest() -> None:
    choices = [Choice(name, name.encode(), name != "4") for name in ("1", "2", "4", "5", "6")]
    assert instead(b"3", choices) == "5"
    assert instead(b"9", choices) == "6"
    assert instead(b"", choices) == "6"
    assert not instead(b"3", [Choice("4", b"4", approved=False)])


def test_a_waiver_names_its_rule() -> None:
    assert all(rule_of(WAIVER_RULE + each) is each for each in RULES)
    assert rule_of("approved-components/approved") is None
    assert rule_of("ruff/S608") is None
