"""Asks the organisation's rules about a judgement, and says what comes of it. Pure; loads the engine of CEL only where there are rules.

What rules see, and what they cannot see, is `verdict.seen_by_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from assaymark.formats.expression import Broken, World
from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, Posture, Reason, ReasonKind, State, WaiverRef
from assaymark.verdict.given import Given
from assaymark.verdict.reasons import about_finding, about_gaps
from assaymark.verdict.rules import MOST_ASKED, MOST_SAID, Action, Over, Rule
from assaymark.verdict.seen_by_rules import component_seen, finding_seen, world_of

if TYPE_CHECKING:
    from assaymark.verdict.decide import Decision

_REMADE = (ReasonKind.NEW_FINDING, ReasonKind.WORSENED, ReasonKind.UNPROVEN)
SOURCE = "rule"
"""Of a waiver that a rule gives."""


class Ruled(Struct, frozen=True):
    """What rules made of a judgement."""

    judged: tuple[Judged, ...]
    reasons: tuple[Reason, ...]
    after: Posture


class _Said(Struct):
    """What one rule says."""

    rule: Rule
    held: list[int]
    """Positions of the findings, or of the components, of which it holds; -1 for the change."""
    broken: str = ""


def rule(decision: Decision, given: Given, day: str, *, gaps_stop: bool) -> Ruled:
    """The judgement with the rules' word."""
    said = _ask(decision, given, day)
    strict = {at for each in said if each.rule.action is Action.STOP and each.rule.over is Over.FINDING for at in each.held}
    allowed = {at: each.rule for each in reversed(said) if each.rule.action is Action.ALLOW for at in each.held if at not in strict}
    judged = [_with_word(one, at in strict, allowed.get(at)) for at, one in enumerate(decision.judged)]
    own = [reason for each in said for reason in _reasons(each, decision.judged, given)]
    kept: Sequence[Reason] = decision.reasons
    if any(judged[at].gates != decision.judged[at].gates for at in allowed):
        kept = _without(decision, [one if at in allowed else decision.judged[at] for at, one in enumerate(judged)], gaps_stop=gaps_stop)
    own += _let_through(allowed, decision.judged)
    return Ruled(tuple(judged), (*kept, *own), _after(decision, allowed))


# --- asking ----------------------------------------------------------------------------------------------------------


def _ask(decision: Decision, given: Given, day: str) -> list[_Said]:
    said = [_Said(rule, []) for rule in given.rules]
    world = World(world_of(decision, given, day))
    for each in said:
        if each.rule.over is Over.CHANGE:
            _put(each, world, -1)
    left = _components(said, given, world, MOST_ASKED)
    mine = [each for each in said if each.rule.over is Over.FINDING]
    for at, one in enumerate(decision.judged):
        asked = [each for each in mine if not each.broken and _is_asked(each.rule, one)]
        if not asked:
            continue
        left -= len(asked)
        if left < 0:
            for each in asked:
                each.broken = f"there are more than {MOST_ASKED} questions in this judgement"
            continue
        world.put("finding", finding_seen(one))
        for each in asked:
            _put(each, world, at)
    return said


def _components(said: Sequence[_Said], given: Given, world: World, left: int) -> int:
    """Ask of each component that is added; gives how many questions are left."""
    mine = [each for each in said if each.rule.over is Over.COMPONENT]
    if mine and given.components is None:
        for each in mine:
            each.broken = "nobody looked which components the change adds"
        return left
    for at, one in enumerate(given.components or ()):
        asked = [each for each in mine if not each.broken]
        left -= len(asked)
        if left < 0:
            for each in asked:
                each.broken, each.held = f"there are more than {MOST_ASKED} questions in this judgement", []
            return 0
        if asked:
            world.put("component", component_seen(one))
            for each in asked:
                _put(each, world, at)
    return left


def _is_asked(rule: Rule, one: Judged) -> bool:
    return one.state in rule.states and (rule.waived or one.waiver is None)


def _put(said: _Said, world: World, at: int) -> None:
    try:
        if world.holds(said.rule.when):
            said.held.append(at)
    except Broken as error:
        said.broken, said.held = str(error), []


# --- what comes of it ------------------------------------------------------------------------------------------------


def _with_word(one: Judged, stops: bool, allows: Rule | None) -> Judged:
    if stops:
        return msgspec.structs.replace(one, gates=True)
    if allows is None:
        return one
    return msgspec.structs.replace(one, gates=False, waiver=one.waiver or WaiverRef(SOURCE, allows.message, allows.name))


def _reasons(said: _Said, judged: Sequence[Judged], given: Given) -> Iterator[Reason]:
    rule = said.rule
    if said.broken:
        stops = rule.action in (Action.STOP, Action.REQUIRE_APPROVAL)
        text = f"{rule.name} could not be evaluated: {said.broken}"
        kind = ReasonKind.UNPROVEN if stops else ReasonKind.POLICY
        yield Reason(kind, text, "correct the rule: `assay policy test` tries it", stops=stops, rule=rule.name)
    elif said.held and rule.action is Action.REQUIRE_APPROVAL:
        yield _approval(said, judged, given)
    elif rule.over is Over.COMPONENT:
        yield from _about_components(said, given)
    elif rule.action is not Action.ALLOW:
        for at in said.held[:MOST_SAID]:
            yield _reason(rule, judged[at] if at >= 0 else None)
        if len(said.held) > MOST_SAID:
            more = len(said.held) - MOST_SAID
            yield Reason(
                ReasonKind.POLICY, f"{rule.name}: {rule.message} ({more} more)", rule.advice,
                stops=rule.action is Action.STOP, rule=rule.name,
            )  # fmt: skip


def _reason(rule: Rule, one: Judged | None) -> Reason:
    stops = rule.action is Action.STOP
    if one is None:
        return Reason(ReasonKind.POLICY, f"{rule.name}: {rule.message}", rule.advice, stops=stops, rule=rule.name)
    finding = one.finding
    return Reason(
        ReasonKind.POLICY, f"{rule.name}: {rule.message} ({finding.message.rstrip('.')})", rule.advice, stops=stops,
        finding=finding.fingerprint, path=finding.place.path, line=finding.place.line, rule=rule.name,
    )  # fmt: skip


def _about_components(said: _Said, given: Given) -> Iterator[Reason]:
    rule, stops = said.rule, said.rule.action is Action.STOP
    added = given.components or ()
    for at in said.held[:MOST_SAID]:
        one = added[at]
        instead = f"; {one.instead} is approved" if one.instead else ""
        text = f"{rule.name}: {rule.message} ({one.purl}: {', '.join(one.why) or one.state}{instead})"
        yield Reason(ReasonKind.POLICY, text, rule.advice, stops=stops, path=one.path, rule=rule.name)
    if len(said.held) > MOST_SAID:
        more = len(said.held) - MOST_SAID
        yield Reason(ReasonKind.POLICY, f"{rule.name}: {rule.message} ({more} more)", rule.advice, stops=stops, rule=rule.name)


def _approval(said: _Said, judged: Sequence[Judged], given: Given) -> Reason:
    rule = said.rule
    found = next((each for each in given.approvals if each.rule == rule.name), None)
    if found is not None:
        text = f"{rule.name}: {rule.message}: approved by {found.by} ({found.reason})"
        return Reason(ReasonKind.EXCEPTION, text, rule.advice, stops=False, rule=rule.name)
    if rule.over is Over.COMPONENT:
        many = f" ({len(said.held)} components)" if len(said.held) > 1 else f" ({(given.components or ())[said.held[0]].purl})"
        first = None
    else:
        first = judged[said.held[0]].finding if said.held[0] >= 0 else None
        many = f" ({len(said.held)} findings)" if first is not None and len(said.held) > 1 else ""
    return Reason(
        ReasonKind.POLICY, f"{rule.name}: {rule.message}{many}: it needs an approval", rule.advice, stops=True, rule=rule.name,
        finding=first.fingerprint if first else "", path=first.place.path if first else "", line=first.place.line if first else 0,
    )  # fmt: skip


def _let_through(allowed: Mapping[int, Rule], judged: Sequence[Judged]) -> Iterator[Reason]:
    """One reason per rule that let something through that stood in the way."""
    by: dict[str, list[int]] = {}
    rules: dict[str, Rule] = {}
    for at, rule in allowed.items():
        if judged[at].gates:
            by.setdefault(rule.name, []).append(at)
            rules[rule.name] = rule
    for name, places in sorted(by.items()):
        first, rule = judged[min(places)].finding, rules[name]
        many = "a finding is" if len(places) == 1 else f"{len(places)} findings are"
        yield Reason(
            ReasonKind.EXCEPTION, f"{name}: {many} let through: {rule.message}", rule.advice, stops=False,
            finding=first.fingerprint, path=first.place.path, line=first.place.line, rule=name,
        )  # fmt: skip


def _without(decision: Decision, judged: Sequence[Judged], *, gaps_stop: bool) -> tuple[Reason, ...]:
    """The reasons as they are when what is allowed stands in nobody's way."""
    findings = [one for one in judged if one.finding.core.kind is not Kind.UNCHECKED]
    gaps = [one for one in judged if one.finding.core.kind is Kind.UNCHECKED]
    rest = [reason for reason in decision.reasons if reason.kind not in _REMADE]
    return (*about_finding(findings), *about_gaps(gaps, stops=gaps_stop), *rest)


def _after(decision: Decision, allowed: Mapping[int, Rule]) -> Posture:
    counts: dict[str, Any] = dict(decision.after.open)
    waived = unchecked = 0
    for at in allowed:
        one = decision.judged[at]
        if one.waiver is None and one.state is not State.FIXED:
            waived += 1
            if one.finding.core.kind is Kind.UNCHECKED:
                unchecked += 1
            else:
                counts[one.finding.severity] = max(0, counts.get(one.finding.severity, 0) - 1)
    after = decision.after
    return msgspec.structs.replace(after, open=counts, waived=after.waived + waived, unchecked=max(0, after.unchecked - unchecked))
