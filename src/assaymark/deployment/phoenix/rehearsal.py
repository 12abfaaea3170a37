"""A rehearsal: the very steps of a deploy, in order, without any of its deeds.

Guarantees: it is the same code (`run`), given a journal in memory, a clock that does not wait, and a driver that only says what it would
be told; of the real driver it asks what there is and what it can do, and of the permit what it would answer now. Nothing is written,
launched, shifted or burnt. Not shown: how a probe would end; a rehearsal takes it that everything becomes healthy.
"""

# The signatures are those of a driver, of which most is only said here.
# ruff: noqa: ARG002

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from assaymark.deployment.drivers.driver import (
    Capabilities,
    Driver,
    Health,
    Instance,
    Launch,
    Observation,
    Pair,
    Rehearses,
    Share,
    instance_id,
)
from assaymark.deployment.phoenix import configuration, run
from assaymark.deployment.phoenix.generation import Generation, Ledger, Step, after
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.permit import Permit
from assaymark.deployment.phoenix.run import Farewell, Wish
from assaymark.deployment.phoenix.terms import Terms
from assaymark.model.assessment import SECOND, Instant

Say = Callable[[str], None]


def rehearse(  # noqa: PLR0913, PLR0917
    state: Path, pair: Pair, driver: Driver, wish: Wish | Farewell, terms: Terms, permit: Permit, now: Instant
) -> tuple[str, ...]:
    """Each step that a deploy, or a farewell, would take now, in words.

    Raises:
        UsageError: as it would itself.
        DriverFailed: when the platform does not say what there is.
    """
    lines: list[str] = []
    clock = _Clock(now, lines.append)
    journal = _InMemory(state, pair)
    journal.watchers.append(lambda step: clock.say(_step_in_words(step)))
    acting = _Acting(driver, clock)
    if journal.ledger.moving is not None:
        clock.say(f"first, generation {journal.ledger.moving.number} is brought to its end: it is {journal.ledger.moving.state}")
        run.resume(journal, acting, terms, permit, clock)
    if isinstance(wish, Farewell):
        ended = run.stop(journal, acting, terms, clock, wish)
    else:
        ended = run.upgrade(journal, acting, wish, terms, permit, clock)
    clock.say(_end_in_words(ended))
    return tuple(lines)


class _InMemory(Journal):
    """Reads what there is, without the lock, and writes nothing."""

    def __init__(self, state: Path, pair: Pair) -> None:
        super().__init__(state, pair)
        self.read()

    def append(self, step: Step) -> Ledger:
        self.ledger = after(self.ledger, step)
        for each in self.watchers:
            each(step)
        return self.ledger

    def key(self) -> bytes:
        return configuration.key_in(self.state) if (self.state / configuration.KEY).exists() else os.urandom(32)


class _Clock:
    """Does not wait, and says how long it would have."""

    def __init__(self, now: Instant, say: Say) -> None:
        self._now, self._say, self._waited = now, say, 0.0

    def now(self) -> Instant:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._waited += seconds
        self._now = Instant(self._now + max(int(seconds * SECOND), 1))

    def say(self, text: str) -> None:
        if self._waited:
            self._say(f"  watch it for {self._waited:g} s")
            self._waited = 0.0
        self._say(text)


class _Acting:
    """Answers as if everything had been done."""

    def __init__(self, real: Driver, clock: _Clock) -> None:
        self._real, self._clock = real, clock
        self._born: dict[str, Instance] = {}
        self._gone: set[str] = set()
        self._shares: tuple[Share, ...] | None = None

    def capabilities(self) -> Capabilities:
        return self._real.capabilities()

    def list(self, pair: Pair) -> Sequence[Instance]:
        there = {each.id: each for each in self._real.list(pair)} | self._born
        return [each for each in there.values() if each.id not in self._gone]

    def launch(self, asked: Launch) -> Sequence[Instance]:
        self._clock.say(f"  launch {asked.count} of {asked.image} as generation {asked.generation}")
        for line in self._real.rehearsed(asked) if isinstance(self._real, Rehearses) else ():
            self._clock.say(f"    {line}")
        if self.capabilities().rolls:
            self._gone |= {each.id for each in self.list(asked.pair) if each.generation != asked.generation}
        names = [instance_id(asked.pair, asked.generation, number + 1) for number in range(asked.count)]
        made = [Instance(name, asked.generation, asked.digest, asked.configuration.digest) for name in names]
        self._born |= {each.id: each for each in made}
        return made

    def probe(self, pair: Pair, instance: str) -> Health:
        return Health(ok=True)

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        if tuple(shares) != self._shares:  # said once: asking for the same again changes nothing
            words = ", ".join(f"{each.percent} % to generation {each.generation}" for each in shares)
            self._clock.say(f"  route {words or 'nothing to anybody'}")
        self._shares = tuple(shares)

    def serving(self, pair: Pair) -> Sequence[Share]:
        return self._real.serving(pair) if self._shares is None else self._shares

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        self._clock.say(f"  drain {instance} for at most {seconds:g} s")
        return True

    def burn(self, pair: Pair, instance: str) -> None:
        self._gone.add(instance)
        self._clock.say(f"  burn {instance}")

    def observe(self, pair: Pair, instance: str) -> Observation:
        return self._real.observe(pair, instance)


def _step_in_words(step: Step) -> str:
    told_of = [f"generation {step.generation}: {step.state}"]
    if step.digest:
        told_of.append(step.digest)
    if step.percent:
        told_of.append(f"{step.percent} %")
    if step.endorsement:
        told_of.append(f"by endorsement {step.endorsement}")
    if step.breakglass:
        told_of.append(f"BREAK-GLASS {step.breakglass}")
    if step.reason:
        told_of.append(f"({step.reason})")
    return " ".join(told_of)


def _end_in_words(ended: Generation) -> str:
    return f"then generation {ended.number} is {ended.state}"
