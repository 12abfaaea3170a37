"""Windows in which a generation is watched: until it is healthy, and whether it stays so.

Guarantees: what is watched is what the platform lists at that moment, never what was asked for; an instance of another digest or another
configuration ends the window at once. A driver that does not answer is a bad round, not a good one.
"""

from __future__ import annotations

from msgspec import Struct

from assaymark.deployment.drivers.driver import Driver, DriverFailed, Instance, Pair
from assaymark.deployment.phoenix.clock import Clock
from assaymark.deployment.phoenix.generation import Generation
from assaymark.deployment.phoenix.terms import Terms
from assaymark.model.assessment import SECOND


class Watched(Struct, frozen=True):
    """Who is watched, by what, and by which terms."""

    pair: Pair
    generation: Generation
    driver: Driver
    terms: Terms
    clock: Clock


class Round(Struct, frozen=True):
    """What one round saw."""

    good: bool
    text: str = ""
    wrong: bool = False
    """It is not what was deployed: no further round changes that."""


def until_healthy(watched: Watched) -> str:
    """Why it did not become healthy within its window; nothing when it did."""
    terms, clock = watched.terms, watched.clock
    ends = clock.now() + terms.probe_seconds * SECOND
    row, last = 0, "it was never probed"
    while True:
        found = once(watched)
        row = row + 1 if found.good else 0
        if row >= terms.probe_successes:
            return ""
        last = found.text or last
        if found.wrong:
            return found.text
        if clock.now() + terms.probe_every * SECOND > ends:
            return f"it was not healthy within {terms.probe_seconds:g} s: {last if not found.good else 'it answered too late'}"
        clock.sleep(terms.probe_every)


def steady(watched: Watched, seconds: float) -> str:
    """Why it did not stay healthy for so long; nothing when it did. At least one round is made."""
    terms, clock = watched.terms, watched.clock
    ends = clock.now() + seconds * SECOND
    row = 0
    while True:
        found = once(watched)
        row = 0 if found.good else row + 1
        if found.wrong or row >= terms.soak_failures:
            return f"it did not stay healthy: {found.text}"
        if clock.now() >= ends and row == 0:
            return ""
        left = (ends - clock.now()) / SECOND
        clock.sleep(min(terms.probe_every, left) if left > 0 else terms.probe_every)


def once(watched: Watched) -> Round:
    """One round over all of its instances."""
    try:
        there = [each for each in watched.driver.list(watched.pair) if each.generation == watched.generation.number]
    except DriverFailed as error:
        return Round(good=False, text=f"the platform does not say what runs: {error}")
    strange = not_as_deployed(there, watched.generation)
    if strange:
        return Round(good=False, text=strange, wrong=True)
    answered, texts = 0, []
    for each in there:
        try:
            health = watched.driver.probe(watched.pair, each.id)
        except DriverFailed as error:
            texts.append(f"{each.id}: {error}")
            continue
        if health.ok and each.running:
            answered += 1
        else:
            texts.append(f"{each.id}: {health.text or ('it does not run' if not each.running else 'it does not answer')}")
    if answered >= watched.terms.least:
        return Round(good=True)
    return Round(good=False, text=f"{answered} of {watched.terms.least} answer" + "".join(f"; {each}" for each in texts[:5])[:500])


def not_as_deployed(there: list[Instance], generation: Generation) -> str:
    """In words, when one of these is another image or was given another configuration."""
    for each in there:
        if each.digest and each.digest != generation.digest:
            return f"{each.id} runs {each.digest}, not {generation.digest}"
        if each.configuration and each.configuration != generation.configuration:
            return f"{each.id} has another configuration than generation {generation.number}"
    return ""
