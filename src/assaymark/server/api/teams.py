"""Teams, and who holds which role in them.

Guarantees: a role is given by whoever has people:write in that team and may himself do all that the role allows there; there is always
somebody who is administrator everywhere and not disabled.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Grant, Permission, Role, TeamId
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Created, Nothing, Page, Router
from assaymark.server.people import accounts
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.store import people, teams, trail
from assaymark.store.teams import MembershipRow, TeamRow
from assaymark.store.trail import Action

router = Router("teams")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@router.add("GET", "/teams", None)
def list_teams(call: Call, after: str | None = None, limit: int = 50) -> Page[TeamRow]:
    """Teams in which you hold a role, by their slugs; all of them when it holds everywhere."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (str,))[0] if after else ""
    with call.service.database.read() as connection:
        rows = teams.page(connection, after=start, limit=limit + 1, teams=_of(call))
    return page_of(rows, limit, "slug")


def _of(call: Call) -> frozenset[TeamId] | None:
    found = [grant.team for grant in call.who.grants]
    return None if None in found else frozenset(team for team in found if team is not None)


class NewTeam(Struct, frozen=True, forbid_unknown_fields=True):
    slug: str
    """Small letters, digits and hyphens; stays for ever."""
    name: str = ""


@router.add("POST", "/teams", Permission.PEOPLE_WRITE, status=201)
def create_team(call: Call, body: NewTeam) -> Created:
    """Make a team; needs people:write everywhere."""
    call.need(Permission.PEOPLE_WRITE, None)
    if not _SLUG.fullmatch(body.slug):
        raise invalid("slug has small letters, digits and hyphens, at most 64, with a letter or digit at both ends")
    with call.service.database.write() as connection:
        name = accounts.line(body.name, "name") or body.slug
        team = teams.add(connection, body.slug, name, at=call.service.now())
        if team is None:
            raise conflict(f"there is a team {body.slug}")
        _note(call, connection, "team.created", team)
    return Created(team)


@router.add("GET", "/teams/{team}", None)
def get_team(call: Call, team: int) -> TeamRow:
    """A team in which you hold a role."""
    with call.service.database.read() as connection:
        return _visible(call, connection, team)


class TeamChange(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@router.add("PATCH", "/teams/{team}", Permission.PEOPLE_WRITE)
def rename_team(call: Call, team: int, body: TeamChange) -> TeamRow:
    """Give a team another name."""
    with call.service.database.write() as connection:
        found = _visible(call, connection, team)
        call.need(Permission.PEOPLE_WRITE, found.id)
        teams.rename(connection, found.id, accounts.line(body.name, "name") or found.slug)
        _note(call, connection, "team.renamed", found.id)
        return _visible(call, connection, team)


def _visible(call: Call, connection: sa.Connection, team: int) -> TeamRow:
    allowed = _of(call)
    found = teams.get(connection, TeamId(team)) if allowed is None or team in allowed else None
    if found is None:
        raise not_found("this team")
    return found


def _note(call: Call, connection: sa.Connection, action: str, team: TeamId) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "team", str(team), team, by.origin)
    trail.record(connection, done)


# --- roles -----------------------------------------------------------------------------------------------------------


@router.add("GET", "/memberships", Permission.PEOPLE_READ)
def list_memberships(call: Call, team: int | None = None, after: str | None = None, limit: int = 50) -> Page[MembershipRow]:
    """Who holds a role in a team; without a team, who holds one everywhere."""
    limit = rights.limited(limit)
    where = None if team is None else TeamId(team)
    if not call.who.may(Permission.PEOPLE_READ, where):
        raise not_found("this team")
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as connection:
        rows = teams.members(connection, where, after=start, limit=limit + 1)
    return page_of(rows, limit)


class NewMembership(Struct, frozen=True, forbid_unknown_fields=True):
    login: str
    role: Role
    team: int | None = None
    """In all teams, and on what has none, without it."""


@router.add("POST", "/memberships", Permission.PEOPLE_WRITE, status=201)
def give_role(call: Call, body: NewMembership) -> Created:
    """Let somebody hold a role; you need people:write there, and everything that the role allows."""
    grant = Grant(body.role, None if body.team is None else TeamId(body.team))
    call.need(Permission.PEOPLE_WRITE, grant.team)
    rights.need_cover(call, (grant,))
    with call.service.database.write() as connection:
        teams.lock(connection)
        if grant.team is not None and teams.get(connection, grant.team) is None:
            raise not_found("this team")
        person = people.by_login(connection, accounts.login_of(body.login))
        if person is None:
            raise not_found("this person")
        made = accounts.give(connection, person.id, grant, rights.by(call), at=call.service.now())
        if made is None:
            raise conflict("he holds this role there")
    return Created(made)


@router.add("DELETE", "/memberships/{membership}", Permission.PEOPLE_WRITE, status=204)
def take_role(call: Call, membership: int) -> Nothing:
    """End a role that was given by hand; you need people:write there."""
    with call.service.database.write() as connection:
        teams.lock(connection)
        row = teams.member(connection, membership)
        if row is None or not call.who.may(Permission.PEOPLE_WRITE, row.team):
            raise not_found("this membership")
        if row.source != teams.LOCAL:
            raise conflict("a group of an identity provider gives this role", "take the person out of the group, or end its mapping")
        teams.take(connection, [row.id])
        need_admin(connection)
        grant = Grant(row.role, row.team)
        accounts.note(connection, rights.by(call), "role.taken", row.person, grant=grant, at=call.service.now())
    return Nothing()


def need_admin(connection: sa.Connection) -> None:
    """Raise, which takes the transaction back, when nobody is administrator any more."""
    if not teams.has_admin(connection):
        raise conflict("nobody would be administrator any more", "make somebody else administrator everywhere first")
