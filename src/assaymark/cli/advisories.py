"""`assay advisories`: what is known of other people's packages, on this machine."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.advisories.compiling import Compiled

_OLD_DAYS = 7


@click.group("advisories")
def command() -> None:
    """What is known of other people's packages: fetch it, compile it, tell how old it is."""


@command.command("update")
@click.option(
    "--from", "source", default="", metavar="DIR|URL", help="A folder of OSV archives, or an address that has them; OSV's own by default."
)
@click.option("--ecosystem", "ecosystems", multiple=True, help="Fetch this ecosystem only, named as OSV does; may be repeated.")
def update(source: str, ecosystems: tuple[str, ...]) -> None:
    """Compile the advisories of OSV, CISA (KEV) and FIRST (EPSS) into the index that checks read."""
    from assaymark import config
    from assaymark.advisories import updating

    settings = config.load()
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    index = Path(settings.advisories)

    def note(text: str) -> None:
        click.echo(text, err=True)

    if source and "://" not in source:
        _no_ecosystems(ecosystems)
        compiled = updating.from_folder(Path(source), index, now, note)
    else:
        compiled = updating.from_address(source or updating.PUBLISHED, ecosystems or updating.ECOSYSTEMS, index, now, note)
    for line in _summary(compiled):
        click.echo(line)


def _no_ecosystems(ecosystems: tuple[str, ...]) -> None:
    from assaymark.errors import UsageError

    if ecosystems:
        raise UsageError("--ecosystem chooses what is fetched", why="a folder is taken as it stands", advice="leave it out")


def _summary(compiled: Compiled) -> list[str]:
    """What was understood, and what was not."""
    lines = [
        f"{compiled.advisories} advisories from {compiled.records} records about {compiled.packages} packages",
        f"snapshot {compiled.snapshot}",
    ]
    if compiled.withdrawn:
        lines.append(f"{compiled.withdrawn} withdrawn records were left out")
    if compiled.unordered:
        lines.append(f"{compiled.unordered} entries tell their versions in no order known here: packages that they may hit are unchecked")
    if compiled.elsewhere:
        several = ", ".join(f"{name} ({count})" for name, count in compiled.elsewhere[:8])
        lines.append(f"of other ecosystems, not matched: {several}")
    if compiled.unreadable_count:
        lines.append(f"{compiled.unreadable_count} members are no OSV records: {', '.join(compiled.unreadable)}")
    return lines


@command.command("status")
def status() -> None:
    """Tell what advisories are here, and how old they are."""
    from assaymark import config
    from assaymark.checks.application.dependencies.matching.index import Index

    settings = config.load()
    index = Index(settings.advisories)
    meta = index.meta
    counts = json.loads(meta["counts"])
    click.echo(f"index       {settings.advisories}")
    click.echo(f"snapshot    {index.snapshot}")
    click.echo(f"compiled    {meta['compiled']} from {meta['from']}")
    click.echo(f"newest      {counts.get('newest', '') or 'not told'}")
    click.echo(f"advisories  {counts['advisories']} about {counts['packages']} packages")
    for ecosystem, packages in json.loads(meta["ecosystems"]).items():
        click.echo(f"            {ecosystem:16} {packages} packages")
    click.echo(f"exploited   {meta['exploited']} (KEV), EPSS for {meta['epss']}")
    for name, digest in json.loads(meta["sources"]).items():
        click.echo(f"source      {name} {digest}")
    age = (settings.today - dt.date.fromisoformat(meta["compiled"][:10])).days
    if age > _OLD_DAYS:
        click.echo(f"{age} days old: what was published since is not known here; run `assay advisories update`")
