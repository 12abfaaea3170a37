"""Many commits in one run: how the posture went, and how often "new" would have lied.

Every content of the whole stretch is looked at once, under the knowledge and policy of today, so that points can be compared.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.engine.plan import InputKey, InputRef, Plan, Side, needs_listing, plan, sides
from assaymark.engine.run import Results
from assaymark.errors import SubjectNotFound
from assaymark.flow import Context, findings_of, linked, policy_of, readable, settings_for
from assaymark.model.check import Check
from assaymark.model.finding import Finding, Kind
from assaymark.model.identity import CURRENT
from assaymark.model.severity import Severity
from assaymark.model.subject import Comparison
from assaymark.subjects.commits import Commit
from assaymark.subjects.history import commits
from assaymark.subjects.repository import Repository
from assaymark.subjects.resolve import CommitRequest, open_comparison
from assaymark.verdict.decide import Decision, decide
from assaymark.verdict.decide import Side as Judged
from assaymark.verdict.policy import Policy
from assaymark.views.history import HistoryPoint


class Step(Struct, frozen=True):
    """One commit against its first parent; the oldest one against nothing, so that everything it holds is counted."""

    commit: Commit
    comparison: Comparison
    planned: Plan


class Stretch(Struct, frozen=True):
    """A stretch of history, looked at."""

    steps: tuple[Step, ...]
    checks: Sequence[Check]
    results: Results
    policy: Policy

    def findings(self, step: Step, scheme: str = CURRENT) -> tuple[list[Finding], list[Finding]]:
        """Base's and head's findings of one step, as far as they differ."""
        old, new = (findings_of(placed, self.results, self.checks, scheme) for placed in (step.planned.base, step.planned.head))
        return old, new


def look(repository: Repository, revisions: str, most: int, context: Context) -> Stretch:
    """Look at the last `most` commits of `revisions`, first parents only.

    Raises:
        SubjectNotFound: when there is no commit.
    """
    found = commits(repository, revisions)[:most]
    if not found:
        raise SubjectNotFound(f"{revisions} holds no commit", advice="make a first commit, or name another range")
    found.reverse()
    newest = open_comparison(CommitRequest(found[-1].oid, repository.shown)).head
    policy = policy_of(newest)
    checks = context.make_checks(policy, settings_for(newest, policy, context))
    steps = tuple(_steps(repository, found, checks, (policy, context)))
    inputs: dict[InputKey, InputRef] = {ref.key: ref for step in steps for ref in step.planned.inputs}
    union = Plan(tuple(inputs.values()), (), (), ())
    reader = newest.reader()
    return Stretch(steps, checks, context.run(union, checks, (reader, reader), policy), policy)


def _steps(repository: Repository, found: Sequence[Commit], checks: Sequence[Check], under: tuple[Policy, Context]) -> Iterator[Step]:
    policy, context = under
    for number, commit in enumerate(found):
        comparison = open_comparison(CommitRequest(commit.oid, repository.shown))
        if number == 0:
            entries = readable(comparison.head.entries(), policy)
            base, head = linked((Side(whole=()), Side(entries, entries)), comparison, checks, context)
            yield Step(commit, comparison, plan(checks, base, head, everything=True))
            continue
        base, head = (Side(readable(side.entries, policy)) for side in sides(comparison.changes()))
        if needs_listing(checks, base, head):
            base = Side(base.entries, readable(comparison.base.entries(), policy))
            head = Side(head.entries, readable(comparison.head.entries(), policy))
        yield Step(commit, comparison, plan(checks, *linked((base, head), comparison, checks, context)))


def chronicle(repository: Repository, revisions: str, most: int, context: Context) -> tuple[HistoryPoint, ...]:
    """One point per commit, oldest first. The oldest one's findings are where the story starts: they are not called new."""
    stretch = look(repository, revisions, most, context)
    points: list[HistoryPoint] = []
    standing: Counter[Severity] = Counter()
    for number, step in enumerate(stretch.steps):
        old, new = stretch.findings(step)
        standing.update(_severities(new))
        standing.subtract(_severities(old))
        base = None if number == 0 else Judged(old, stretch.policy, frozenset((p.key.check, p.key.digest) for p in step.planned.base))
        decision = decide(base, Judged(new, stretch.policy), today=context.today)
        points.append(_point(step.commit, standing, decision, first=number == 0))
    return tuple(points)


def _severities(findings: Sequence[Finding]) -> Iterator[Severity]:
    return (finding.severity for finding in findings if finding.core.kind is not Kind.UNCHECKED)


def _point(commit: Commit, standing: Counter[Severity], decision: Decision, *, first: bool) -> HistoryPoint:
    states = Counter(str(judged.state) for judged in decision.judged if judged.finding.core.kind is not Kind.UNCHECKED)
    return HistoryPoint(
        commit=commit.oid,
        subject=commit.subject,
        author=commit.author,
        when=dt.datetime.fromtimestamp(commit.committed, dt.UTC).date().isoformat(),
        open={str(severity): standing[severity] for severity in reversed(Severity)},
        new=0 if first else states["new"],
        fixed=states["fixed"],
        outcome=decision.outcome,
    )
