"""Teams, and who holds which role in which: by hand (``local``) or by a group of an identity provider (its issuer).

Guarantees: `lock` makes questions like "is he the last administrator" and the change that depends on it one step, on both databases.
A team is never deleted, because what happened names it.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Role, TeamId
from assaymark.model.assessment import Instant
from assaymark.store.tables import group_mapping, membership, person
from assaymark.store.tables import team as table

LOCAL = "local"
_LOCK = 0x726F6C6573


class TeamRow(Struct, frozen=True):
    id: TeamId
    slug: str
    name: str
    created_at: Instant


class MembershipRow(Struct, frozen=True):
    """A role that somebody holds."""

    id: int
    person: PersonId
    login: str
    team: TeamId | None
    """None: in all teams, and on what has none."""
    role: Role
    source: str
    """``local``, or the issuer whose group gave it."""
    created_at: Instant


class MappingRow(Struct, frozen=True):
    """Who is in this group holds this role."""

    id: int
    issuer: str
    group: str
    team: TeamId | None
    role: Role


_team = (table.c.id, table.c.slug, table.c.name, table.c.created_at)
_member = (
    membership.c.id,
    membership.c.person,
    person.c.login,
    membership.c.team,
    membership.c.role,
    membership.c.source,
    membership.c.created_at,
)


def lock(connection: sa.Connection) -> None:
    """Nobody else changes roles until this transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def add(connection: sa.Connection, slug: str, name: str, *, at: Instant) -> TeamId | None:
    """A new team; None when the slug is taken."""
    if connection.execute(sa.select(table.c.id).where(table.c.slug == slug)).first():
        return None
    row = {"slug": slug, "name": name, "created_at": at}
    return TeamId(connection.execute(table.insert().returning(table.c.id), row).scalar_one())


def get(connection: sa.Connection, team: TeamId) -> TeamRow | None:
    row = connection.execute(sa.select(*_team).where(table.c.id == team)).first()
    return TeamRow(*row) if row else None


def by_slug(connection: sa.Connection, slug: str) -> TeamRow | None:
    row = connection.execute(sa.select(*_team).where(table.c.slug == slug)).first()
    return TeamRow(*row) if row else None


def rename(connection: sa.Connection, team: TeamId, name: str) -> None:
    """Another name; the slug stays."""
    connection.execute(table.update().where(table.c.id == team).values(name=name))


def page(connection: sa.Connection, *, after: str, limit: int, teams: frozenset[TeamId] | None) -> list[TeamRow]:
    """In order of their slugs, after this one; only these teams, unless None."""
    query = sa.select(*_team).where(table.c.slug > after).order_by(table.c.slug).limit(limit)
    if teams is not None:
        query = query.where(table.c.id.in_(teams))
    return [TeamRow(*row) for row in connection.execute(query)]


# --- roles -----------------------------------------------------------------------------------------------------------


def grants_of(connection: sa.Connection, holder: PersonId) -> tuple[Grant, ...]:
    """What somebody holds now; the same role by two ways stands once."""
    query = sa.select(membership.c.role, membership.c.team).where(membership.c.person == holder).distinct()
    found = [Grant(Role(role), None if team is None else TeamId(team)) for role, team in connection.execute(query)]
    return tuple(sorted(found, key=lambda grant: (grant.role, grant.team or 0)))


def give(connection: sa.Connection, holder: PersonId, grant: Grant, *, source: str, at: Instant) -> int | None:
    """Let him hold a role; None when he does already by the same way."""
    same = sa.select(membership.c.id).where(
        membership.c.person == holder,
        membership.c.role == grant.role.value,
        membership.c.team.is_(None) if grant.team is None else membership.c.team == grant.team,
        membership.c.source == source,
    )
    if connection.execute(same).first():
        return None
    row = {"person": holder, "team": grant.team, "role": grant.role.value, "source": source, "created_at": at}
    made: int = connection.execute(membership.insert().returning(membership.c.id), row).scalar_one()
    return made


def take(connection: sa.Connection, ids: Iterable[int]) -> None:
    """End memberships."""
    connection.execute(membership.delete().where(membership.c.id.in_(list(ids))))


def member(connection: sa.Connection, membership_id: int) -> MembershipRow | None:
    """One membership."""
    found = _members(connection, membership.c.id == membership_id, after=0, limit=1)
    return found[0] if found else None


def members(connection: sa.Connection, team: TeamId | None, *, after: int, limit: int) -> list[MembershipRow]:
    """Who holds a role in this team, or (None) everywhere."""
    return _members(connection, membership.c.team.is_(None) if team is None else membership.c.team == team, after=after, limit=limit)


def memberships_of(connection: sa.Connection, holder: PersonId) -> list[MembershipRow]:
    """All that somebody holds, with where it is from; one person's are few."""
    return _members(connection, membership.c.person == holder, after=0, limit=1000)


def _members(connection: sa.Connection, condition: sa.ColumnElement[bool], *, after: int, limit: int) -> list[MembershipRow]:
    query = sa.select(*_member).join(person, person.c.id == membership.c.person).where(condition, membership.c.id > after)
    return [
        MembershipRow(row[0], PersonId(row[1]), row[2], row[3], Role(row[4]), row[5], row[6])
        for row in connection.execute(query.order_by(membership.c.id).limit(limit))
    ]


def holders(connection: sa.Connection, permission: Permission, team: TeamId | None, *, limit: int = 20) -> tuple[str, ...]:
    """Logins of those who may do this on something of the team, and are not disabled: those of the team first."""
    roles = [role.value for role in Role if permission in GRANTS[role]]
    c = membership.c
    where = c.team.is_(None) if team is None else sa.or_(c.team == team, c.team.is_(None))
    query = sa.select(person.c.login, sa.func.min(sa.case((c.team.is_(None), 1), else_=0)).label("far"))
    query = query.join(person, person.c.id == c.person).where(where, c.role.in_(roles), person.c.disabled_at.is_(None))
    query = query.group_by(person.c.login).order_by(sa.text("far"), person.c.login).limit(limit)
    return tuple(connection.execute(query).scalars())


def has_admin(connection: sa.Connection) -> bool:
    """Whether anybody who is not disabled is administrator everywhere."""
    query = sa.select(membership.c.id).join(person, person.c.id == membership.c.person)
    query = query.where(membership.c.role == Role.ADMIN.value, membership.c.team.is_(None), person.c.disabled_at.is_(None))
    return connection.execute(query.limit(1)).first() is not None


# --- groups of identity providers ------------------------------------------------------------------------------------


def map_group(connection: sa.Connection, mapping: MappingRow, *, at: Instant) -> int:
    """Add a mapping; its id is not read."""
    row = {"issuer": mapping.issuer, "group_name": mapping.group, "team": mapping.team, "role": mapping.role.value, "created_at": at}
    made: int = connection.execute(group_mapping.insert().returning(group_mapping.c.id), row).scalar_one()
    return made


def mapping(connection: sa.Connection, mapping_id: int) -> MappingRow | None:
    found = _mappings(connection, group_mapping.c.id == mapping_id)
    return found[0] if found else None


def mappings(connection: sa.Connection, *, after: int, limit: int, teams: frozenset[TeamId] | None) -> list[MappingRow]:
    """In the order in which they were made; only those that give something in these teams, unless None."""
    later = group_mapping.c.id > after
    return _mappings(connection, later if teams is None else sa.and_(later, group_mapping.c.team.in_(teams)), limit=limit)


def mapped(connection: sa.Connection, issuer: str, groups: Iterable[str]) -> frozenset[Grant]:
    """What these groups of an issuer give."""
    found = _mappings(connection, sa.and_(group_mapping.c.issuer == issuer, group_mapping.c.group_name.in_(list(groups))))
    return frozenset(Grant(each.role, each.team) for each in found)


def unmap(connection: sa.Connection, mapping_id: int) -> None:
    """Forget a mapping; memberships that it gave end at the next sign-in."""
    connection.execute(group_mapping.delete().where(group_mapping.c.id == mapping_id))


def _mappings(connection: sa.Connection, condition: sa.ColumnElement[bool], *, limit: int = 1000) -> list[MappingRow]:
    names = (group_mapping.c.id, group_mapping.c.issuer, group_mapping.c.group_name, group_mapping.c.team, group_mapping.c.role)
    query = sa.select(*names).where(condition).order_by(group_mapping.c.id).limit(limit)
    return [MappingRow(row[0], row[1], row[2], row[3], Role(row[4])) for row in connection.execute(query)]


def replace_from(connection: sa.Connection, holder: PersonId, source: str, grants: frozenset[Grant], *, at: Instant) -> list[str]:
    """Make what one source gives somebody exactly this; gives what changed, as words."""
    held = {Grant(each.role, each.team): each for each in memberships_of(connection, holder) if each.source == source}
    take(connection, [each.id for grant, each in held.items() if grant not in grants])
    for grant in grants - held.keys():
        give(connection, holder, grant, source=source, at=at)
    gone, come = held.keys() - grants, grants - held.keys()
    return sorted([f"-{_words(grant)}" for grant in gone] + [f"+{_words(grant)}" for grant in come])


def take_from(connection: sa.Connection, source: str) -> None:
    """End all that one source gave, and forget its mappings."""
    connection.execute(membership.delete().where(membership.c.source == source))
    connection.execute(group_mapping.delete().where(group_mapping.c.issuer == source))


def _words(grant: Grant) -> str:
    return f"{grant.role.value}@{'*' if grant.team is None else grant.team}"
