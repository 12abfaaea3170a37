"""`assay phoenix`: keeps pairs as they should be: drift, revocation and age raise a new generation; what a server wants is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.cli.deploying import options

if TYPE_CHECKING:
    from assaymark.cli.deploying import Site
    from assaymark.deployment.drivers.driver import Pair


@click.command("phoenix")
@click.argument("environment", required=False, default="")
@click.argument("component", required=False, default="")
@options
@click.option("--once", is_flag=True, help="One round, and end.")
@click.option("--every", type=click.FloatRange(0.1, 86_400), default=30.0, show_default=True, help="Seconds between rounds.")
def command(environment: str, component: str, form: str, state: str, terms_file: Path, once: bool, every: float) -> int:
    """Keep ENVIRONMENT and COMPONENT, or all pairs of the terms, as they should be: look at what runs, and replace it where that is due.

    With --once it ends with 0 when all is as it should be or was made so, 1 when people have to see to something, 3 when a platform failed
    or another deployer is at it. Without it, it goes on until it is interrupted; the terms are read anew in each round.
    """
    import time

    from assaymark.cli import deploying
    from assaymark.errors import UsageError

    there = None
    while True:
        site = deploying.site_of(terms_file, state)
        if there is not None and there.is_at(site.document.server):
            site = deploying.Site(site.document, site.state, there)  # it remembers for how long a server is left alone
        there = site.there
        chosen = [each for each in site.document.pairs if environment in {"", each.environment} and component in {"", each.component}]
        if not chosen:
            raise UsageError("there is no such pair in the terms", advice="look at the tables [deploy.<environment>.<component>]")
        codes = [_round(site, pair, form) for pair in chosen]
        if once:
            return max(codes)
        time.sleep(every)


def _round(site: Site, pair: Pair, form: str) -> int:
    from assaymark.cli.deploying import in_words
    from assaymark.cli.keeping import kept, say, say_problem
    from assaymark.errors import AssayError

    try:
        found = kept(site, pair, loud=form == "text")
    except AssayError as error:
        say_problem(pair, in_words(error), form)
        return 3
    say(pair, found, site.there.taken_notes(), form)
    return 0 if found.good else 1
