"""Decisions of people about findings: what was decided, what it is about, who answers for it and until when.

A decision is a rule, not a flag: it has a scope and covers what comes later as well. It is never edited; it ends on its last day, or by a
word that withdraws it. Knows no database, no clock.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.assessment import RepositoryId, SubjectId
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity

DecisionId = NewType("DecisionId", int)
MOST_DAYS = 365
"""No decision lasts longer, whatever a policy says: what is still true then is said again."""
LONGEST_REASON = 2_000
LONGEST_NAME = 300
_SHORTEST_REASON = 3


class DecisionKind(StrEnum):
    """What is said of the finding."""

    WAIVE = "waive"
    """It is to be repaired, and may wait until then."""
    ACCEPT = "accept"
    """The risk is known and borne."""
    FALSE_POSITIVE = "false-positive"
    NOT_AFFECTED = "not-affected"
    """As in VEX: the component is there, its vulnerability does no harm. Needs a justification."""
    FIXED = "fixed"
    """As in VEX: repaired in a way that the check does not see."""

    @property
    def is_debt(self) -> bool:
        """Whether what it lets through is a weakness that is still there."""
        return self in (DecisionKind.WAIVE, DecisionKind.ACCEPT)


class Justification(StrEnum):
    """Why a vulnerability does no harm, in the words of OpenVEX."""

    COMPONENT_NOT_PRESENT = "component_not_present"
    CODE_NOT_PRESENT = "vulnerable_code_not_present"
    CODE_NOT_EXECUTED = "vulnerable_code_not_in_execute_path"
    CODE_NOT_CONTROLLED = "vulnerable_code_cannot_be_controlled_by_adversary"
    MITIGATED = "inline_mitigations_already_exist"


class Scope(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a decision is about; everything that is given has to hold."""

    finding: str = ""
    """Fingerprint."""
    rule: str = ""
    """Rule that leads the finding, or its rule class."""
    package: str = ""
    """Package URL without version."""
    version: str = ""
    """With `package`: only where it is there in no other version."""
    advisory: str = ""
    """Any id of the advisory."""
    path: str = ""
    """Path glob, as in the policy."""
    subject: SubjectId | None = None
    repository: RepositoryId | None = None
    team: TeamId | None = None
    layer: Layer | None = None
    severity: Severity | None = None
    """At most this severe: what becomes worse is decided anew."""

    def named(self) -> str:
        """What it is about, in a few words."""
        words = [
            f"finding {self.finding.rpartition(':')[2][:12]}" if self.finding else "",
            f"rule {self.rule}" if self.rule else "",
            self.advisory,
            (f"{self.package}@{self.version}" if self.version else self.package),
            f"path {self.path}" if self.path else "",
            f"layer {self.layer.value}" if self.layer else "",
            f"at most {self.severity.value}" if self.severity else "",
        ]
        return ", ".join(word for word in words if word)


def check_scope(scope: Scope) -> None:
    """A decision about everything is none.

    Raises:
        UsageError: naming what is wrong.
    """
    for name in ("finding", "rule", "package", "version", "advisory", "path"):
        value = getattr(scope, name)
        if len(value) > LONGEST_NAME or any(not letter.isprintable() for letter in value):
            raise UsageError(f"the scope's {name} is no name", why=f"over {LONGEST_NAME} characters, or control characters")
    if not (scope.finding or scope.rule or scope.package or scope.advisory):
        if not scope.path:
            raise UsageError("the scope names nothing", advice="name a finding, rule, package, advisory or path")
        if scope.subject is None and scope.repository is None:
            raise UsageError("a path alone means another thing in each repository", advice="name the repository or subject as well")
    if scope.version and not scope.package:
        raise UsageError("the scope names a version of no package", advice="name the package")
    if scope.package and not scope.package.startswith("pkg:"):
        raise UsageError(f"{scope.package[:80]!r} is no package URL", advice="write it as pkg:npm/left-pad")


class Decision(Struct, frozen=True, omit_defaults=True):
    """What somebody decided."""

    id: DecisionId
    kind: DecisionKind
    scope: Scope
    reason: str
    owner: str
    """Who answers for it."""
    until: dt.date
    """Last day on which it holds, in UTC."""
    made: dt.date
    justification: Justification | None = None
    approver: str = ""
    """Somebody else who agreed; empty while nobody did."""

    @property
    def days(self) -> int:
        """How long it lasts as a whole: what a policy bounds."""
        return (self.until - self.made).days


def check_words(kind: DecisionKind, reason: str, justification: Justification | None) -> None:
    """A decision says why.

    Raises:
        UsageError: naming what is missing.
    """
    if len(reason.strip()) < _SHORTEST_REASON or len(reason) > LONGEST_REASON:
        raise UsageError("the reason is missing or too long", why=f"it has {len(reason)} characters", advice="say why, in a sentence")
    if kind is DecisionKind.NOT_AFFECTED and justification is None:
        raise UsageError("not-affected needs a justification", advice=f"one of {', '.join(Justification)}")
    if kind is not DecisionKind.NOT_AFFECTED and justification is not None:
        raise UsageError("only not-affected has a justification", advice="leave it out, or decide not-affected")


def check_days(until: dt.date, today: dt.date) -> None:
    """A decision ends.

    Raises:
        UsageError: when its last day is over, or too far.
    """
    days = (until - today).days
    if days < 0:
        raise UsageError(f"{until} is over", advice="choose a last day that is to come")
    if days > MOST_DAYS:
        raise UsageError(f"{until} is {days} days away", why=f"none lasts longer than {MOST_DAYS}", advice="choose an earlier last day")
