"""What others say, in the form of a verdict: findings without a judgement, so that they are recorded like everything else."""

from __future__ import annotations

import assaymark
from assaymark.model.finding import Kind
from assaymark.model.identity import CURRENT
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import CheckRun, Judged, Outcome, Posture, Verdict


def hearsay(what: str, judged: tuple[Judged, ...], checks: tuple[CheckRun, ...]) -> Verdict:
    """Everything that is said; unproven where something of it could not be looked at."""
    has_gaps = any(each.finding.core.kind is Kind.UNCHECKED for each in judged)
    return Verdict(
        outcome=Outcome.UNPROVEN if has_gaps else Outcome.PASS,
        base=SubjectRef("empty", "", ""),
        head=SubjectRef("import", what, ""),
        reasons=(),
        findings=judged,
        checks=checks,
        policy_level="",
        fail_on="",
        knowledge="",
        policy_digest="",
        scheme=CURRENT,
        whole=True,
        before=Posture({}),
        after=Posture({}),
        seconds=0.0,
        tool_version=assaymark.__version__,
        rules={},
    )
