"""Carries a wish out from the command line; steps are shown as they are taken, and told to a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from assaymark.cli.deploy_there import Teller
from assaymark.cli.deploying import Recorded, Site, driver_of, note, outcome_of, permit_of
from assaymark.deployment.drivers.driver import Driver, Pair
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.phoenix import breakglass, run, shown
from assaymark.deployment.phoenix.breakglass import Wanted
from assaymark.deployment.phoenix.clock import MachineClock
from assaymark.deployment.phoenix.configuration import gathered
from assaymark.deployment.phoenix.fresh import believing
from assaymark.deployment.phoenix.generation import Generation, State, Step, Why
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.keep import rolled_back
from assaymark.deployment.phoenix.rehearsal import rehearse
from assaymark.deployment.phoenix.run import Farewell, Wish
from assaymark.deployment.phoenix.shown import Ended, Outcome
from assaymark.deployment.phoenix.terms import Terms
from assaymark.endorsement.asking.bundles import read_file

Choose = Callable[[Journal], Wish | None]


class _Work(Struct, frozen=True):
    """What a deploy works with, the journal open."""

    journal: Journal
    driver: Driver
    terms: Terms
    permit: Recorded
    clock: MachineClock
    told: int
    """Steps that were there before."""

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.journal.steps[self.told :]


def carried(site: Site, pair: Pair, choose: Choose, *, loud: bool, again: bool = False) -> Ended:
    """Go on with what is on its way, then carry out what is chosen from the journal, if anything.

    Raises:
        Busy: when another deployer is at it.
        DriverFailed: when the platform fails where there is no way back.
        UsageError: when it cannot be wished for.
    """
    with _at_work(site, pair, loud=loud) as work:
        journal, permit = work.journal, work.permit
        with Teller(site.there, journal):
            ended = run.resume(journal, work.driver, work.terms, permit, work.clock)
            wish = choose(journal)
            kept = wish is not None and not again and _is_live(work, wish)
            if wish is not None and not kept:
                ended = run.upgrade(journal, work.driver, wish, work.terms, permit, work.clock)
        outcome = Outcome.NOTHING
        if kept:
            outcome, ended = Outcome.KEPT, journal.ledger.live
        elif ended is not None:
            launched = any(each.generation == ended.number and each.state is State.VERIFIED for each in journal.steps)
            outcome = Outcome(outcome_of(ended.state, permit.last, launched=launched))
        return Ended(pair, outcome, ended, work.steps, notes=_notes(site, ended, permit.last.notes if permit.last else ()))


def burnt(site: Site, pair: Pair, farewell: Farewell, *, loud: bool) -> Ended:
    """Go on with what is on its way, then burn what is live, if anything.

    Raises:
        Busy: when another deployer is at it.
        DriverFailed: when the platform does not do it; ask again.
    """
    with _at_work(site, pair, loud=loud) as work:
        journal = work.journal
        with Teller(site.there, journal):
            ended = run.resume(journal, work.driver, work.terms, work.permit, work.clock)
            if journal.ledger.live is not None:
                ended = run.stop(journal, work.driver, work.terms, work.clock, farewell)
        outcome = Outcome.STOPPED if ended is not None and ended.state is State.STOPPED else Outcome.NOTHING
        return Ended(pair, outcome, ended, work.steps, notes=site.there.taken_notes())


def planned(site: Site, pair: Pair, choose: Choose | Farewell) -> Ended:
    """What `carried` or `burnt` would do, without doing it.

    Raises:
        UsageError: when it cannot be wished for.
        DriverFailed: when the platform does not say what there is.
    """
    terms = site.document.of(pair)
    permit = permit_of(site, pair, terms)
    reading = Journal(site.state, pair)
    reading.read()
    wish = choose(reading) if not isinstance(choose, Farewell) else choose if reading.ledger.live or reading.ledger.moving else None
    if wish is None:
        return Ended(pair, Outcome.NOTHING)
    lines = rehearse(site.state, pair, driver_of(terms), wish, terms, permit, MachineClock().now())
    last = permit.last
    outcome = Outcome.PLANNED if last is None or last.ok else Outcome(outcome_of("", last, launched=False))
    return Ended(pair, outcome, plan=lines, notes=_notes(site, None, last.notes if last else ()))


def let_through(site: Site, pair: Pair, file: Path, digest: str) -> str:
    """Look at a break-glass order, and lay it where the permit finds it; gives it in words.

    Raises:
        SignatureInvalid: when it does not hold.
        UsageError: when it cannot be read.
    """
    terms, now = site.document.of(pair), MachineClock().now()
    data = read_file(file)
    order = breakglass.verified(data, Wanted(digest, pair), terms.breakglass, believing(site.document.believe)(now), now)
    breakglass.keep(site.state / label(pair) / breakglass.FOLDER, data, order)
    return breakglass.shown(order)


def rollback(number: int | None, digest: str, actor: str, reason: str) -> Choose:
    """An older digest as a new generation, pinned: chosen from the journal once it is locked."""

    def choose(journal: Journal) -> Wish:
        found = rolled_back(journal.ledger, number, digest)
        words = reason or f"rolled back to generation {found.number}"
        return Wish(found.digest, found.image, actor, Why.ROLLBACK, pinned=True, reason=words)

    return choose


def released(site: Site, pair: Pair, actor: str) -> Ended:
    """Unpin what is live.

    Raises:
        UsageError: when nothing is pinned.
    """
    with Journal(site.state, pair).open() as journal, Teller(site.there, journal):
        told = len(journal.steps)
        found = run.release(journal, actor, MachineClock())
        return Ended(pair, Outcome.LIVE, found, journal.steps[told:], notes=site.there.taken_notes())


@contextmanager
def _at_work(site: Site, pair: Pair, *, loud: bool) -> Iterator[_Work]:
    terms = site.document.of(pair)
    driver, permit = driver_of(terms), permit_of(site, pair, terms)
    with Journal(site.state, pair).open() as journal:
        if loud:
            journal.watchers.append(_say)
        yield _Work(journal, driver, terms, permit, MachineClock(), len(journal.steps))


def _is_live(work: _Work, wish: Wish) -> bool:
    """Whether it runs already, as it was wished for, and all of it."""
    live = work.journal.ledger.live
    configuration = gathered(work.terms.configuration, work.journal.key()).digest
    if live is None or (live.digest, live.configuration, live.image) != (wish.digest, configuration, wish.image):
        return False
    there = [each for each in work.driver.list(work.journal.pair) if each.generation == live.number]
    return bool(there) and all(each.running and each.digest in {"", live.digest} for each in there) and len(there) >= len(live.instances)


def _notes(site: Site, ended: Generation | None, given: tuple[str, ...]) -> tuple[str, ...]:
    loud = (f"BREAK-GLASS: {ended.digest} runs without an approval",) if ended is not None and ended.breakglass else ()
    return tuple(dict.fromkeys((*loud, *given, *site.there.taken_notes())))


def _say(step: Step) -> None:
    note(shown.step(step))
