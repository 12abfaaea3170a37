"""What an instance is, compared with the generation that it belongs to.

Guarantees: an instance whose digest nobody could tell is never taken for the right one; what a driver could not see is a drift by itself.
Pure: observation, generation, terms and the instant in, drifts out, heaviest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from assaymark.deployment.drift.drifted import Drift, Weight
from assaymark.deployment.drift.lines import NOTHING
from assaymark.deployment.drift.stance import Found, Says, Stance
from assaymark.model.assessment import SECOND, Instant

if TYPE_CHECKING:
    from assaymark.deployment.drivers.driver import Change, Observation
    from assaymark.deployment.phoenix.generation import Generation

_HOUR = 3600 * SECOND
_ORDER = list(Weight)


class DriftTerms(Protocol):
    """Of a pair's terms, what says when something is too old, and what is done about drift."""

    @property
    def max_age_hours(self) -> int:
        """0: never too old."""

    @property
    def drift(self) -> Says: ...


def drifts(observation: Observation, generation: Generation, terms: DriftTerms, now: Instant) -> tuple[Drift, ...]:
    """Every difference.

    Raises:
        UsageError: when the terms name an instant that is none.
    """
    stance = Stance(terms.drift, now)
    found = [stance.drift(observation.id, each) for each in _found(observation, generation, terms, now)]
    return tuple(sorted(found, key=lambda each: (_ORDER.index(each.weight), each.kind, each.what)))


def _found(seen: Observation, generation: Generation, terms: DriftTerms, now: Instant) -> Iterator[Found]:
    if seen.digest and seen.digest != generation.digest:
        yield Found("digest", "digest", generation.digest, seen.digest)
    if not seen.digest and not any(each.startswith("digest") for each in seen.unseen):
        yield Found("digest", "unseen", generation.digest, "the platform does not say what runs")
    if seen.configuration and seen.configuration != generation.configuration:
        yield Found("configuration", "configuration", generation.configuration or NOTHING, seen.configuration)
    yield from map(changed, seen.changes)
    for command in seen.processes:
        yield Found(command, "process", NOTHING, command)
    for mount in seen.mounts:
        yield Found(mount, "mount", NOTHING, mount)
    for what in seen.unseen:
        yield Found(what.partition(":")[0], "unseen", "to be looked at", what)
    age = now - seen.born if seen.born else 0
    if terms.max_age_hours and age > terms.max_age_hours * _HOUR:
        yield Found("age", "age", f"at most {terms.max_age_hours} hours", f"{age // _HOUR} hours")


def changed(change: Change) -> Found:
    """A path that is not as in the image."""
    expected, observed = {"added": (NOTHING, change.detail), "removed": (change.detail, NOTHING)}.get(
        change.kind, ("as in the image", change.detail)
    )
    return Found(change.path, change.kind, expected or "as in the image", observed or change.kind)
