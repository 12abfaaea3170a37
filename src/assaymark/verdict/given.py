"""What a server adds to what the repository says: decisions of people, and rules of the organisation's policy. Pure: today is an argument.

Guarantees: which decision covers a finding does not depend on the order in which they are given; a decision covers nothing outside its
scope, nothing after its last day, and nothing where the policy asks for an approver whom it has not or for a shorter time.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from assaymark.model.component_notes import advisories_of, package_of, versions_of
from assaymark.model.decision import MOST_DAYS, Decision, Scope
from assaymark.model.finding import Finding
from assaymark.model.verdict import WaiverRef
from assaymark.verdict.globs import matches
from assaymark.verdict.policy import Gate
from assaymark.verdict.rules import About, Approval, Component, FloorOf, Rule

SOURCE = "decision"
_WARN_DAYS = 14


class Given(Struct, frozen=True, omit_defaults=True):
    """What the server adds to one judgement: only what concerns the subject that is judged. Empty on a developer's machine."""

    decisions: tuple[Decision, ...] = ()
    rules: tuple[Rule, ...] = ()
    """Of the organisation's policies, those that apply to this subject."""
    floors: tuple[FloorOf, ...] = ()
    """One per policy that applies, also of those that only have rules: the verdict names them all."""
    about: About = About()
    """What rules may ask of the change and its subject."""
    approvals: tuple[Approval, ...] = ()
    """Of this head."""
    components: tuple[Component, ...] | None = None
    """That the change adds; None where nobody looked."""


NOTHING = Given()


class Facts(Struct, frozen=True):
    """What a scope is compared with: a finding as a verdict has it, or as a row keeps it."""

    fingerprint: str
    rule: str
    rule_class: str
    layer: str
    severity: int
    """Rank."""
    path: str
    package: str = ""
    advisories: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


class Terms(Struct, frozen=True):
    """What a subject's policy asks of decisions."""

    most_days: int = MOST_DAYS
    needs_approver: bool = False


def terms_of(gate: Gate) -> Terms:
    """Those of a policy."""
    return Terms(gate.max_waiver_days, gate.approver_required)


def facts_of(finding: Finding) -> Facts:
    """Of a finding as it is seen now."""
    return Facts(
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        rule_class=finding.core.rule_class,
        layer=finding.layer.value,
        severity=finding.severity.rank,
        path=finding.place.path,
        package=package_of(finding),
        advisories=advisories_of(finding),
        versions=versions_of(finding),
    )


def covers(scope: Scope, facts: Facts) -> bool:
    """Whether the scope is about this, wherever it stands: the caller compares subject, repository and team."""
    return (
        (not scope.finding or scope.finding == facts.fingerprint)
        and (not scope.rule or scope.rule in (facts.rule, facts.rule_class))
        and (not scope.package or scope.package == facts.package)
        and (not scope.version or set(facts.versions) == {scope.version})
        and (not scope.advisory or scope.advisory in facts.advisories)
        and (scope.layer is None or scope.layer.value == facts.layer)
        and (scope.severity is None or facts.severity <= scope.severity.rank)
        and (not scope.path or matches(facts.path, scope.path))
    )


def why_not(decision: Decision, terms: Terms) -> str:
    """Why a policy of these terms does not honour it; empty when it does."""
    if terms.needs_approver and decision.approver.strip() in ("", decision.owner.strip()):
        return "has no approver besides its owner, which the policy asks for"
    if decision.days > terms.most_days:
        return f"runs {decision.days} days, the policy allows {terms.most_days}: decide it anew with an earlier end"
    return ""


def anchor(scope: Scope) -> str:
    """Under which of a finding's names the decision is kept, the most telling one: so that few are looked at for each finding."""
    if scope.finding:
        return f"finding {scope.finding}"
    if scope.advisory:
        return f"advisory {scope.advisory}"
    if scope.package:
        return f"package {scope.package}"
    return f"rule {scope.rule}" if scope.rule else "path"


def anchors(facts: Facts) -> Iterator[str]:
    """Every name under which a decision about it can be kept."""
    yield f"finding {facts.fingerprint}"
    yield f"rule {facts.rule}"
    yield f"rule {facts.rule_class}"
    if facts.package:
        yield f"package {facts.package}"
        for advisory in facts.advisories:
            yield f"advisory {advisory}"
    yield "path"


def precedence(decision: Decision) -> tuple[int, bool, int]:
    """Of several that cover a finding the one that lasts longest counts, then what is no debt, then the oldest."""
    return (-decision.until.toordinal(), decision.kind.is_debt, decision.id)


class Covering:
    """Finds the decision that counts for a finding, among those of one subject."""

    def __init__(self, decisions: Iterable[Decision], terms: Terms, today: dt.date) -> None:
        self._by_anchor: Mapping[str, list[Decision]] = defaultdict(list)
        for decision in sorted(decisions, key=precedence):
            if decision.made <= today <= decision.until and not why_not(decision, terms):
                self._by_anchor[anchor(decision.scope)].append(decision)

    def __bool__(self) -> bool:
        return bool(self._by_anchor)

    def of(self, facts: Facts) -> Decision | None:
        """The one that counts."""
        if not self._by_anchor:
            return None
        found = [
            first
            for name in anchors(facts)
            if (first := next((each for each in self._by_anchor.get(name, ()) if covers(each.scope, facts)), None)) is not None
        ]
        return min(found, key=precedence, default=None)


def ref_of(decision: Decision) -> WaiverRef:
    """As a verdict names it."""
    return WaiverRef(SOURCE, f"{decision.kind.value}: {decision.reason}", decision.owner, decision.until.isoformat(), decision.id)


def notices(given: Given, terms: Terms, today: dt.date) -> Iterator[str]:
    """About every decision that is not honoured here, and every one that ends soon."""
    for decision in sorted(given.decisions, key=lambda one: one.id):
        name = f"decision {decision.id} about {decision.scope.named()} ({decision.owner})"
        why = why_not(decision, terms)
        days = (decision.until - today).days
        if why:
            yield f"{name} {why}"
        elif 0 <= days <= _WARN_DAYS:
            yield f"{name} ends on {decision.until}"
