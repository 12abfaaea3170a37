"""`assay engine`: optional engines that live in environments of their own, since their dependencies do not fit to ours."""

from __future__ import annotations

import click


@click.group("engine")
def command() -> None:
    """Install optional engines, each in an environment of its own."""


@command.command("install")
@click.argument("name", type=click.Choice(["checkov"]))
def install_command(name: str) -> None:
    """Make an environment in the cache folder and install the engine from your package index.

    Uses pip with your own configuration of it. Nothing of the engine is imported into Assaymark.
    """
    from assaymark import config
    from assaymark.checks.infrastructure.iac.checkov_place import VERSION
    from assaymark.cli.engine_install import install

    click.echo(f"installing {name} {VERSION}; this takes a minute or two", err=True)
    click.echo(f"installed in {install(config.load().cache)}")
    click.echo(f'switch it on with [checks] enable = ["{name}"] in assay.toml')
