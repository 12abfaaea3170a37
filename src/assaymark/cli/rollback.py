"""`assay rollback`: an older digest as a new generation, when it may run now; pinned until somebody releases it."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.cli.deploying import options


@click.command("rollback")
@click.argument("environment")
@click.argument("component")
@options
@click.option("--to", "number", type=click.IntRange(min=1), help="Generation to go back to; the last that was live with another digest.")
@click.option("--digest", default="", help="Or the digest of one that was live before.")
@click.option("--release", is_flag=True, help="Not back: unpin what is live, so that others may be deployed again.")
@click.option("--actor", default="", help="Who asks; this login by default.")
@click.option("--reason", default="", help="Why, for people; it stands in the journal.")
@click.option("--dry-run", is_flag=True, help="Show each step, and do none.")
def command(
    environment: str,
    component: str,
    form: str,
    state: str,
    terms_file: Path,
    number: int | None,
    digest: str,
    release: bool,
    actor: str,
    reason: str,
    dry_run: bool,
) -> int:
    """Go back to an older digest of COMPONENT in ENVIRONMENT: as a new generation, verified now, pinned.

    Ends as `assay deploy` does.
    """
    from assaymark.cli import deploy_run, deploying
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.errors import UsageError

    site = deploying.site_of(terms_file, state)
    pair = Pair(environment, component)
    asker = deploying.actor_of(actor)
    if release:
        if number or digest or dry_run:
            raise UsageError("--release goes nowhere", advice="leave --to, --digest and --dry-run out")
        return deploying.say(deploy_run.released(site, pair, asker), form)
    if number and digest:
        raise UsageError("--to and --digest are given", advice="give one of both")
    choose = deploy_run.rollback(number, digest, asker, reason)
    if dry_run:
        return deploying.say(deploy_run.planned(site, pair, choose), form)
    return deploying.say(deploy_run.carried(site, pair, choose, loud=form == "text", again=True), form)
