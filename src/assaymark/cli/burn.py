"""`assay burn`: what runs goes, and nothing takes its place."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.cli.deploying import options


@click.command("burn")
@click.argument("environment")
@click.argument("component")
@options
@click.option("--actor", default="", help="Who asks; this login by default.")
@click.option("--reason", required=True, help="Why, for people; it stands in the journal.")
@click.option("--dry-run", is_flag=True, help="Show each step, and do none.")
def command(environment: str, component: str, form: str, state: str, terms_file: Path, actor: str, reason: str, dry_run: bool) -> int:
    """Take away what runs of COMPONENT in ENVIRONMENT: its traffic first, then its instances, for ever.

    What is on its way is brought to its end before. Neither the keeper nor a server's wish of before starts it again; `assay deploy` does.
    Ends with 0, also when nothing runs; 3 when the platform fails or another deployer is at it: ask again.
    """
    from assaymark.cli import deploy_run, deploying
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.deployment.phoenix.run import Farewell
    from assaymark.errors import UsageError

    if not reason.strip():
        raise UsageError("--reason is empty", advice="say why it goes: whoever looks for it later reads that")
    site = deploying.site_of(terms_file, state)
    pair, farewell = Pair(environment, component), Farewell(deploying.actor_of(actor), reason.strip())
    if dry_run:
        return deploying.say(deploy_run.planned(site, pair, farewell), form)
    return deploying.say(deploy_run.burnt(site, pair, farewell, loud=form == "text"), form)
