"""A verdict read again when people decided about what it found, without looking at any content. Pure: today is an argument.

Guarantees: what a decision lets through stops nothing, and what it let through stops again when it is taken back, with the same reason as
before; whatever is not about a decision stays as it was said. `judge again without decisions` after `with` gives the outcome from before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, Outcome, Posture, Reason, ReasonKind, State, Verdict
from assaymark.verdict.given import SOURCE, Covering, Given, Terms, facts_of, notices, ref_of
from assaymark.verdict.reasons import about_decision, about_finding, about_gaps

_ABOUT_FINDINGS = frozenset({ReasonKind.NEW_FINDING, ReasonKind.WORSENED})
_NOTED = "decision "


def outcome_of(reasons: Sequence[Reason]) -> Outcome:
    """What reasons come to together."""
    stopping = [reason for reason in reasons if reason.stops]
    if any(reason.kind is not ReasonKind.UNPROVEN for reason in stopping):
        return Outcome.FAIL
    return Outcome.UNPROVEN if stopping else Outcome.PASS


def decided(one: Judged, covering: Covering) -> Judged:
    """With the decision that covers it, where the repository itself does not let it through; without any that was there before."""
    was = one.waiver is not None and one.waiver.source == SOURCE
    if one.state is State.FIXED or (one.waiver is not None and not was):
        return one
    decision = covering.of(facts_of(one.finding)) if covering else None
    if decision is None:
        return replace(one, waiver=None, gates=one.gates or one.held_back, held_back=False) if was else one
    return replace(one, waiver=ref_of(decision), gates=False, held_back=one.gates or one.held_back)


def terms_in(verdict: Verdict) -> Terms:
    """What the policy that judged asks of decisions."""
    return Terms(verdict.terms.waiver_days, verdict.terms.approver_required) if verdict.terms else Terms()


def again(verdict: Verdict, given: Given, today: dt.date) -> Verdict:
    """The verdict with these decisions in place of those that it was judged with; itself when nothing differs."""
    terms = terms_in(verdict)
    covering = Covering(given.decisions, terms, today)
    findings = tuple(decided(one, covering) for one in verdict.findings)
    if findings == verdict.findings:
        return verdict
    reasons = _reasons(verdict, findings)
    kept = [text for text in verdict.notices if not text.startswith(_NOTED)]
    return replace(
        verdict,
        outcome=outcome_of(reasons),
        reasons=tuple(reasons),
        findings=tuple(sorted(findings, key=lambda one: not one.gates)),
        after=_posture(verdict, findings),
        notices=(*kept, *notices(given, terms, today)),
    )


def _reasons(verdict: Verdict, findings: Sequence[Judged]) -> list[Reason]:
    gaps = [one for one in findings if one.finding.core.kind is Kind.UNCHECKED]
    covered = {_place(one) for one in findings if one.held_back}
    stopped = {(r.finding, r.path, r.line) for r in verdict.reasons if r.kind in _ABOUT_FINDINGS}
    back = [one for one in findings if one.gates and one.finding.core.kind is not Kind.UNCHECKED and _place(one) not in stopped]
    kept = [reason for reason in verdict.reasons if not _is_replaced(reason, covered)]
    stops = verdict.terms.unproven_stops if verdict.terms else any(r.stops and r.kind is ReasonKind.UNPROVEN for r in verdict.reasons)
    at = next((n for n, reason in enumerate(kept) if reason.kind not in _ABOUT_FINDINGS), len(kept))
    last = next((n for n, reason in enumerate(kept) if n >= at and not reason.stops), len(kept))
    first = sorted([*kept[:at], *about_finding(back)], key=_order(findings))
    return [*first, *kept[at:last], *about_gaps(gaps, stops=stops), *kept[last:], *about_decision(findings)]


def _is_replaced(reason: Reason, covered: set[tuple[str, str, int]]) -> bool:
    if reason.kind in _ABOUT_FINDINGS:
        return (reason.finding, reason.path, reason.line) in covered
    return reason.kind is ReasonKind.DECIDED or (reason.kind is ReasonKind.UNPROVEN and bool(reason.finding))


def _place(one: Judged) -> tuple[str, str, int]:
    return (one.finding.fingerprint, one.finding.place.path, one.finding.place.line)


def _order(findings: Sequence[Judged]) -> Callable[[Reason], tuple[Any, ...]]:
    ranks = {_place(one): (-one.finding.severity.rank, -one.finding.confidence.rank, one.finding.place) for one in findings}

    def key(reason: Reason) -> tuple[Any, ...]:
        found = ranks.get((reason.finding, reason.path, reason.line))
        return (1,) if found is None else (0, *found)

    return key


def _posture(verdict: Verdict, findings: Sequence[Judged]) -> Posture:
    """What stands open of that which is known: counted by what changed sides."""
    after = verdict.after
    open_, waived, unchecked = dict(after.open), after.waived, after.unchecked
    old = {id(one.finding): one for one in verdict.findings}
    for one in findings:
        before = old[id(one.finding)]
        step = bool(one.waiver) - bool(before.waiver)
        is_gap = one.finding.core.kind is Kind.UNCHECKED
        left = one.state is State.KNOWN and one.previous is None and not is_gap  # base had it, and a blind check could not see it go
        if not step or left:
            continue
        waived += step
        if is_gap:
            unchecked -= step
        else:
            open_[one.finding.severity] = open_.get(one.finding.severity, 0) - step
    return Posture(open=open_, waived=waived, unchecked=unchecked, policy=after.policy)
