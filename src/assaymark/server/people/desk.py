"""What somebody with a shell on the server's machine does to accounts: the same calls as the API, without its questions of rights.

Whoever can read the data folder can do all of this anyway; here it is recorded in the trail, with the account of the machine.
"""

from __future__ import annotations

import getpass

import sqlalchemy as sa

from assaymark.errors import UsageError
from assaymark.model.access import Grant, Role
from assaymark.server.people import accounts, links
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.store import people, sessions, teams, tokens
from assaymark.store.invitations import Purpose
from assaymark.store.people import Draft, PersonRow
from assaymark.store.teams import MembershipRow

_AT_ONCE = 200


def everybody(service: Service) -> list[tuple[PersonRow, list[MembershipRow]]]:
    """Every account with its roles."""
    found: list[tuple[PersonRow, list[MembershipRow]]] = []
    after = ""
    with service.database.read() as connection:
        while rows := people.page(connection, after=after, limit=_AT_ONCE, teams=None):
            found += [(row, teams.memberships_of(connection, row.id)) for row in rows]
            after = rows[-1].login
    return found


def invite(service: Service, login: str, name: str, grants: tuple[tuple[Role, str], ...]) -> str:
    """Make an account with roles in teams (by their slugs; empty for all of them); gives its link."""
    login = accounts.login_of(login)
    with service.database.write() as connection:
        held = tuple(_grant(connection, role, slug) for role, slug in grants)
        made = accounts.make(connection, Draft(login, accounts.line(name, "name")), held, _by(), at=service.now())
        return links.personal_link(service, connection, Purpose.JOIN, made)


def give(service: Service, login: str, role: Role, slug: str) -> bool:
    """Let somebody hold a role; False when he does."""
    with service.database.write() as connection:
        teams.lock(connection)
        person = _person(connection, login)
        return accounts.give(connection, person.id, _grant(connection, role, slug), _by(), at=service.now()) is not None


def reset(service: Service, login: str) -> str:
    """A link by which somebody chooses a password anew."""
    with service.database.write() as connection:
        person = _person(connection, login)
        if person.disabled_at is not None:
            raise UsageError(f"the account {person.login} is closed", advice=f"open it first: assay person enable {person.login}")
        accounts.note(connection, _by(), "link.created", person.id, at=service.now(), details={"purpose": "reset"})
        return links.personal_link(service, connection, Purpose.RESET, person.id)


def disable(service: Service, login: str) -> bool:
    """Close an account and end its sessions and tokens; False when it was closed."""
    now = service.now()
    with service.database.write() as connection:
        teams.lock(connection)
        person = _person(connection, login)
        if not people.disable(connection, person.id, now):
            return False
        if not teams.has_admin(connection):
            raise UsageError("nobody would be administrator any more", advice="assay person give <login> admin, for somebody else, first")
        sessions.revoke_all(connection, person.id, now)
        tokens.revoke_all(connection, person.id, now)
        accounts.note(connection, _by(), "person.disabled", person.id, at=now)
    return True


def enable(service: Service, login: str) -> bool:
    """Open an account again; False when it was open."""
    with service.database.write() as connection:
        person = _person(connection, login)
        if not people.disable(connection, person.id, None):
            return False
        accounts.note(connection, _by(), "person.enabled", person.id, at=service.now())
    return True


def _person(connection: sa.Connection, login: str) -> PersonRow:
    found = people.by_login(connection, accounts.login_of(login))
    if found is None:
        raise UsageError(f"nobody is called {login[:100]!r} here", advice="assay person list")
    return found


def _grant(connection: sa.Connection, role: Role, slug: str) -> Grant:
    if not slug:
        return Grant(role)
    team = teams.by_slug(connection, slug)
    if team is None:
        raise UsageError(f"there is no team {slug[:100]!r}", advice="make it first: POST /api/v1/teams")
    return Grant(role, team.id)


def _by() -> By:
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = "unknown"
    return By(f"{accounts.ON_THE_MACHINE.actor}:{account}")
