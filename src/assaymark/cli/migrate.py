"""`assay migrate`: take over what another platform holds, for whoever has a shell on the server's machine. The server may run or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.cli.person import of_machine, of_server
from assaymark.errors import UsageError

if TYPE_CHECKING:
    from assaymark.server.migrations.carrying import Migrated

_MOST_BYTES = 1 << 30
_ORIGINS = click.Choice(["defectdojo", "dependency-track"])


@click.command("migrate")
@click.argument("origin", type=_ORIGINS)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; say what would become what, and what would be lost.")
@click.option(
    "--as", "login", default="", metavar="LOGIN", help="Account in whose name notes become comments; without one they are left out."
)
@of_server
def command(origin: str, files: tuple[Path, ...], dry: bool, login: str, data: str, database: str, url: str) -> None:
    """Take over teams, subjects, findings, decisions and notes from exports of DefectDojo or Dependency-Track.

    Run it with --dry-run first. Run again, it makes nothing twice and goes on where it broke off.
    """
    if sum(file.stat().st_size for file in files) > _MOST_BYTES:
        raise UsageError("the files together have more than 1 GiB", advice="migrate in parts: products first, then findings")
    with of_machine(data, database, url) as service:
        from assaymark.server.migrations.exports import Origin, migrate
        from assaymark.server.people.accounts import ON_THE_MACHINE, By
        from assaymark.store import people

        by = ON_THE_MACHINE
        if login:
            with service.database.read() as link:
                person = people.by_login(link, login)
            if person is None:
                raise UsageError(f"there is no account {login!r}", advice="see `assay person list`")
            by = By(person.login, person.id)
        done = migrate(service, Origin(origin), [file.read_bytes() for file in files], by, dry=dry)
    click.echo(_told(done))


def _told(done: Migrated) -> str:
    """What became what, and what is lost."""
    numbers = (
        f"{done.subjects} subjects, {done.teams} new teams, {done.findings} findings ({done.opened} opened), {done.components} components, "
        f"{done.decisions} decisions, {done.comments} comments"
    )
    lines = [f"{'would take over' if done.dry else 'took over'} from {done.source}: {numbers}"]
    lines += [f"  {count:>7}  {what}" for what, count in sorted(done.taken.items())]
    if done.lost:
        lines += ["not taken over:", *(f"  {count:>7}  {what}" for what, count in sorted(done.lost.items()))]
    return "\n".join(lines)
