"""`assay baseline`: record what is known of a subject, look at it, preview what another identity scheme would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.errors import UsageError
from assaymark.model.identity import CURRENT, SCHEMES

if TYPE_CHECKING:
    from assaymark.verdict.baseline import Baseline

FILE = "assay-baseline.json"


@click.group("baseline")
def command() -> None:
    """Record what is known of a subject, show it, preview a migration of identities."""


@command.command("write")
@click.argument("target", required=False, default="")
@click.option("-o", "--output", default=FILE, show_default=True, type=click.Path(dir_okay=False))
@click.option("--also", "schemes", multiple=True, type=click.Choice(list(SCHEMES)), help="Name every finding under this scheme too.")
def write_command(target: str, output: str, schemes: tuple[str, ...]) -> None:
    """Record everything known of TARGET. First-seen dates, owners and tickets of an earlier file at OUTPUT are kept."""
    from assaymark import compose, config
    from assaymark.cli.target import Words, read_words
    from assaymark.recorded import record
    from assaymark.verdict.baseline import dump

    path = Path(output)
    earlier = read(path) if path.exists() else None
    settings = config.load()
    comparison, _, _ = read_words(Words(target=target))
    baseline = record(comparison, compose.context(settings), earlier=earlier, schemes=schemes)
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(dump(baseline))
    draft.replace(path)
    click.echo(f"{path}: {len(baseline.findings)} findings in {len(baseline.inputs)} contents; use it with `assay check --baseline {path}`")


@command.command("show")
@click.argument("file", required=False, default=FILE, type=click.Path(dir_okay=False))
def show_command(file: str) -> None:
    """List what a baseline holds, oldest debt first."""
    from assaymark.views.sanitise import location

    baseline = read(Path(file))
    click.echo(f"{baseline.subject}, recorded {baseline.made} under {baseline.scheme}: {len(baseline.findings)} findings")
    for row in sorted(baseline.findings, key=lambda r: (r.first_seen, -r.finding.severity.rank)):
        finding = row.finding
        click.echo(f"  {row.first_seen}  {finding.severity:8} {finding.short_id}  {finding.rule:32} {location(finding.place)}")


@command.command("migrate")
@click.argument("target", required=False, default="")
@click.option("--from", "old", type=click.Choice(list(SCHEMES)), default="line/1", show_default=True)
@click.option("--to", "new", type=click.Choice(list(SCHEMES)), default=CURRENT, show_default=True)
def migrate_command(target: str, old: str, new: str) -> None:
    """Print what a change of identity scheme would do to the open findings of TARGET; changes nothing."""
    from assaymark import compose, config
    from assaymark.cli.target import Words, read_words
    from assaymark.recorded import migration

    comparison, _, _ = read_words(Words(target=target))
    plan = migration(comparison, compose.context(config.load()), (old, new))
    click.echo(f"{plan.old} -> {plan.new}: {plan.kept} names kept one to one, {len(plan.merged)} merged, {len(plan.split)} split")
    for name, olds in plan.merged:
        click.echo(f"  {name} <- {len(olds)} old names: {', '.join(olds[:4])}")
    for name, news in plan.split:
        click.echo(f"  {name} -> {len(news)} new names: {', '.join(news[:4])}")
    sys.stdout.flush()


def read(path: Path) -> Baseline:
    """The baseline in a file."""
    from assaymark.verdict.baseline import load

    try:
        return load(path.read_bytes(), path.name)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", why=error.strerror or str(error), advice="write it with `assay baseline write`"
        ) from error
