"""Findings by their cause, and the numbers that stand above them: shared by every view that people read.

A cause is here one rule class with one fix, which is how people read a verdict: repaired alike, its findings go together. What one repair
removes for good, over subjects and days, is `model.cause`.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from assaymark.model.cause import is_gap as is_gap  # noqa: PLC0414 - views take it from here
from assaymark.model.finding import Finding, RuleClassId
from assaymark.model.rules import RuleInfo, catalogue
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, Reason, ReasonKind, State, Verdict

OPEN = frozenset({State.NEW, State.CHANGED, State.KNOWN, State.NEWLY_KNOWN})
OF_THE_CHANGE = frozenset({State.NEW, State.CHANGED})


class Cause(Struct, frozen=True):
    """Findings that one repair removes."""

    rule_class: RuleClassId
    title: str
    cwe: int
    owasp: tuple[str, ...]
    """Its places in OWASP's Top 10, oldest edition first."""
    advice: str
    severity: Severity
    """The worst of them."""
    gates: bool
    findings: tuple[Judged, ...]
    word_for_new: str


class Counts(Struct, frozen=True):
    """How many findings are what; waived and unchecked ones are in their own numbers only."""

    new: int = 0
    changed: int = 0
    known: int = 0
    newly_known: int = 0
    fixed: int = 0
    waived: int = 0
    unchecked: int = 0
    gating: int = 0


def count(verdict: Verdict) -> Counts:
    """The verdict's numbers."""
    states = dict.fromkeys(State, 0)
    waived = unchecked = gating = 0
    for judged in verdict.findings:
        if is_gap(judged.finding):
            unchecked += judged.state is not State.FIXED
        elif judged.waiver and judged.state is not State.FIXED:
            waived += 1
        else:
            states[judged.state] += 1
            gating += judged.gates
    return Counts(
        new=states[State.NEW],
        changed=states[State.CHANGED],
        known=states[State.KNOWN],
        newly_known=states[State.NEWLY_KNOWN],
        fixed=states[State.FIXED],
        waived=waived,
        unchecked=unchecked,
        gating=gating,
    )


def rule_of(verdict: Verdict, finding: Finding) -> RuleInfo:
    """The rule's data, also when the verdict does not carry it."""
    return verdict.rules.get(finding.rule) or RuleInfo(
        id=finding.rule, rule_class=finding.core.rule_class, title=finding.rule, severity=finding.severity, confidence=finding.confidence
    )


def cwe_of(rule_class: RuleClassId) -> int:
    """CWE id of a class of ours; 0 for a foreign rule."""
    known = catalogue().classes.get(rule_class)
    return known.cwe if known else 0


def owasp_of(rule_class: RuleClassId) -> tuple[str, ...]:
    """Where a class of ours stands in OWASP's Top 10; empty for a foreign rule."""
    known = catalogue().classes.get(rule_class)
    return known.owasp if known else ()


def standards_of(cause: Cause) -> str:
    """Where others speak of it, behind the class: `` · CWE-89 · OWASP A05:2025``; empty for a foreign rule."""
    return (f" · CWE-{cause.cwe}" if cause.cwe else "") + (f" · OWASP {cause.owasp[-1]}" if cause.owasp else "")


def urgency(judged: Judged) -> tuple[bool, bool, int, int, str, int, str]:
    """Sort key: what stops first, then new before old, then worst, surest, and by place."""
    finding = judged.finding
    place = finding.place
    return (
        not judged.gates,
        judged.state not in OF_THE_CHANGE,
        -finding.severity.rank,
        -finding.confidence.rank,
        place.path,
        place.line,
        finding.fingerprint,
    )


def causes(verdict: Verdict, findings: Iterable[Judged]) -> tuple[Cause, ...]:
    """The findings by cause, most urgent first; gaps are left to the reasons."""
    groups: dict[tuple[str, str], list[Judged]] = {}
    for judged in findings:
        finding = judged.finding
        if not is_gap(finding):
            key = (finding.core.rule_class, finding.fix.advice if finding.fix else "")
            groups.setdefault(key, []).append(judged)
    made = [_cause(verdict, sorted(group, key=urgency)) for group in groups.values()]
    return tuple(sorted(made, key=lambda c: (urgency(c.findings[0])[:3], -len(c.findings), c.rule_class, c.advice)))


def _cause(verdict: Verdict, group: list[Judged]) -> Cause:
    first = group[0].finding
    known = catalogue().classes.get(first.core.rule_class)
    return Cause(
        rule_class=first.core.rule_class,
        title=known.title if known else rule_of(verdict, first).title,
        cwe=known.cwe if known else 0,
        owasp=known.owasp if known else (),
        advice=first.fix.advice if first.fix else "",
        severity=max((j.finding.severity for j in group), key=lambda s: s.rank),
        gates=any(j.gates for j in group),
        findings=tuple(group),
        word_for_new=word_for_new(verdict),
    )


def other_reasons(verdict: Verdict) -> tuple[Reason, ...]:
    """Reasons that no shown finding already tells: weakenings, gaps, exceptions, and any whose finding is not in the verdict."""
    shown = {j.finding.fingerprint for j in verdict.findings if j.state in OF_THE_CHANGE and not is_gap(j.finding)}
    about_findings = (ReasonKind.NEW_FINDING, ReasonKind.WORSENED)
    return tuple(r for r in verdict.reasons if r.kind not in about_findings or r.finding not in shown)


def ordinals(findings: Iterable[Judged]) -> list[tuple[Judged, int]]:
    """Findings worst first, each with its ordinal among those of the same fingerprint, counted from 1 in order of place."""
    listed = list(findings)
    counted: dict[str, int] = {}
    numbers: dict[int, int] = {}
    for index in sorted(range(len(listed)), key=lambda i: (listed[i].finding.place, listed[i].state)):
        fingerprint = listed[index].finding.fingerprint
        counted[fingerprint] = numbers[index] = counted.get(fingerprint, 0) + 1
    order = sorted(range(len(listed)), key=lambda i: urgency(listed[i]))
    return [(listed[i], numbers[i]) for i in order]


def word_for_new(verdict: Verdict) -> str:
    """A subject that was judged alone has no new findings, only open ones."""
    return "open" if verdict.whole and verdict.base.kind != "baseline" else "new"


def outcome_sentence(verdict: Verdict) -> str:
    """The verdict in words."""
    word = word_for_new(verdict)
    stopping = [r for r in verdict.reasons if r.stops]
    counts = count(verdict)
    if not stopping and verdict.outcome.value == "pass":
        new = counts.new
        said = (
            f"{new} {word} {_plural('finding', new)} below the level that stops"
            if new
            else "nothing got worse"
            if word == "new"
            else "nothing found"
        )
        return f"{said}, {counts.fixed} fixed" if counts.fixed else said
    # A reason may speak for several places of one finding, so the findings themselves are counted where the verdict holds them.
    held = sum(j.gates and j.state is State.NEW for j in verdict.findings if not is_gap(j.finding))
    gating = held or sum(r.kind is ReasonKind.NEW_FINDING for r in stopping)
    parts = [f"{gating} {word} {_plural('finding', gating)}"] if gating else []
    for kind, what in (
        (ReasonKind.WORSENED, "worsened"),
        (ReasonKind.WEAKENED, "weakened"),
        (ReasonKind.UNPROVEN, "could not be checked"),
        (ReasonKind.POLICY, "against a rule of the organisation"),
    ):
        number = sum(r.kind is kind for r in stopping)
        parts += [f"{number} {what}"] if number else []
    return ", ".join(parts) or "see the reasons"


def _plural(word: str, number: int) -> str:
    return word if number == 1 else word + "s"
