"""What is said of a change: the states of findings, the reasons in order of what to do first, and the evidence behind them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from assaymark.model.finding import CheckId, Finding, Layer
from assaymark.model.rules import RuleInfo
from assaymark.model.subject import SubjectRef


class Outcome(StrEnum):
    """Three values, never two."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNPROVEN = "unproven"


class State(StrEnum):
    """What a finding is in this comparison."""

    NEW = "new"
    CHANGED = "changed"
    """The same finding, its own statement edited; keeps its memory, is not new."""
    KNOWN = "known"
    NEWLY_KNOWN = "newly-known"
    """Seen through new knowledge, not caused by the change."""
    FIXED = "fixed"


class WaiverRef(Struct, frozen=True, omit_defaults=True):
    """Why a finding does not stop the line although it is open."""

    source: str
    """``policy`` (a waiver with reason, owner and end), ``vex`` (an OpenVEX statement), ``inline`` (another tool's comment), ``decision``
    (of people, on the server) or ``rule`` (of the organisation, which is the owner)."""
    reason: str
    owner: str = ""
    until: str = ""
    """ISO date, inclusive; empty for inline waivers, which have no end."""
    decision: int = 0
    """Number of the decision on the server."""


class Judged(Struct, frozen=True, omit_defaults=True):
    """A finding with its state."""

    finding: Finding
    state: State
    waiver: WaiverRef | None = None
    previous: Finding | None = None
    """For `CHANGED`: what it was."""
    gates: bool = False
    """True when it is at or above the level that the policy stops, new, and not waived."""
    held_back: bool = False
    """True when only a decision of people keeps it from stopping: without it, `gates`."""


class ReasonKind(StrEnum):
    """Why a verdict is not a plain pass, in order of urgency."""

    NEW_FINDING = "new-finding"
    WORSENED = "worsened"
    """A changed finding became more severe."""
    WEAKENED = "weakened"
    """Policy, waivers or coverage fell below the base's."""
    UNPROVEN = "unproven"
    """Something that changed could not be checked."""
    EXCEPTION = "exception"
    """A weakening was let through by a recorded exception: does not stop, is shown."""
    DECIDED = "decided"
    """A decision of people lets through what would stop: does not stop, is shown."""
    UNROTATED = "unrotated"
    """A secret left the tree; the history still holds it until somebody records its rotation. Does not stop."""
    POLICY = "policy"
    """A rule of the organisation, named in `Reason.rule`."""


class Reason(Struct, frozen=True, omit_defaults=True):
    """One reason, with what to do about it."""

    kind: ReasonKind
    text: str
    advice: str
    stops: bool
    finding: str = ""
    """Fingerprint, for reasons about findings."""
    path: str = ""
    line: int = 0
    rule: str = ""
    """``<policy>/<rule>``, for reasons that a rule of the organisation gives."""


class PolicyRef(Struct, frozen=True):
    """A version of an organisation's policy."""

    name: str
    version: str
    digest: str
    """Of its document."""


class CheckRun(Struct, frozen=True, omit_defaults=True):
    """What one check cost and covered in this run."""

    check: CheckId
    layer: Layer
    version: str
    knowledge: str
    inputs: int
    """Inputs in the plan, both sides, each digest once."""
    hits: int
    """Of those, remembered from an earlier run."""
    seconds: float
    """Wall seconds spent in the check, summed over workers."""
    unchecked: int = 0
    skipped: tuple[tuple[str, int], ...] = ()
    """(reason, count) of inputs that had nothing to read, e.g. binary."""


class Posture(Struct, frozen=True, omit_defaults=True):
    """Counts of one side that people want to see beside each other."""

    open: dict[str, int]
    """Open findings per severity, waived ones left out. For a comparison: of the changed part only, see `Verdict.whole`."""
    waived: int = 0
    unchecked: int = 0
    policy: str = ""


class PolicyTerms(Struct, frozen=True):
    """What the policy asks beside what stops: enough to judge again when people decide about what was found."""

    unproven_stops: bool
    waiver_days: int
    """How long a waiver may last."""
    approver_required: bool


class Verdict(Struct, frozen=True, omit_defaults=True):
    """The answer to: did this change make security worse?"""

    outcome: Outcome
    base: SubjectRef
    head: SubjectRef
    reasons: tuple[Reason, ...]
    findings: tuple[Judged, ...]
    """New first, then worst first; known ones only when the whole subject was checked."""
    checks: tuple[CheckRun, ...]
    policy_level: str
    fail_on: str
    knowledge: str
    """Digest over all checks' versions and knowledge and the rule-class mapping."""
    policy_digest: str
    scheme: str
    whole: bool
    """True when every entry of head was judged (``--all``), False when only what differs from base."""
    before: Posture
    after: Posture
    seconds: float
    tool_version: str
    rules: dict[str, RuleInfo]
    """Every rule that is named in `findings`, for reports that must describe them."""
    notices: tuple[str, ...] = ()
    """Things worth knowing that decide nothing (expiring waivers, keys that differ, excluded paths)."""
    terms: PolicyTerms | None = None
    """None where no policy judged."""
    policies: tuple[PolicyRef, ...] = ()
    """The organisation's policies that applied, on a server that has some."""
    grounds: str = ""
    """Digest of what it was judged by (`verdict.grounds`), on a server, which keeps that to judge again under other policies."""
