"""The ratchet as a law: whatever sequence of changes is accepted, the posture never falls without a recorded exception.

The oracle does not use the product's matching: it counts, per rule class and severity, what stands open.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, CodeSite, Finding, Layer, RuleId, Sighting, Span, Suppression
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Outcome
from assaymark.verdict.decide import Side, decide
from assaymark.verdict.policy import (
    CheckTable,
    GateSettings,
    InlineWaivers,
    Level,
    Policy,
    RecordedException,
    Waiver,
    weaknesses,
)
from assaymark.verdict.weight import in_context, weight

TODAY = dt.date(2026, 11, 23)
SOON = TODAY + dt.timedelta(days=20)

places = st.sampled_from(["src/a.py", "src/b.py", "tests/test_a.py"])
statements = st.sampled_from(["run(cmd)", "run(cmd, shell=True)", "execute(sql + name)", "execute(other)", "load(data)"])


@st.composite
def sightings(draw: st.DrawFn) -> Seen:
    comment = draw(st.sampled_from([None, None, None, "# nosec"]))
    return Seen(
        Sighting(
            rule=RuleId(draw(st.sampled_from(["x/one", "x/two"]))),
            site=CodeSite((draw(st.sampled_from(["f", "g"])),), draw(statements)),
            severity=draw(st.sampled_from(list(Severity))),
            message="m",
            span=Span(draw(st.integers(1, 9)), 1, 9, 2),
            confidence=draw(st.sampled_from(list(Confidence))),
            suppression=Suppression(comment, 1) if comment else None,
        ),
        CheckId("x"),
        Layer.APPLICATION,
        sha256(b""),
        draw(places),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        policy=GateSettings(
            level=draw(st.sampled_from(list(Level))),
            fail_on=draw(st.sampled_from([msgspec.UNSET, *Severity])),
            min_confidence=draw(st.sampled_from([msgspec.UNSET, *Confidence])),
        ),
        checks=CheckTable(
            disable=tuple(map(CheckId, draw(st.sets(st.sampled_from(["ruff", "secrets"]))))),
            exclude=tuple(draw(st.sets(st.sampled_from(["vendor/**", "src/b.py"])))),
        ),
        waiver=tuple(
            draw(
                st.lists(st.builds(Waiver, reason=st.just("r"), owner=st.just("o"), until=st.just(SOON), rule=st.just("x/one")), max_size=1)
            )
        ),
        exception=tuple(
            draw(
                st.lists(
                    st.builds(
                        RecordedException,
                        weakens=st.sampled_from(["policy.fail_on", "checks.disable:ruff"]),
                        reason=st.just("r"),
                        owner=st.just("o"),
                        until=st.just(SOON),
                        approver=st.sampled_from(["", "someone else"]),
                    ),
                    max_size=1,
                )
            )
        ),
    )


@st.composite
def sides(draw: st.DrawFn) -> Side:
    return Side(identify(draw(st.lists(sightings(), max_size=6)), catalogue()), draw(policies()))


def stopped_by(side: Side, policy: Policy) -> Counter[tuple[str, int]]:
    """Per rule class and severity bound: how many findings are at least that severe and would stop a change."""
    counts: Counter[tuple[str, int]] = Counter()
    for finding in map(in_context, side.findings):
        for bound in range(1, weight(finding, policy.gate) + 1):
            counts[finding.core.rule_class, bound] += 1
    return counts


def is_recorded(finding: Finding, policy: Policy) -> bool:
    return any(not w.rule or w.rule in {x.rule for x in finding.witnesses} for w in policy.waiver)


@st.composite
def histories(draw: st.DrawFn) -> list[Side]:
    """Each state is a small edit of the one before, so that many changes are accepted and the sequence has something to prove."""
    rows = draw(st.lists(sightings(), max_size=4))
    policy = draw(policies())
    states = [Side(identify(rows, catalogue()), policy)]
    for _ in range(draw(st.integers(1, 6))):
        keep = draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
        rows = [row for row, kept in zip(rows, keep, strict=True) if kept] + draw(st.lists(sightings(), max_size=1))
        policy = draw(st.one_of(st.just(policy), st.just(policy), policies()))
        states.append(Side(identify(rows, catalogue()), policy))
    return states


@settings(max_examples=200, deadline=None)
@given(histories())
def test_no_sequence_of_accepted_changes_lowers_the_posture_without_a_recorded_exception(states: list[Side]) -> None:
    accepted = states[0]
    for head in states[1:]:
        decision = decide(accepted, head, today=TODAY)
        if decision.outcome is not Outcome.PASS:
            continue
        named = {row.weakens for row in head.policy.exception}
        assert {w.name for w in weaknesses(accepted.policy, head.policy)} <= named
        if decision.policy.gate.inline_waivers is not InlineWaivers.HONOUR and not head.policy.waiver:
            before, after = stopped_by(accepted, decision.policy), stopped_by(head, decision.policy)
            assert all(after[key] <= before[key] for key in after), (before, after)
        elif not head.policy.waiver:
            unseen = Side([f for f in head.findings if f.suppression is None], head.policy)
            before, after = stopped_by(accepted, decision.policy), stopped_by(unseen, decision.policy)
            assert all(after[key] <= before[key] for key in after)
        event("a change was accepted")
        accepted = head


@settings(max_examples=100, deadline=None)
@given(sides(), st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_the_order_of_findings(side: Side, random: object) -> None:
    shuffled = list(side.findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    empty = Side((), side.policy)
    assert decide(empty, side, today=TODAY) == decide(empty, Side(shuffled, side.policy), today=TODAY)


@settings(max_examples=100, deadline=None)
@given(sides())
def test_a_subject_compared_with_itself_has_nothing_new(side: Side) -> None:
    decision = decide(side, side, today=TODAY)
    assert decision.outcome is Outcome.PASS
    assert {str(judged.state) for judged in decision.judged} <= {"known"}


@settings(max_examples=100, deadline=None)
@given(sides(), sides())
def test_every_finding_of_both_sides_is_judged_exactly_once(base: Side, head: Side) -> None:
    judged = decide(base, head, today=TODAY).judged
    visible = len(head.findings)
    assert sum(j.state != "fixed" for j in judged) == visible
    assert sum(j.state == "fixed" or j.previous is not None for j in judged) == len(base.findings)


@settings(max_examples=100, deadline=None)
@given(policies(), policies(), policies())
def test_weakness_is_an_order(a: Policy, b: Policy, c: Policy) -> None:
    assert not weaknesses(a, a)
    if not weaknesses(a, b) and not weaknesses(b, c):
        assert not weaknesses(a, c)
