"""What was looked at and what was found, told to people, programs and platforms."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from assaymark.deployment.drift.drifted import Action, Drift
from assaymark.model.assessment import Instant


class Outcome(StrEnum):
    """Of everything that was looked at."""

    AS_ENDORSED = "as-endorsed"
    DRIFTED = "drifted"
    UNSEEN = "unseen"
    """Nothing differs, but not everything could be looked at."""


class Report(Struct, frozen=True):
    """One look."""

    at: Instant
    looked: tuple[str, ...]
    """Trees, containers, instances, resources' snapshots, by name."""
    drifts: tuple[Drift, ...]
    notes: tuple[str, ...] = ()
    """What whoever relies on it should know."""


def outcome(report: Report) -> Outcome:
    """Of the whole; what is looked away from does not count until its end."""
    counting = [each for each in report.drifts if each.action is not Action.IGNORE]
    if any(each.kind != "unseen" for each in counting):
        return Outcome.DRIFTED
    return Outcome.UNSEEN if counting else Outcome.AS_ENDORSED
