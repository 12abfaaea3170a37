"""`assay deploy`: an approved digest as a new generation: launched, watched, given the traffic; the one before is burnt."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.cli.deploying import options


@click.command("deploy")
@click.argument("environment")
@click.argument("component")
@click.argument("target", required=False, default="")
@options
@click.option("--again", is_flag=True, help="Also when it is live already: the same digest as fresh instances.")
@click.option("--breakglass", type=click.Path(path_type=Path), help="A signed order that lets it run without an approval, for a time.")
@click.option("--actor", default="", help="Who asks; this login by default.")
@click.option("--reason", default="", help="Why, for people; it stands in the journal.")
@click.option("--dry-run", is_flag=True, help="Show each step, and do none.")
def command(
    environment: str,
    component: str,
    target: str,
    form: str,
    state: str,
    terms_file: Path,
    again: bool,
    breakglass: Path | None,
    actor: str,
    reason: str,
    dry_run: bool,
) -> int:
    """Let TARGET (sha256:…, or image@sha256:…) run as COMPONENT in ENVIRONMENT. Without TARGET: go on with what a kill left on its way.

    Ends with 0 when it is live, 1 when it may not run or was aborted, 3 when the platform fails or another deployer is at it, 5 when
    nothing was shown either way: there is no endorsement, or the trust is too old.
    """
    from assaymark.cli import deploy_run, deploying
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.deployment.phoenix.run import Wish
    from assaymark.errors import UsageError

    site = deploying.site_of(terms_file, state)
    pair = Pair(environment, component)
    terms = site.document.of(pair)
    if not target:
        if again or breakglass or dry_run:
            raise UsageError("there is no target", advice="name the digest that is to run; without one, what is on its way goes on")
        return deploying.say(deploy_run.carried(site, pair, lambda _: None, loud=form == "text"), form)
    digest, image = deploying.target_of(target, terms)
    if breakglass is not None:
        deploying.note(deploy_run.let_through(site, pair, breakglass, digest))
    wish = Wish(digest, image, deploying.actor_of(actor), reason=reason)
    if dry_run:
        return deploying.say(deploy_run.planned(site, pair, lambda _: wish), form)
    return deploying.say(deploy_run.carried(site, pair, lambda _: wish, loud=form == "text", again=again), form)
