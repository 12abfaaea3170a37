"""`assay instances`: what runs, since when, by which approval or break-glass order, and what the platform says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.cli.deploying import options

if TYPE_CHECKING:
    from assaymark.cli.deploying import Site
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.deployment.phoenix.shown import Running


@click.command("instances")
@click.argument("environment", required=False, default="")
@click.argument("component", required=False, default="")
@options
@click.option("--all", "every", is_flag=True, help="Generations that are over, too.")
@click.option("--journal", "journal_only", is_flag=True, help="Ask no platform: what the journals say.")
def command(environment: str, component: str, form: str, state: str, terms_file: Path, every: bool, journal_only: bool) -> int:
    """Tell what runs, of ENVIRONMENT and COMPONENT or of all. Nothing is changed, and no lock is waited for.

    Ends with 0, or 3 when a platform could not be asked; what the journal says is told all the same.
    """
    import time

    from assaymark.cli import deploying
    from assaymark.cli.show import emit
    from assaymark.deployment.phoenix import shown
    from assaymark.deployment.phoenix.journal import pairs_of
    from assaymark.errors import UsageError
    from assaymark.model.assessment import Instant

    site = deploying.site_of(terms_file, state)
    pairs = sorted({*site.document.pairs, *pairs_of(site.state)})
    chosen = [each for each in pairs if environment in {"", each.environment} and component in {"", each.component}]
    if environment and not chosen:
        raise UsageError(
            f"there is no pair {environment}{'/' if component else ''}{component}", why=f"there are {', '.join(map(str, pairs))}"
        )
    found = [_running(site, pair, every=every, ask=not journal_only) for pair in chosen]
    emit(shown.document(found).decode() if form == "json" else shown.running(found, Instant(time.time_ns() // 1000)))
    return 3 if any(each.problem for each in found) else 0


def _running(site: Site, pair: Pair, *, every: bool, ask: bool) -> Running:
    from assaymark.cli.deploying import driver_of, in_words
    from assaymark.deployment.drivers.naming import label
    from assaymark.deployment.phoenix.generation import ENDED
    from assaymark.deployment.phoenix.journal import Journal, told_of
    from assaymark.deployment.phoenix.shown import Running
    from assaymark.errors import AssayError

    journal = Journal(site.state, pair)
    journal.read()
    rows = sorted(journal.ledger.generations.values(), key=lambda each: -each.number)
    shown = tuple(each for each in rows if every or each.state not in ENDED)
    untold = journal.ledger.steps - told_of(site.state / label(pair)) if site.document.server.url else 0
    if not ask:
        return Running(pair, shown, untold=untold)
    try:
        driver = driver_of(site.document.of(pair))
        return Running(pair, shown, tuple(driver.list(pair)), tuple(driver.serving(pair)), untold=untold)
    except AssayError as error:
        return Running(pair, shown, problem=in_words(error), untold=untold)
