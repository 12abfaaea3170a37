"""`assay person`: accounts of a server, for whoever has a shell on its machine. Works on the database itself; the server may run or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from assaymark.errors import EngineMissing
from assaymark.model.access import Role

if TYPE_CHECKING:
    from assaymark.server.service import Service

_ROLES = click.Choice([role.value for role in Role])


@click.group("person")
def command() -> None:
    """Invite, list, close and reset accounts of the server on this machine."""


def of_server(run: Callable[..., Any]) -> Callable[..., Any]:
    run = click.option("--url", default="", help="How people reach the server; it stands in links.")(run)
    run = click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")(run)
    return click.option("--data", default="", help="Folder of the server's data.")(run)


@contextmanager
def of_machine(data: str, database: str, url: str) -> Iterator[Service]:
    """The service of the server on this machine, which may run or not."""
    try:
        from assaymark.server.service import open_service
    except ModuleNotFoundError as error:
        raise EngineMissing("the server's libraries are not installed", why=str(error), advice="pip install 'assaymark[server]'") from error
    from assaymark.server.settings import load, need_data
    from assaymark.store.migrations.apply import migrate

    settings = load(data=data, database=database, url=url)
    need_data(settings)
    service = open_service(settings)
    try:
        migrate(service.database)
        yield service
    finally:
        service.database.close()


@command.command("invite")
@click.argument("login")
@click.option("--name", default="", help="Full name.")
@click.option("--role", "role", default="viewer", show_default=True, type=_ROLES, help="The first role.")
@click.option("--team", default="", help="Slug of the team in which it holds; everywhere without it.")
@of_server
def invite_command(login: str, name: str, role: str, team: str, data: str, database: str, url: str) -> None:
    """Make an account and print the link by which its owner chooses a password, once, within seven days."""
    from assaymark.server.people import desk

    with of_machine(data, database, url) as service:
        click.echo(desk.invite(service, login, name, ((Role(role), team),)))


@command.command("give")
@click.argument("login")
@click.argument("role", type=_ROLES)
@click.option("--team", default="", help="Slug of the team in which it holds; everywhere without it.")
@of_server
def give_command(login: str, role: str, team: str, data: str, database: str, url: str) -> None:
    """Let somebody hold a role, e.g. when nobody is administrator any more."""
    from assaymark.server.people import desk

    with of_machine(data, database, url) as service:
        done = desk.give(service, login, Role(role), team)
    click.echo(f"{login} holds {role} {f'in {team}' if team else 'everywhere'}{'' if done else ', as before'}")


@command.command("list")
@of_server
def list_command(data: str, database: str, url: str) -> None:
    """List accounts with their roles."""
    from assaymark.server.people import desk
    from assaymark.store import teams

    with of_machine(data, database, url) as service:
        found = desk.everybody(service)
        with service.database.read() as connection:
            slugs = {each.id: each.slug for each in teams.page(connection, after="", limit=10_000, teams=None)}
    for person, held in found:
        roles = ", ".join(f"{each.role.value}@{'*' if each.team is None else slugs.get(each.team, each.team)}" for each in held)
        since = datetime.fromtimestamp(person.created_at / 1e6, UTC).date()
        click.echo(f"{person.login:30} {'closed' if person.disabled_at is not None else 'open':7} {since}  {roles or 'no role'}")


@command.command("disable")
@click.argument("login")
@of_server
def disable_command(login: str, data: str, database: str, url: str) -> None:
    """Close an account: its sessions and tokens end at once."""
    from assaymark.server.people import desk

    with of_machine(data, database, url) as service:
        done = desk.disable(service, login)
    click.echo(f"{login} is closed{'' if done else ', as before'}")


@command.command("enable")
@click.argument("login")
@of_server
def enable_command(login: str, data: str, database: str, url: str) -> None:
    """Open an account again."""
    from assaymark.server.people import desk

    with of_machine(data, database, url) as service:
        done = desk.enable(service, login)
    click.echo(f"{login} is open{'' if done else ', as before'}")


@command.command("reset")
@click.argument("login")
@of_server
def reset_command(login: str, data: str, database: str, url: str) -> None:
    """Print a link by which somebody chooses a password anew, once, within a day."""
    from assaymark.server.people import desk

    with of_machine(data, database, url) as service:
        click.echo(desk.reset(service, login))
