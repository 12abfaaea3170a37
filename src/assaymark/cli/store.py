"""`assay store`: move, verify and back up what a server keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.errors import EngineMissing, UsageError

if TYPE_CHECKING:
    from assaymark.server.service import Service

_SHOWN = 20


@click.group("store")
def command() -> None:
    """What a server keeps: move it to another database and storage, verify it, back it up."""


@contextmanager
def _service(data: str, database: str, storage: str) -> Iterator[Service]:
    try:
        from assaymark.server.service import open_service
    except ModuleNotFoundError as error:
        raise EngineMissing("the server's libraries are not installed", why=str(error), advice="pip install 'assaymark[server]'") from error
    from assaymark.server.settings import load, need_data

    settings = load(data=data, database=database, storage=storage)
    need_data(settings)
    service = open_service(settings)
    try:
        yield service
    finally:
        service.database.close()


def _say(text: str) -> None:
    click.echo(text, err=True)


@command.command("move")
@click.option("--to", default="", metavar="URL", help="Database to move into, e.g. postgresql://assay@db.example.org/assay.")
@click.option("--storage", default="", metavar="S3", help="Storage to move content into, as s3://bucket/prefix.")
@click.option("--data", default="", help="Folder of the server's data, where it is now.")
@click.option("--database", default="", help="Database where it is now; SQLite in the data folder without it.")
@click.option("--from-storage", default="", help="Storage where content is now; a folder without it.")
def move(to: str, storage: str, data: str, database: str, from_storage: str) -> None:
    """Copy everything from SQLite into PostgreSQL, from a folder into S3, or both. Stop the server first; the source stays as it is."""
    if not to and not storage:
        raise UsageError("nothing says where to", advice="name a database with --to, a storage with --storage, or both")
    from assaymark.server import moving
    from assaymark.store.open import open_blobs

    with _service(data, database, from_storage) as service:
        settings = service.settings
        if storage:
            if storage.rstrip("/") == settings.storage.rstrip("/"):
                raise UsageError("the target is the storage itself", advice="name another one")
            _say("content")
            copied, there = moving.move_content(service, open_blobs(storage, settings.data, settings.s3_endpoint), _say)
            click.echo(f"{copied} contents were copied, {there} were there already")
        if to:
            _say("rows")
            went = moving.move_database(service, to, _say)
            click.echo(f"{went.rows} rows are the same on both sides; {went.jobs} jobs wait there")
            if went.dead_jobs:
                click.echo(f"{went.dead_jobs} jobs that were given up stay behind")
    click.echo(f"start the server with the new {'database and storage' if to and storage else 'database' if to else 'storage'} now;")
    click.echo(f"workers on other machines need the files vault.key and installation.key of {settings.data}")


@command.command("verify")
@click.option("--data", default="", help="Folder of the server's data.")
@click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
@click.option("--storage", default="", help="s3://bucket/prefix for content; a folder without it.")
def verify(data: str, database: str, storage: str) -> None:
    """Look whether the database, the trail and all content are as they were written. Changes nothing; exit 3 when something is not."""
    from assaymark.store.verifying import verify as look

    with _service(data, database, storage) as service:
        found = look(service.database, service.blobs, _say)
    click.echo(f"{found.entries} entries of the trail, {found.kept} contents, {found.needed} of them needed")
    if found.unneeded:
        click.echo(f"{found.unneeded} contents are needed by nothing any more")
    for sentence in found.defects[:_SHOWN]:
        click.echo(f"  {sentence}")
    if found.defect_count > _SHOWN:
        click.echo(f"  and {found.defect_count - _SHOWN} more")
    if found.defect_count:
        click.echo("restore what is damaged from a backup")
        raise click.exceptions.Exit(3)


@command.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--data", default="", help="Folder of the server's data.")
def backup(file: Path, data: str) -> None:
    """Write a consistent copy of a running server on SQLite into FILE, a tar archive that is a data folder. Keys are not in it."""
    from assaymark.store.backup import back_up
    from assaymark.store.blobs import FolderBlobs

    with _service(data, "", "") as service:
        if not isinstance(service.blobs, FolderBlobs):
            raise UsageError("the content is in S3", advice="use the versions of the bucket; copy the database alone with sqlite3 .backup")
        kept = back_up(service.database, service.blobs, file)
    click.echo(f"{file}: the database ({kept.database_bytes} bytes) and {kept.blobs} contents")
    click.echo(f"keep vault.key and installation.key of {service.settings.data} elsewhere: without them tokens are entered anew")
