"""How often does "new" lie? Measured on any history, beside the scheme that most tools ship (file + line + rule).

The truth that both schemes are held against: a finding of head *survived* when the change wrote none of its lines and base held a finding
of the same rule with the same statement text in the same file. To call it new is a lie. Limits: the truth favours schemes that look at the
text, and says nothing about edits of the statement itself; those are measured by the property tests on edited code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from assaymark.chronicle import Step, Stretch
from assaymark.model.finding import Finding, Kind
from assaymark.model.identity import CURRENT
from assaymark.verdict.compare import compare
from assaymark.verdict.weight import in_context, weight

REFERENCE = "line/1"
Touched = Mapping[str, Sequence[tuple[int, int]]]


class Score(Struct, frozen=True):
    """One scheme over a stretch of history."""

    scheme: str
    surviving: int
    falsely_new: int
    commits_with_lies: int
    commits_with_findings: int

    @property
    def rate(self) -> float:
        """Share of surviving findings that were called new, 0 to 1."""
        return self.falsely_new / self.surviving if self.surviving else 0.0


class _Tally:
    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.surviving = self.lies = self.commits = self.with_findings = 0

    def add(self, survived: Counter[str], called_new: Counter[str]) -> None:
        lies = sum((survived & called_new).values())
        self.surviving += survived.total()
        self.lies += lies
        self.commits += lies > 0
        self.with_findings += bool(survived)

    def score(self) -> Score:
        return Score(self.scheme, self.surviving, self.lies, self.commits, self.with_findings)


def replay(stretch: Stretch) -> tuple[Score, Score]:
    """Scores of our scheme and of the reference over every commit but the oldest."""
    ours, theirs = _Tally(CURRENT), _Tally(REFERENCE)
    for step in stretch.steps[1:]:
        old, new = (_real(side) for side in stretch.findings(step))
        if not new:
            continue
        touched = _touched(step, old, new)
        survived = _survived(old, new, touched)
        if not survived:
            continue
        ours.add(Counter(_spot(f) for f in survived), _new_by_counting(stretch, old, new, touched))
        theirs.add(Counter(_spot(f) for f in survived), _new_by_line(step, stretch, survived))
    return ours.score(), theirs.score()


def _real(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.core.kind is not Kind.UNCHECKED]


def _touched(step: Step, old: Sequence[Finding], new: Sequence[Finding]) -> Touched:
    paths = sorted({f.place.path for f in new} & {f.place.path for f in old})
    return step.comparison.touched_lines([(path, path) for path in paths])


def _survived(old: Sequence[Finding], new: Sequence[Finding], touched: Touched) -> list[Finding]:
    before = Counter((f.place.path, f.rule, f.statement) for f in old)
    found: list[Finding] = []
    for finding in new:
        key = (finding.place.path, finding.rule, finding.statement)
        if before[key] > 0 and not _written(finding, touched):
            before[key] -= 1
            found.append(finding)
    return found


def _written(finding: Finding, touched: Touched) -> bool:
    last = max(finding.place.line + finding.statement.count("\n"), finding.place.end_line)
    return any(start <= last and finding.place.line <= end for start, end in touched.get(finding.place.path, ()))


def _spot(finding: Finding) -> str:
    return f"{finding.place.path}\0{finding.place.line}\0{finding.place.column}\0{finding.rule}"


def _new_by_counting(stretch: Stretch, old: Sequence[Finding], new: Sequence[Finding], touched: Touched) -> Counter[str]:
    gate = stretch.policy.gate
    matched = compare(map(in_context, old), map(in_context, new), weigh=lambda f: weight(f, gate), touched=touched)
    return Counter(_spot(match.after) for match in matched if match.after is not None and match.before is None)


def _new_by_line(step: Step, stretch: Stretch, survived: Sequence[Finding]) -> Counter[str]:
    """By file, line and rule: what base did not hold at that very line is new."""
    old, _ = stretch.findings(step, REFERENCE)
    known = {finding.fingerprint for finding in old}
    _, new = stretch.findings(step, REFERENCE)
    called = {(f.place.path, f.place.line, f.rule) for f in new if f.fingerprint not in known}
    return Counter(_spot(f) for f in survived if any((f.place.path, f.place.line, w.rule) in called for w in f.witnesses[:1]))
