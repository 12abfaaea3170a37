"""What the conditions of an organisation's rules see: six variables and one scale, as plain values. Pure.

Guarantees: every name that is described in the reference is always there and always of the same type, so that a condition needs `has(…)`
only for `finding.notes`; texts are valid Unicode; lists are cut at `LONGEST_LIST`.
Does not show: content of files, secrets' values, the clock.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, State
from assaymark.verdict.given import Given
from assaymark.verdict.rules import Component

if TYPE_CHECKING:
    from assaymark.verdict.decide import Decision

LONGEST_LIST = 200
VARIABLES = ("finding", "component", "change", "subject", "verdict", "decisions", "rank")
RANK = {severity.value: severity.rank for severity in Severity}
"""``finding.rank >= rank.high``."""


def text(value: str) -> str:
    """Valid Unicode; a byte of a name that is none is visible as in reports."""
    if value.isascii():
        return value
    from assaymark.views.encoding import well_formed  # noqa: PLC0415 - few names need it

    return well_formed(value)


def finding_seen(one: Judged) -> dict[str, Any]:
    """The variable ``finding``."""
    finding, core, waiver = one.finding, one.finding.core, one.waiver
    is_component = core.kind is Kind.COMPONENT
    return {
        "fingerprint": finding.fingerprint,
        "rule": text(finding.rule),
        "rules": [text(witness.rule) for witness in finding.witnesses[:LONGEST_LIST]],
        "checks": sorted({text(witness.check) for witness in finding.witnesses[:LONGEST_LIST]}),
        "family": text(core.rule_class),
        "kind": core.kind.value,
        "layer": finding.layer.value,
        "severity": finding.severity.value,
        "rank": finding.severity.rank,
        "confidence": finding.confidence.value,
        "state": one.state.value,
        "gates": one.gates,
        "waived": waiver is not None,
        "path": text(finding.place.path),
        "line": finding.place.line,
        "message": text(finding.message),
        "fixable": finding.fix is not None,
        "package": text(core.parts[0]) if is_component and core.parts else "",
        "advisory": text(core.parts[-1]) if is_component and core.parts else "",
        "notes": {text(name): text(value) for name, value in finding.notes[:LONGEST_LIST]},
    }


def component_seen(one: Component) -> dict[str, Any]:
    """The variable ``component``."""
    return {
        "purl": text(one.purl),
        "package": text(one.package),
        "version": text(one.version),
        "ecosystem": one.ecosystem,
        "path": text(one.path),
        "approved": one.approved,
        "state": one.state,
        "why": list(one.why),
        "instead": text(one.instead),
        "known_days": one.known_days,
        "advisories": [text(each) for each in one.advisories[:LONGEST_LIST]],
        "direct": one.direct,
        "development": one.development,
    }


def world_of(decision: Decision, given: Given, day: str) -> dict[str, Any]:
    """Everything but ``finding`` and ``component``."""
    about, gate = given.about, decision.policy.gate
    return {
        "rank": RANK,
        "subject": {
            "kind": about.kind,
            "name": text(about.name),
            "repository": text(about.repository),
            "team": text(about.team),
            "branch": text(about.branch),
        },
        "change": {
            "actor": text(about.actor),
            "program": about.program,
            "trigger": about.trigger,
            "merge_request": about.merge_request,
            "title": text(about.title),
            "day": day,
            "brings": _counts(one for one in decision.judged if one.state is State.NEW),
            "repairs": _counts(one for one in decision.judged if one.state is State.FIXED),
        },
        "verdict": {
            "outcome": outcome(decision),
            "level": decision.policy.policy.level.value,
            "fail_on": gate.fail_on.value,
            "min_confidence": gate.min_confidence.value,
            "unproven": gate.unproven.value,
            "inline_waivers": gate.inline_waivers.value,
            "max_waiver_days": gate.max_waiver_days,
            "approver_required": gate.approver_required,
            "stopping": sum(reason.stops for reason in decision.reasons),
            "reasons": sorted({reason.kind.value for reason in decision.reasons}),
            "open": {**dict.fromkeys(RANK, 0), **{str(name): count for name, count in decision.after.open.items()}},
            "waived": decision.after.waived,
            "unchecked": decision.after.unchecked,
        },
        "decisions": _decisions(decision.judged, dt.date.fromisoformat(day)),
    }


def outcome(decision: Decision) -> str:
    """Of the judgement without rules."""
    return decision.outcome.value


def _counts(judged: Iterable[Judged]) -> dict[str, int]:
    found = Counter(one.finding.severity.value for one in judged if one.finding.core.kind is not Kind.UNCHECKED)
    return {name: found[name] for name in RANK}


def _decisions(judged: Iterable[Judged], today: dt.date) -> list[dict[str, Any]]:
    """What lets findings through: waivers, VEX statements, inline comments, decisions that were taken on the server."""
    found: list[dict[str, Any]] = []
    for one in judged:
        waiver = one.waiver
        if waiver is None or len(found) == LONGEST_LIST:
            continue
        found.append(
            {
                "source": waiver.source,
                "reason": text(waiver.reason),
                "owner": text(waiver.owner),
                "until": waiver.until,
                "days": _days(waiver.until, today),
                "family": text(one.finding.core.rule_class),
                "severity": one.finding.severity.value,
                "rank": one.finding.severity.rank,
                "state": one.state.value,
            }
        )
    return found


def _days(until: str, today: dt.date) -> int:
    """Until it ends; -1 for what has no end."""
    try:
        return (dt.date.fromisoformat(until) - today).days
    except ValueError:
        return -1
