"""Recording a baseline and previewing a migration: everything known of one subject, under one or two schemes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from assaymark.engine.plan import Plan, Side, plan
from assaymark.engine.run import Results
from assaymark.flow import Context, findings_of, linked, policy_of, readable, settings_for
from assaymark.model.check import Check
from assaymark.model.finding import Finding, Fingerprint, Kind
from assaymark.model.identity import CURRENT
from assaymark.model.subject import Comparison
from assaymark.verdict.baseline import FORMAT, Baseline, Migration, Remembered, names_under, preview, remember
from assaymark.verdict.compare import compare
from assaymark.verdict.given import NOTHING, Given
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import raised
from assaymark.verdict.weight import weight


class Looked(Struct, frozen=True):
    """Everything that is known of one subject."""

    planned: Plan
    results: Results
    checks: Sequence[Check]
    policy: Policy

    def findings(self, scheme: str = CURRENT) -> list[Finding]:
        """Its findings; gaps are no findings that anybody could remember."""
        found = findings_of(self.planned.head, self.results, self.checks, scheme)
        return [finding for finding in found if finding.core.kind is not Kind.UNCHECKED]

    def gaps(self) -> list[Finding]:
        """What could not be checked."""
        found = findings_of(self.planned.head, self.results, self.checks)
        return [finding for finding in found if finding.core.kind is Kind.UNCHECKED]


def look_at(comparison: Comparison, context: Context, given: Given = NOTHING) -> Looked:
    """Look at the whole of head."""
    policy = raised(policy_of(comparison.head), given.floors)
    checks = context.make_checks(policy, settings_for(comparison.head, policy, context))
    entries = readable(comparison.head.entries(), policy)
    base, head = linked((Side(whole=()), Side(entries, entries)), comparison, checks, context)
    planned = plan(checks, base, head, everything=True)
    reader = comparison.head.reader()
    return Looked(planned, context.run(planned, checks, (reader, reader), policy), checks, policy)


def record(
    comparison: Comparison,
    context: Context,
    *,
    earlier: Baseline | None = None,
    schemes: Sequence[str] = (),
    given: Given = NOTHING,
) -> Baseline:
    """A baseline of head; memory of an earlier one is carried over to the same and to edited findings."""
    looked = look_at(comparison, context, given)
    findings = looked.findings()
    before = [row.finding for row in earlier.findings] if earlier else []
    matched = compare(before, findings, weigh=lambda f: weight(f, looked.policy.gate))
    rows = remember(earlier, matched, context.today.isoformat())
    return Baseline(
        format=FORMAT,
        made=context.today.isoformat(),
        subject=comparison.head.ref.name,
        scheme=CURRENT,
        knowledge={run.check: run.knowledge for run in looked.results.runs},
        inputs=tuple(sorted({placed.key.digest for placed in looked.planned.head})),
        findings=_named(rows, looked, [scheme for scheme in schemes if scheme != CURRENT]),
        gaps=tuple(looked.gaps()),
    )


def _named(rows: Sequence[Remembered], looked: Looked, schemes: Sequence[str]) -> tuple[Remembered, ...]:
    """Write the names under further schemes beside the current one."""
    if not schemes:
        return tuple(rows)
    names: list[dict[tuple[str, Fingerprint], tuple[Fingerprint, ...]]] = [
        names_under([row.finding for row in rows], looked.findings(scheme)) for scheme in schemes
    ]
    return tuple(
        msgspec.structs.replace(
            row, names=tuple(n for table in names for n in table.get((row.finding.place.path, row.finding.fingerprint), ()))
        )
        for row in rows
    )


def migration(comparison: Comparison, context: Context, schemes: tuple[str, str]) -> Migration:
    """What going from one scheme to another would do to the findings of head."""
    looked = look_at(comparison, context)
    return preview(looked.findings(schemes[0]), looked.findings(schemes[1]), schemes)
