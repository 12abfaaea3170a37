"""`assay daemon`: the warm process behind the hooks. It is started on demand; these commands are for looking and for stopping."""

from __future__ import annotations

import sys

import click


@click.group("daemon")
def command() -> None:
    """Keep a warm process that answers the hooks at once. Same answer without it."""


@command.command("start")
def start_command() -> None:
    """Start it in the background."""
    from assaymark.daemon import start

    if start.running():
        click.echo("already running")
    elif start.start_detached():
        click.echo("started")
    else:
        click.echo("not started: switched off, or no private folder for its socket", err=True)
        sys.exit(3)


@command.command("run")
@click.option("--idle", type=click.IntRange(1), default=1800, show_default=True, help="End after so many seconds without a request.")
def run_command(idle: int) -> None:
    """Serve in the foreground."""
    from assaymark.daemon.__main__ import main

    sys.exit(main(idle_seconds=float(idle)))


@command.command("stop")
def stop_command() -> None:
    """Stop it."""
    from assaymark.daemon import start

    click.echo("stopped" if start.stop() else "not running")


@command.command("status")
def status_command() -> None:
    """Tell whether it runs."""
    from assaymark.daemon import start

    daemon = start.running()
    click.echo(f"running, process {daemon}" if daemon else "not running")
