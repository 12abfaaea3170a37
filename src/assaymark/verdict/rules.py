"""What an organisation's policies add to a judgement: floors that no repository goes below, and rules in CEL. Pure.

Guarantees
* a floor only raises: in every setting the stricter of repository and floor counts (`raised`);
* rules are asked of one state of things, the judgement without them, so that their order does not matter; a rule that stops goes before one
  that allows; what a rule allows is a waiver that the verdict shows;
* a rule that cannot be evaluated leaves the change unproven and is named, unless it could only warn or allow: then it does neither;
* evaluation is bounded: conditions by `formats.expression`, their number by `MOST_ASKED`; what goes beyond leaves the change unproven.

Knows no teams, repositories or branches as scope: whoever makes a `Given` has chosen what applies.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import PolicyRef, State
from assaymark.verdict.policy import APPETITE, Gate, InlineWaivers, Level, Policy, Unproven

MOST_ASKED = 200_000
"""Questions of one judgement: rules times findings."""
MOST_SAID = 20
"""Reasons that one rule gives by itself; what is more is counted."""


class Action(StrEnum):
    """What a rule does with what its condition holds of, from mild to strict."""

    ALLOW = "allow"
    """Lets a finding through that the gate stops; a rule that stops goes before it."""
    WARN = "warn"
    """Says so."""
    REQUIRE_APPROVAL = "require-approval"
    """Stops until somebody who may decide approves of this head."""
    STOP = "stop"

    @property
    def rank(self) -> int:
        """Position on the scale."""
        return list(Action).index(self)


class Over(StrEnum):
    """What a condition is asked about."""

    FINDING = "finding"
    """Each finding."""
    CHANGE = "change"
    """The change as a whole, once."""
    COMPONENT = "component"
    """Each component that the change adds."""


class Rule(Struct, frozen=True):
    """A rule in force, with the version of the policy that it is from."""

    policy: PolicyRef
    id: str
    when: str
    """The condition."""
    action: Action
    message: str
    advice: str
    over: Over = Over.FINDING
    states: tuple[State, ...] = (State.NEW,)
    """Findings in these states are asked about."""
    waived: bool = False
    """Also about findings that somebody let through."""

    @property
    def name(self) -> str:
        """As reasons name it."""
        return f"{self.policy.name}/{self.id}"


class Floor(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What no repository may go below; what is left out is left to the repository."""

    level: Level | None = None
    """Everything that this level asks for; single settings below go before it."""
    fail_on: Severity | None = None
    """Findings at or above it stop."""
    min_confidence: Confidence | None = None
    """Findings below it do not stop; `low` is the strictest."""
    unproven: Unproven | None = None
    """What it is worth when something that changed could not be checked."""
    inline_waivers: InlineWaivers | None = None
    """What other tools' inline comments may do."""
    max_waiver_days: int | None = None
    """Longest time for which a risk may be accepted."""
    approver_required: bool | None = None
    """A waiver needs an approver who is not its owner."""
    checks: tuple[str, ...] = ()
    """Checks that may not be switched off."""
    rules: tuple[str, ...] = ()
    """Rules or families of rules that may not be switched off."""


class FloorOf(Struct, frozen=True):
    """A floor in force, with the version of the policy that it is from."""

    policy: PolicyRef
    floor: Floor


class About(Struct, frozen=True, omit_defaults=True):
    """What a server knows of a change and its subject beyond their content."""

    kind: str = ""
    """Of the subject, e.g. ``merge-request``."""
    name: str = ""
    repository: str = ""
    team: str = ""
    """Slug."""
    branch: str = ""
    """Of a merge request the one that it goes into."""
    trigger: str = ""
    actor: str = ""
    program: bool = False
    """Somebody's program did it, and no person."""
    merge_request: int = 0
    title: str = ""


class Component(Struct, frozen=True, omit_defaults=True):
    """A component that a change adds, as the server knew it when it judged."""

    purl: str
    """Package URL with its version."""
    package: str
    """Package URL without it."""
    version: str
    ecosystem: str
    path: str
    """Of the lock file that names it."""
    state: str
    """``approved``, ``waived``, or the first rule that is in its way."""
    why: tuple[str, ...] = ()
    """Every rule in its way."""
    instead: str = ""
    """Version to take in its place; empty when none is approved."""
    known_days: int = -1
    """Since it came out, or was first seen here; -1: never."""
    advisories: tuple[str, ...] = ()
    direct: bool = False
    """Asked for by the project itself, as far as the lock file tells."""
    development: bool = False

    @property
    def approved(self) -> bool:
        return self.state in ("approved", "waived")


class Approval(Struct, frozen=True):
    """Somebody approved of a head, as a rule requires."""

    rule: str
    """``<policy>/<id>``."""
    by: str
    reason: str


_LAID = ("fail_on", "min_confidence", "unproven", "inline_waivers", "max_waiver_days", "approver_required")


def gate_of(floor: Floor) -> dict[str, object]:
    """The settings of the gate that a floor fixes."""
    level = APPETITE[floor.level] if floor.level is not None else None
    found = {name: getattr(floor, name) if getattr(floor, name) is not None else getattr(level, name, None) for name in _LAID}
    return {name: value for name, value in found.items() if value is not None}


def raised(policy: Policy, floors: tuple[FloorOf, ...]) -> Policy:
    """The policy where nothing is below any floor."""
    for each in floors:
        policy = _raised(policy, each.floor)
    return policy


def _raised(policy: Policy, floor: Floor) -> Policy:
    gate = policy.gate
    settings = {name: value for name, value in gate_of(floor).items() if strictness(name, value) > strictness(name, getattr(gate, name))}
    checks = msgspec.structs.replace(
        policy.checks,
        disable=tuple(each for each in policy.checks.disable if each not in floor.checks),
        disable_rules=tuple(each for each in policy.checks.disable_rules if each not in floor.rules),
    )
    if not settings and checks == policy.checks:
        return policy
    return msgspec.structs.replace(policy, policy=msgspec.structs.replace(policy.policy, **settings), checks=checks)


def strictness(name: str, value: object) -> int:
    """Position of a setting of the gate on its scale; more is stricter."""
    if isinstance(value, (Severity, Confidence)):
        return -value.rank
    if isinstance(value, (Unproven, InlineWaivers)):
        return list[object](type(value)).index(value)
    assert isinstance(value, int)  # noqa: S101 - the other settings are numbers and truths
    return -value if name == "max_waiver_days" else int(value)


def not_run(policy: Policy, floors: tuple[FloorOf, ...]) -> tuple[str, ...]:
    """Checks that the policy leaves out and a floor asks for."""
    wanted = {check for each in floors for check in each.floor.checks}
    return tuple(sorted(wanted & set(policy.checks.disable)))


def raises(gate: Gate, floors: tuple[FloorOf, ...]) -> tuple[str, ...]:
    """In words, where floors lie above what a repository asks for."""
    said = []
    for each in floors:
        for name, value in gate_of(each.floor).items():
            if strictness(name, value) > strictness(name, getattr(gate, name)):
                said.append(f"policy {each.policy.name} raises {name} from {word(getattr(gate, name))} to {word(value)}")
    return tuple(said)


def word(value: object) -> str:
    """A setting as people write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
