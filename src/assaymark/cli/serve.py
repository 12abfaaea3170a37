"""`assay serve`: the whole platform in one process group, without set-up."""

from __future__ import annotations

import click

from assaymark.errors import EngineMissing


@click.command("serve")
@click.option("--data", default="", help="Folder of the server's data.")
@click.option("--listen", default="", help="Address and port, e.g. 127.0.0.1:8750.")
@click.option("--url", default="", help="How people and forges reach the server.")
@click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
@click.option("--storage", default="", help="s3://bucket/prefix for content; a folder without it.")
@click.option("--workers", default="", help="Worker processes to start; 0 when they run elsewhere.")
def command(data: str, listen: str, url: str, database: str, storage: str, workers: str) -> None:
    """Serve API and pages, work on what triggers set off, and keep the clock."""
    try:
        from assaymark.server.run import serve
    except ModuleNotFoundError as error:
        raise EngineMissing("the server's libraries are not installed", why=str(error), advice="pip install 'assaymark[server]'") from error
    from assaymark.server.service import open_service
    from assaymark.server.settings import load

    settings = load(data=data, listen=listen, url=url, database=database, storage=storage, workers=workers)
    serve(open_service(settings))
