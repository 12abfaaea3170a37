"""The verdict: pass, fail or unproven, with the reasons in order of what to do first. Pure: today is an argument."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from assaymark.model.check import UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Finding, Kind
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, Outcome, Posture, Reason, State, WaiverRef
from assaymark.verdict.again import decided, outcome_of
from assaymark.verdict.compare import Matched, compare
from assaymark.verdict.given import NOTHING, Covering, Given, facts_of, ref_of, terms_of
from assaymark.verdict.given import notices as given_notices
from assaymark.verdict.policy import Gate, InlineWaivers, Policy, Unproven, Waiver, Weakening, strictest, weaknesses
from assaymark.verdict.ratchet import exceptions, inline_weakenings, waiver_growth
from assaymark.verdict.reasons import about_decision, about_finding, about_gaps, about_secret_left, about_vex, about_waiver, about_weakening
from assaymark.verdict.rules import FloorOf, raised, raises
from assaymark.verdict.vex import Statement, Word, added, let_through, weigh
from assaymark.verdict.waivers import Standing, apply, covers, standing
from assaymark.verdict.weight import in_context, weight


class Side(Struct, frozen=True):
    """One of two subjects, as far as it differs from the other."""

    findings: Sequence[Finding]
    policy: Policy
    inputs: frozenset[tuple[str, Digest]] = frozenset()
    """(check, digest) pairs that were looked at or tried on this side."""
    narrowed: tuple[Weakening, ...] = ()
    """Of head: files that the policy names and that ask for less than they did (`verdict.policy.narrowed`)."""
    promised: bool = True
    """Of base: False when it carried no policy, so that the default one was in effect but nobody had chosen it."""
    vex: tuple[Statement, ...] = ()
    """Of the OpenVEX documents that this side's policy names."""


class Decision(Struct, frozen=True):
    """What `decide` says; the flow adds names, times and digests to make a `Verdict`."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    judged: tuple[Judged, ...]
    before: Posture
    after: Posture
    policy: Policy
    """The policy that was applied."""
    notices: tuple[str, ...]


def effective(base: Policy, head: Policy, today: dt.date, floors: tuple[FloorOf, ...] = ()) -> Policy:
    """The policy to plan and judge by: the stricter of both in every setting, unless a recorded exception lets the weaker one through.

    Nothing is below a floor, whatever was recorded.
    """
    return raised(strictest(base, head, exceptions(head, raised(base, floors).gate, today).names), floors)


def decide(  # noqa: PLR0913 - one argument per thing that a judgement rests on
    base: Side | None,
    head: Side,
    *,
    today: dt.date,
    touched: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    newly_known: frozenset[str] = frozenset(),
    given: Given = NOTHING,
) -> Decision:
    """Judge head against base; without a base, head is judged as a whole and inline comments that stand are honoured.

    `newly_known` holds fingerprints that only new knowledge shows in unchanged content: they are debt, not the change's doing. `given` is
    what a server adds; where the repository lets something through by itself, its own word is named.
    """
    first = base is None
    base = base or Side((), head.policy)
    policy = effective(base.policy, head.policy, today, given.floors)
    gate = policy.gate
    if first and gate.inline_waivers is InlineWaivers.RATCHET:
        gate = msgspec.structs.replace(gate, inline_waivers=InlineWaivers.HONOUR)
    found = _sort(base, head, _How(policy, gate, today, touched, newly_known, given))
    allowed = exceptions(head.policy, raised(base.policy, given.floors).gate, today)
    reasons = [
        *about_finding(found.judged),
        *about_weakening((*weaknesses(base.policy, head.policy), *head.narrowed), allowed, chosen_first=not base.promised),
        *(r for weakening, finding in found.inline for r in about_weakening((weakening,), allowed, finding)),
        *about_gaps(found.gaps, stops=gate.unproven is Unproven.STOP),
        *about_waiver(waiver_growth(base.policy, head.policy) if not first else ()),
        *about_vex(added(base.vex, found.word.honoured) if not first else ()),
        *about_decision([*found.judged, *found.gaps]),
        *about_secret_left(found.judged, [w for w in found.stand.valid if w.rotated]),
    ]
    decision = Decision(
        outcome=outcome_of(reasons),
        reasons=tuple(reasons),
        judged=tuple(sorted([*found.judged, *found.gaps], key=_urgency)),
        before=found.before,
        after=found.after,
        policy=policy,
        notices=(
            *found.stand.notices,
            *found.word.notices,
            *allowed.notices,
            *_to_renew(found.judged, found.stand.valid),
            *given_notices(given, terms_of(gate), today),
            *raises(strictest(base.policy, head.policy, allowed.names).gate, given.floors),
        ),
    )
    return _ruled(decision, given, today, gate) if given.rules else decision


class _How(Struct, frozen=True):
    """By what findings are sorted into states."""

    policy: Policy
    gate: Gate
    today: dt.date
    touched: Mapping[str, Sequence[tuple[int, int]]] | None
    newly_known: frozenset[str]
    given: Given


class _Sorted(Struct, frozen=True):
    """Both sides compared, with what lets findings through."""

    judged: list[Judged]
    gaps: list[Judged]
    inline: Sequence[tuple[Weakening, Finding]]
    """Comments that the ratchet does not honour."""
    stand: Standing
    word: Word
    before: Posture
    after: Posture


def _sort(base: Side, head: Side, how: _How) -> _Sorted:
    gate, today = how.gate, how.today
    old, new = [_seen(side.findings, how.policy) for side in (base, head)]
    matched = compare(
        [f for f in old if f.core.kind is not Kind.UNCHECKED],
        [f for f in new if f.core.kind is not Kind.UNCHECKED],
        weigh=lambda f: weight(f, gate),
        touched=how.touched,
    )
    stand = standing(how.policy, gate, today)
    word = weigh(head.vex, gate, today)
    refs = dict(zip(map(id, new), _waived(new, stand.valid, word, (gate, today)), strict=True))
    stood = Counter[str](f.fingerprint for f in old if _is_entry(f))
    gaps = [_gap(f, base.inputs, refs[id(f)], stood) for f in new if f.core.kind is Kind.UNCHECKED]
    blind = frozenset(gap.finding.witnesses[0].check for gap in gaps if gap.state is State.NEW)
    judged = [_judge(match, refs, gate, how.newly_known) if match.after else _vanished(match, blind) for match in matched]
    inline = inline_weakenings(matched, [bool(j.waiver and j.waiver.source == "policy") for j in judged], gate)
    judged = _unhide(judged, {id(finding) for _, finding in inline}, gate)
    judged = [_waiver_over(one, stand.ended, gate) for one in judged]
    covering = Covering(how.given.decisions, terms_of(gate), today)
    waived_before = _waived(old, standing(base.policy, gate, today).valid, weigh(base.vex, gate, today), (gate, today))
    return _Sorted(
        judged=[decided(one, covering) for one in judged],
        gaps=[decided(one, covering) for one in gaps],
        inline=inline,
        stand=stand,
        word=word,
        before=_posture(old, _with_decisions(old, waived_before, covering), base.policy),
        after=_posture(new, _with_decisions(new, [refs[id(f)] for f in new], covering), how.policy),
    )


def _ruled(decision: Decision, given: Given, today: dt.date, gate: Gate) -> Decision:
    """With the word of the organisation's rules."""
    from assaymark.verdict.ruling import rule  # noqa: PLC0415 - a developer's machine has none

    ruled = rule(decision, given, today.isoformat(), gaps_stop=gate.unproven is Unproven.STOP)
    judged = tuple(sorted(ruled.judged, key=_urgency))
    return msgspec.structs.replace(decision, outcome=outcome_of(ruled.reasons), reasons=ruled.reasons, judged=judged, after=ruled.after)


def _waived(findings: Sequence[Finding], valid: Sequence[Waiver], word: Word, by: tuple[Gate, dt.date]) -> list[WaiverRef | None]:
    """The waiver of each finding: the policy's, else a VEX statement, else an inline comment."""
    return [
        ref if ref is not None and ref.source == "policy" else let_through(finding, word.honoured, by[0]) or ref
        for finding, ref in zip(findings, apply(findings, valid, *by), strict=True)
    ]


def _with_decisions(findings: Sequence[Finding], refs: Sequence[WaiverRef | None], covering: Covering) -> Sequence[WaiverRef | None]:
    if not covering:
        return refs
    found = ((ref, None if ref else covering.of(facts_of(finding))) for finding, ref in zip(findings, refs, strict=True))
    return [ref_of(decision) if decision else ref for ref, decision in found]


def _seen(findings: Sequence[Finding], policy: Policy) -> list[Finding]:
    """What the policy lets be seen, in an order of its own: of two findings at one place, the order given must not say which is which."""
    off = frozenset(policy.checks.disable_rules)
    kept = [in_context(f) for f in findings if not off or not (f.core.rule_class in off or all(w.rule in off for w in f.witnesses))]
    return sorted(kept, key=_canonical)


def _canonical(finding: Finding) -> tuple[object, ...]:
    asked = finding.suppression
    return (
        finding.place,
        finding.fingerprint,
        finding.severity.rank,
        finding.confidence.rank,
        finding.statement,
        finding.witnesses,
        (asked.line, asked.marker) if asked else (-1, ""),
        finding.input,
    )


def _judge(match: Matched, refs: Mapping[int, WaiverRef | None], gate: Gate, newly_known: frozenset[str]) -> Judged:
    before, after = match.before, match.after
    assert after is not None  # noqa: S101 - what vanished is `_vanished`'s
    waiver = refs[id(after)]
    if before is None:
        state = State.NEWLY_KNOWN if after.fingerprint in newly_known else State.NEW
        return Judged(after, state, waiver, gates=state is State.NEW and weight(after, gate) > 0 and waiver is None)
    state = State.CHANGED if match.edited else State.KNOWN
    return Judged(after, state, waiver, previous=before, gates=weight(after, gate) > weight(before, gate) and waiver is None)


def _vanished(match: Matched, blind: frozenset[CheckId]) -> Judged:
    """Closed only when every check that saw it finished over all that changed: what left one file may stand in one that was not read."""
    before = match.before
    assert before is not None  # noqa: S101 - one side is always there, by construction of Matched
    return Judged(before, State.KNOWN if any(witness.check in blind for witness in before.witnesses) else State.FIXED)


def _unhide(judged: list[Judged], added: set[int], gate: Gate) -> list[Judged]:
    """An inline comment that the ratchet refuses waives nothing."""
    return [
        msgspec.structs.replace(j, waiver=None, gates=_gates_unwaived(j, gate)) if id(j.finding) in added and j.waiver else j
        for j in judged
    ]


def _waiver_over(judged: Judged, ended: Sequence[Waiver], gate: Gate) -> Judged:
    """A risk that was accepted until a day stops again after it, in every change that touches its file."""
    if judged.waiver is not None or judged.state is State.FIXED or not weight(judged.finding, gate):
        return judged
    return msgspec.structs.replace(judged, gates=True) if any(covers(waiver, judged.finding) for waiver in ended) else judged


def _gates_unwaived(judged: Judged, gate: Gate) -> bool:
    if judged.state is State.NEW:
        return weight(judged.finding, gate) > 0
    return judged.previous is not None and weight(judged.finding, gate) > weight(judged.previous, gate)


def _gap(finding: Finding, tried_before: frozenset[tuple[str, Digest]], waiver: WaiverRef | None, stood: Counter[str]) -> Judged:
    """Unchanged content that could not be checked before either is an old gap, and so is an entry that base holds as often.

    Anything else leaves the change unproven.
    """
    old = (finding.witnesses[0].check, finding.input) in tried_before
    if not old and _is_entry(finding) and stood[finding.fingerprint] > 0:
        stood[finding.fingerprint] -= 1
        old = True
    return Judged(finding, State.KNOWN if old else State.NEW, waiver, gates=not old and waiver is None)


def _is_entry(finding: Finding) -> bool:
    """A gap about one entry of a file whose rest was checked; its unit names the entry, that of a whole input the kind of unit."""
    return finding.core.kind is Kind.UNCHECKED and finding.core.parts[1] not in _UNITS


_UNITS = frozenset(map(str, UnitKind))


def _to_renew(judged: Sequence[Judged], valid: Sequence[Waiver]) -> Iterator[str]:
    """Waivers that were bound to a statement as it stood before this change."""
    for one in judged:
        if one.state is State.CHANGED and one.previous and one.waiver is None:
            for waiver in valid:
                if waiver.finding and covers(waiver, one.previous):
                    yield (
                        f"the waiver for {one.previous.short_id} ({waiver.owner}) was bound to the statement as it stood:"
                        f" renew it for {one.finding.short_id}, or it covers nothing any more"
                    )


_STATES = (State.NEW, State.CHANGED, State.NEWLY_KNOWN, State.KNOWN, State.FIXED)


def _urgency(judged: Judged) -> tuple[object, ...]:
    finding = judged.finding
    return (
        not judged.gates,
        _STATES.index(judged.state),
        -finding.severity.rank,
        -finding.confidence.rank,
        finding.place,
        finding.fingerprint,
    )


def _posture(findings: Sequence[Finding], refs: Sequence[WaiverRef | None], policy: Policy) -> Posture:
    counts = dict.fromkeys(map(str, reversed(Severity)), 0)
    waived = unchecked = 0
    for finding, ref in zip(findings, refs, strict=True):
        if ref is not None:
            waived += 1
        elif finding.core.kind is Kind.UNCHECKED:
            unchecked += 1
        else:
            counts[finding.severity] += 1
    return Posture(open=counts, waived=waived, unchecked=unchecked, policy=policy.policy.level)
