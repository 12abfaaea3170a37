"""The user's policies over Dockerfiles: ``resource.instructions`` holds the instructions in order, each with `name` and `value`.

Guarantees: instructions are seen as Docker joins them (continued lines are one, here-documents belong to theirs); a policy that fails is
a gap that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile, Instruction, read
from assaymark.checks.policies.evaluation import judge
from assaymark.checks.policies.files import UserPolicy
from assaymark.checks.reading.yaml_tree import Unreadable, decode
from assaymark.checks.rulebook import Flaw, Rule, bounded, sightings
from assaymark.model.check import Checked, Outcome, Unchecked
from assaymark.model.finding import CheckId, Span


def judged(check: CheckId, content: bytes, policies: Sequence[UserPolicy]) -> Outcome:
    """One file by the user's policies."""
    undecided: list[UserPolicy] = []
    try:
        file = read(decode(content))
        if file is None:
            return Checked(skipped="empty")
        flaws = bounded(_broken(file, policies, undecided))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    rules = {each.id: Rule(each.severity, each.confidence, each.fix, ()) for each in policies}
    return Checked(sightings=sightings(check, rules, flaws, file.lines), undecided=len(undecided))


def _broken(file: Dockerfile, policies: Sequence[UserPolicy], undecided: list[UserPolicy]) -> Iterator[Flaw]:
    rows = _instructions(file)
    for answer in judge(policies, _document(rows)):
        if answer.holds is None:
            undecided.append(answer.policy)
        elif not answer.holds:
            about = next((row.span for row in reversed(rows) if row.name == answer.policy.attribute.upper()), Span(1, 1, 1, 2))
            yield Flaw(answer.policy.id, "dockerfile", answer.policy.attribute, answer.policy.message, about)


def _instructions(file: Dockerfile) -> list[Instruction]:
    openings = [stage.opening for stage in file.stages if stage.opening is not None]
    return sorted([*openings, *(row for stage in file.stages for row in stage.instructions)], key=lambda row: row.start)


def _document(rows: Sequence[Instruction]) -> dict[str, Any]:
    instructions = [{"name": row.name, "value": row.text.strip()} for row in rows]
    return {"resource": {"instructions": instructions}, "type": "dockerfile", "name": "", "address": "dockerfile"}
