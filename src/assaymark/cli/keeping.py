"""One round of `assay phoenix`: carried out, told to a server, and said."""

from __future__ import annotations

from msgspec import Struct

from assaymark.cli.deploy_there import Teller
from assaymark.cli.deploying import Site, driver_of, note, permit_of
from assaymark.cli.show import emit
from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix import shown
from assaymark.deployment.phoenix.clock import MachineClock
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.round import Means, Round, one


class _Said(Struct, frozen=True):
    pair: Pair
    round: Round
    notes: tuple[str, ...]


class _Problem(Struct, frozen=True):
    pair: Pair
    problem: str


def kept(site: Site, pair: Pair, *, loud: bool) -> Round:
    """A round for a pair.

    Raises:
        Busy: when another deployer is at it.
        DriverFailed: when the platform does not answer.
        UsageError: when the terms make no sense.
    """
    terms = site.document.of(pair)
    permit = permit_of(site, pair, terms)
    means = Means(driver_of(terms), terms, permit, MachineClock(), told=lambda number, seen: site.there.tell_seen(pair, number, seen))
    with Journal(site.state, pair).open() as journal:
        if loud:
            journal.watchers.append(lambda step: note(f"{pair}: {shown.step(step)}"))
        with Teller(site.there, journal):
            return one(journal, means, site.there.wanted(pair) if site.there.url else None)


def say(pair: Pair, found: Round, notes: tuple[str, ...], form: str) -> None:
    """What became of it; a round that found everything as it should be says nothing to people."""
    if form == "json":
        emit(shown.line("round", _Said(pair, found, notes)).decode())
        return
    for each in found.drifts:
        note(f"{pair}: drift: {shown.drifted(each)}")
    for text in notes:
        note(f"{pair}: {text}")
    if found.permitted is not None and found.permitted.breakglass:
        note(f"{pair}: BREAK-GLASS: it runs without an approval")
    for text in found.permitted.notes if found.permitted is not None else ():
        note(f"{pair}: {text}")
    if found.due is not None:
        note(f"{pair}: {found.due.deed}: {found.due.reason}")
    if found.ended is not None:
        note(f"{pair}: generation {found.ended.number} is {found.ended.state}")


def say_problem(pair: Pair, text: str, form: str) -> None:
    """Why there was no round."""
    if form == "json":
        emit(shown.line("problem", _Problem(pair, text)).decode())
    else:
        note(f"{pair}: {text}")
