"""`assay worker`: a process that works, beside those that `assay serve` starts, on any machine that reaches the database."""

from __future__ import annotations

import sys

import click

from assaymark.errors import EngineMissing


@click.command("worker")
@click.option("--data", default="", help="Folder of the server's data; the same content on every machine, or its own with --storage.")
@click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
@click.option("--storage", default="", help="s3://bucket/prefix for content; a folder without it.")
@click.option("--url", default="", help="How people and forges reach the server.")
@click.option("--slots", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at once, beside one scheduled job.")
@click.option("--grace", type=click.FloatRange(0, 3600), default=8.0, show_default=True, help="Seconds to end what runs when told to stop.")
@click.option(
    "--lease", type=click.FloatRange(1, 45), default=40.0, show_default=True, help="Seconds after which a silent worker's jobs go on."
)
def command(data: str, database: str, storage: str, url: str, slots: int, grace: float, lease: float) -> None:
    """Work on what triggers set off, until SIGTERM or SIGINT."""
    try:
        from assaymark.jobs.worker import Pace
        from assaymark.server.worker import work
    except ModuleNotFoundError as error:
        raise EngineMissing("the server's libraries are not installed", why=str(error), advice="pip install 'assaymark[server]'") from error
    from assaymark.server.settings import load

    settings = load(data=data, database=database, storage=storage, url=url)
    sys.exit(work(settings, slots=slots, pace=Pace(lease=lease, beat=min(2.0, lease / 8), grace=grace)))
