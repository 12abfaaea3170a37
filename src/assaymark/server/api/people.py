"""Accounts of people.

Guarantees: what touches a whole account (its state, a new link, its sessions) needs people:write everywhere, because an account has roles
in many teams; whoever makes a link, by which one comes into an account, has himself all that the account may do.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Grant, Permission, PersonId, Role, TeamId
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.api.teams import need_admin
from assaymark.server.people import accounts, links
from assaymark.server.problem import conflict, forbidden, not_found
from assaymark.store import people, sessions, teams, tokens
from assaymark.store.invitations import Purpose
from assaymark.store.people import Draft, PersonRow

router = Router("people")


@router.add("GET", "/people", Permission.PEOPLE_READ)
def list_people(call: Call, begins: str = "", after: str | None = None, limit: int = 50) -> Page[PersonRow]:
    """Accounts by their logins: all, or those with a role in a team of which you may see people."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (str,))[0] if after else ""
    visible = call.who.teams_with(Permission.PEOPLE_READ)
    with call.service.database.read() as connection:
        rows = people.page(connection, after=start, limit=limit + 1, teams=visible, words=begins)
    return page_of(rows, limit, "login")


class RoleView(Struct, frozen=True):
    membership: int
    role: Role
    team: int | None
    source: str
    """``local``, or the issuer whose group gives it."""


class PersonView(Struct, frozen=True):
    id: PersonId
    login: str
    name: str
    email: str
    created_at: Instant
    disabled_at: Instant | None
    roles: tuple[RoleView, ...]
    """In teams of which you may see people."""


@router.add("GET", "/people/{person}", Permission.PEOPLE_READ)
def get_person(call: Call, person: int) -> PersonView:
    """An account with its roles."""
    with call.service.database.read() as connection:
        return _view(call, connection, person)


def _view(call: Call, connection: sa.Connection, person: int) -> PersonView:
    row = people.get(connection, PersonId(person))
    held = [] if row is None else teams.memberships_of(connection, row.id)
    visible = call.who.teams_with(Permission.PEOPLE_READ)
    shown = tuple(RoleView(each.id, each.role, each.team, each.source) for each in held if visible is None or each.team in visible)
    if row is None or (visible is not None and not shown and row.id != call.who.person):
        raise not_found("this person")
    return PersonView(row.id, row.login, row.name, row.email, row.created_at, row.disabled_at, shown)


class RoleWish(Struct, frozen=True, forbid_unknown_fields=True):
    role: Role
    team: int | None = None


class NewPerson(Struct, frozen=True, forbid_unknown_fields=True):
    login: str
    name: str = ""
    email: str = ""
    roles: tuple[RoleWish, ...] = ()
    invite: bool = True
    """Make a one-time link by which he chooses a password; not for accounts that only hold tokens or come by an identity provider."""


class Invited(Struct, frozen=True):
    id: PersonId
    link: str | None
    """Shown this once; it works once, within seven days."""

    def __repr__(self) -> str:
        return f"Invited({self.id})"


@router.add("POST", "/people", Permission.PEOPLE_WRITE, status=201)
def create_person(call: Call, body: NewPerson) -> Invited:
    """Make an account with roles that you may give, and a link to join."""
    login = accounts.login_of(body.login)
    draft = Draft(login, accounts.line(body.name, "name"), accounts.line(body.email, "address"))
    grants = tuple(dict.fromkeys(Grant(each.role, None if each.team is None else TeamId(each.team)) for each in body.roles))
    if not grants and not call.who.may(Permission.PEOPLE_WRITE, None):
        raise forbidden(Permission.PEOPLE_WRITE)
    for grant in grants:
        call.need(Permission.PEOPLE_WRITE, grant.team)
    rights.need_cover(call, grants)
    now = call.service.now()
    with call.service.database.write() as connection:
        if people.by_login(connection, login) is not None:
            raise conflict(f"the login {login} is taken")
        if any(grant.team is not None and teams.get(connection, grant.team) is None for grant in grants):
            raise not_found("this team")
        person = accounts.make(connection, draft, grants, rights.by(call), at=now)
        return Invited(person, _link(call, connection, Purpose.JOIN, person) if body.invite else None)


class PersonChange(Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    email: str | None = None


@router.add("PATCH", "/people/{person}", None)
def change_person(call: Call, person: int, body: PersonChange) -> PersonRow:
    """Another name or address, of your own account or with people:write everywhere."""
    with call.service.database.write() as connection:
        row = _own(call, connection, person)
        name = row.name if body.name is None else accounts.line(body.name, "name")
        email = row.email if body.email is None else accounts.line(body.email, "address")
        people.describe(connection, row.id, name=name, email=email)
        accounts.note(connection, rights.by(call), "person.changed", row.id, at=call.service.now())
        return PersonRow(row.id, row.login, name, email, row.created_at, row.disabled_at)


def _own(call: Call, connection: sa.Connection, person: int) -> PersonRow:
    row = people.get(connection, PersonId(person))
    if row is None or not rights.is_his(call, row.id):
        raise not_found("this person")
    return row


@router.add("POST", "/people/{person}/disable", Permission.PEOPLE_WRITE, status=204)
def disable_person(call: Call, person: int) -> Nothing:
    """Close an account: its sessions and tokens end at once and for good."""
    with call.service.database.write() as connection:
        teams.lock(connection)
        row = _any(call, connection, person)
        now = call.service.now()
        if people.disable(connection, row.id, now):
            need_admin(connection)
            _end_all(connection, row.id, now)
            accounts.note(connection, rights.by(call), "person.disabled", row.id, at=now)
    return Nothing()


@router.add("POST", "/people/{person}/enable", Permission.PEOPLE_WRITE, status=204)
def enable_person(call: Call, person: int) -> Nothing:
    """Open an account again."""
    with call.service.database.write() as connection:
        row = _any(call, connection, person)
        rights.need_cover(call, teams.grants_of(connection, row.id))
        if people.disable(connection, row.id, None):
            accounts.note(connection, rights.by(call), "person.enabled", row.id, at=call.service.now())
    return Nothing()


@router.add("POST", "/people/{person}/link", Permission.PEOPLE_WRITE, status=201)
def reset_person(call: Call, person: int) -> Invited:
    """Make a one-time link by which he chooses a password anew; the one before no longer works."""
    with call.service.database.write() as connection:
        row = _any(call, connection, person)
        rights.need_cover(call, teams.grants_of(connection, row.id))
        if row.disabled_at is not None:
            raise conflict("the account is closed", "open it first: POST /people/{person}/enable")
        accounts.note(connection, rights.by(call), "link.created", row.id, at=call.service.now(), details={"purpose": "reset"})
        return Invited(row.id, _link(call, connection, Purpose.RESET, row.id))


def _link(call: Call, connection: sa.Connection, purpose: Purpose, person: PersonId) -> str:
    may_all = rights.covers(call.who, (accounts.ADMIN_EVERYWHERE,))
    within = None if may_all else teams.grants_of(connection, person)
    return links.personal_link(call.service, connection, purpose, person, within=within)


@router.add("POST", "/people/{person}/end", Permission.PEOPLE_WRITE, status=204)
def end_everything(call: Call, person: int) -> Nothing:
    """End all sessions and tokens of somebody."""
    with call.service.database.write() as connection:
        row = _any(call, connection, person)
        now = call.service.now()
        _end_all(connection, row.id, now)
        accounts.note(connection, rights.by(call), "sessions.ended", row.id, at=now, details={"tokens": "too"})
    return Nothing()


def _any(call: Call, connection: sa.Connection, person: int) -> PersonRow:
    """Anybody's account, for those who may touch whole accounts."""
    call.need(Permission.PEOPLE_WRITE, None)
    row = people.get(connection, PersonId(person))
    if row is None:
        raise not_found("this person")
    return row


def _end_all(connection: sa.Connection, person: PersonId, at: Instant) -> None:
    sessions.revoke_all(connection, person, at)
    tokens.revoke_all(connection, person, at)
