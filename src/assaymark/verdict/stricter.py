"""What asks for more than what something was judged by, by the lattice of policies (`rules.strictness`, `organisation.covers`). Pure.

Guarantees: a floor is above a policy exactly where laying it over the policy (`rules.raised`) would change something; a rule is above
others where it could stop what none of them surely stopped. Says nothing of content: what was judged may hold nothing that either stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Verdict
from assaymark.verdict.organisation import covers
from assaymark.verdict.policy import GateSettings, InlineWaivers, Policy, Unproven
from assaymark.verdict.rules import Action, Floor, Rule, gate_of, strictness, word


def floor_above(policy: Policy, floor: Floor) -> tuple[str, ...]:
    """In words, what a floor asks for beyond this policy."""
    gate = policy.gate
    said = [
        f"{name} is {word(value)}, it was {word(getattr(gate, name))}"
        for name, value in gate_of(floor).items()
        if strictness(name, value) > strictness(name, getattr(gate, name))
    ]
    said += [f"check {each} may not be off, it was" for each in floor.checks if each in policy.checks.disable]
    said += [f"rule {each} may not be off, it was" for each in floor.rules if each in policy.checks.disable_rules]
    return tuple(said)


def rules_above(judged: Sequence[Rule], now: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Rules of now that could stop what those that judged surely did not, with why."""
    before = {rule.name: rule for rule in judged}
    for rule in now:
        if rule.action.rank <= Action.WARN.rank:
            continue
        old = before.get(rule.name)
        if old is None:
            yield rule, f"rule {rule.id} can {rule.action}, it was not asked"
        elif old.action.rank < rule.action.rank:
            yield rule, f"rule {rule.id} can {rule.action}, it could {old.action}"
        elif not covers(old, rule):
            yield rule, f"the condition of rule {rule.id} is another one or is asked of more"


def policy_of(verdict: Verdict) -> Policy:
    """What a verdict says of the policy that judged; in what it does not say, the strictest there is, which nothing is above."""
    terms = verdict.terms
    gate = GateSettings(
        fail_on=Severity(verdict.fail_on) if verdict.fail_on else Severity.INFO,
        min_confidence=Confidence.LOW,
        inline_waivers=InlineWaivers.IGNORE,
        unproven=Unproven.WARN if terms is not None and not terms.unproven_stops else Unproven.STOP,
        max_waiver_days=terms.waiver_days if terms is not None else 1,
        approver_required=terms.approver_required if terms is not None else True,
    )
    return Policy(gate)
