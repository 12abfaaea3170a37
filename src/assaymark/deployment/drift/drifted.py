"""One difference between what runs and what was endorsed, in the words of every sensor.

Guarantees: a drift is never accepted, only superseded by another endorsed generation, or looked away from until an instant (`Action.IGNORE`
with `until`), after which it counts again.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from assaymark.model.assessment import Instant


class Action(StrEnum):
    """What the terms say to do about it."""

    REPLACE = "replace"
    ALERT = "alert"
    IGNORE = "ignore"
    """Until an instant."""


class Weight(StrEnum):
    """How much it matters; perimeter, identity and what runs first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Cause(Struct, frozen=True, omit_defaults=True):
    """Who did it, as far as anybody saw."""

    at: Instant = Instant(0)
    pid: int = 0
    uid: int = -1
    program: str = ""
    """Its command line, cut."""
    event: str = ""
    """Of an audit trail: its id or link."""


class Drift(Struct, frozen=True, omit_defaults=True):
    """One difference."""

    where: str
    """Id of the instance, or the name of the tree, or of the state that a resource (`what`) is in."""
    what: str
    """Path or field, as text."""
    kind: str
    """``content``, ``mode``, ``owner``, ``capability``, ``type``, ``link``, ``added``, ``removed``, ``digest``, ``configuration``,
    ``process``, ``mount``, ``age``, ``resource``, ``unseen``, …"""
    expected: str
    observed: str
    weight: Weight
    action: Action
    until: Instant = Instant(0)
    cause: Cause | None = None
