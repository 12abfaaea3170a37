"""What a migration would do: teams, subjects with their findings, decisions and words, and what is lost. Pure data.

Guarantees: a plan names everything by the origin's own ids, so that carrying it out again changes nothing; what has no place here is
counted by kind with a word why, and never silently dropped.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.model.decision import DecisionKind, Justification
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Layer
from assaymark.model.identity import Seen

LONGEST_NAME = 200


class Decided(Struct, frozen=True):
    """Something that somebody decided there."""

    origin: str
    kind: DecisionKind
    reason: str
    owner: str
    seen: Seen | None = None
    """Which finding; None where it is about a component's vulnerability."""
    package: str = ""
    version: str = ""
    advisory: str = ""
    until: dt.date | None = None
    """None where nobody said: the longest that is allowed here."""
    justification: Justification | None = None


class Noted(Struct, frozen=True):
    """A word about a finding."""

    seen: Seen
    text: str


class Planned(Struct):
    """One thing that is looked after."""

    key: str
    """Of the origin, e.g. ``defectdojo:product:7``."""
    kind: str
    name: str
    team: str = ""
    """Name of the team; empty for none."""
    seen: list[Seen] = []
    checks: dict[CheckId, Layer] = {}
    ages: dict[tuple[str, str], dt.date] = {}
    """(input, rule) of a sighting -> the day on which it was first seen there."""
    decided: list[Decided] = []
    notes: list[Noted] = []
    sets: dict[str, tuple[Digest, PackageSet]] = {}


class Plan(Struct):
    """All of it."""

    source: str
    subjects: list[Planned] = []
    lost: Counter[str] = field(default_factory=Counter)
    """What is not taken over, by a word why."""
    taken: Counter[str] = field(default_factory=Counter)
    """What becomes what."""

    def loses(self, what: str, many: int = 1) -> None:
        if many:
            self.lost[what] += many

    def becomes(self, what: str, many: int = 1) -> None:
        if many:
            self.taken[what] += many
