"""All instances of a pair, as the platform lists them, compared with what the journal says should be there.

Guarantees: every instance that the platform lists is looked at, whatever generation it claims; one that no living generation knows is a
drift itself; one that should be there and is not likewise. A driver that does not answer is a drift of the kind ``unseen``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from assaymark.deployment.drift.drifted import Drift, Weight
from assaymark.deployment.drift.instance import DriftTerms, drifts
from assaymark.deployment.drift.lines import NOTHING
from assaymark.deployment.drift.stance import Found, Stance
from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.model.assessment import Instant

if TYPE_CHECKING:
    from assaymark.deployment.drivers.driver import Driver, Instance
    from assaymark.deployment.phoenix.generation import Generation, Ledger


class Looked(Struct, frozen=True):
    """What was seen of a pair."""

    drifts: tuple[Drift, ...]
    ids: tuple[str, ...]
    """Of the instances that were looked at."""


def look(driver: Driver, ledger: Ledger, terms: DriftTerms, now: Instant) -> Looked:
    """Every drift of every instance.

    Raises:
        UsageError: when the terms name an instant that is none.
    """
    stance, found, ids = Stance(terms.drift, now), list[Drift](), list[str]()
    expected = {each.number: each for each in (ledger.live, ledger.moving) if each is not None}
    try:
        listed = driver.list(ledger.pair)
    except DriverFailed as error:
        return Looked((_unanswered(stance, str(ledger.pair), error),), ())
    for each in listed:
        ids.append(each.id)
        generation = expected.get(each.generation)
        if generation is None:
            text = f"{each.digest or 'something'} of generation {each.generation}"
            found.append(stance.drift(each.id, Found("instance", "instance", NOTHING, text, Weight.CRITICAL)))
        else:
            found += _observed(driver, ledger, each, generation, terms, now)
    found += [stance.drift(name, each) for name, each in _missing(ledger.live, listed)]
    return Looked(tuple(found), tuple(ids))


def _observed(  # noqa: PLR0913, PLR0917 - all that the answer depends on
    driver: Driver, ledger: Ledger, instance: Instance, generation: Generation, terms: DriftTerms, now: Instant
) -> Iterator[Drift]:
    try:
        seen = driver.observe(ledger.pair, instance.id)
    except DriverFailed as error:
        yield _unanswered(Stance(terms.drift, now), instance.id, error)
    else:
        yield from drifts(seen, generation, terms, now)


def _missing(live: Generation | None, listed: Sequence[Instance]) -> Iterator[tuple[str, Found]]:
    ids = {each.id for each in listed if each.running}
    for name in live.instances if live is not None else ():
        if name not in ids:
            yield name, Found("instance", "instance", "running", NOTHING, Weight.HIGH)


def _unanswered(stance: Stance, where: str, error: DriverFailed) -> Drift:
    return stance.drift(where, Found("instance", "unseen", "to be looked at", f"{error.what}{': ' if error.why else ''}{error.why}"))
