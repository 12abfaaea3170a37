"""People: the accounts themselves. What they may do is in `teams`, what they come with in `sessions`, `tokens`, `passkeys`, `federation`.

Guarantees: a login stands once; a person is never deleted, because the trail names him, but disabled. Knows no password, only its hash.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.store.tables import membership
from assaymark.store.tables import person as table

_HANDLE = 32


class PersonRow(Struct, frozen=True):
    """An account."""

    id: PersonId
    login: str
    name: str
    email: str
    created_at: Instant
    disabled_at: Instant | None


class Draft(Struct, frozen=True):
    """What a new account is made of."""

    login: str
    name: str = ""
    email: str = ""
    password: str | None = None
    """Hash in PHC form; none for those who come in another way."""


_columns = (table.c.id, table.c.login, table.c.name, table.c.email, table.c.created_at, table.c.disabled_at)


def add(connection: sa.Connection, draft: Draft, *, at: Instant) -> PersonId | None:
    """A new account; None when the login is taken."""
    if connection.execute(sa.select(table.c.id).where(table.c.login == draft.login)).first():
        return None
    row = {"login": draft.login, "name": draft.name, "email": draft.email, "password": draft.password, "created_at": at}
    made = connection.execute(table.insert().returning(table.c.id), row | {"handle": secrets.token_bytes(_HANDLE)}).scalar_one()
    return PersonId(made)


def anybody(connection: sa.Connection) -> bool:
    """Whether there is any account, disabled or not."""
    return connection.execute(sa.select(table.c.id).limit(1)).first() is not None


def get(connection: sa.Connection, person: PersonId) -> PersonRow | None:
    """The account."""
    return _one(connection, table.c.id == person)


def by_login(connection: sa.Connection, login: str) -> PersonRow | None:
    """The account of a login, written as it was normalised."""
    return _one(connection, table.c.login == login)


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> PersonRow | None:
    row = connection.execute(sa.select(*_columns).where(condition)).first()
    return PersonRow(*row) if row else None


def page(connection: sa.Connection, *, after: str, limit: int, teams: frozenset[TeamId] | None, words: str = "") -> list[PersonRow]:
    """In order of their logins, after this one; only those who hold a role in one of the teams, unless None."""
    query = sa.select(*_columns).where(table.c.login > after).order_by(table.c.login).limit(limit)
    if teams is not None:
        query = query.where(table.c.id.in_(sa.select(membership.c.person).where(membership.c.team.in_(teams))))
    if words:
        query = query.where(table.c.login.startswith(words, autoescape=True))
    return [PersonRow(*row) for row in connection.execute(query)]


def password_of(connection: sa.Connection, person: PersonId) -> str | None:
    """The hash; None when he has none."""
    return connection.execute(sa.select(table.c.password).where(table.c.id == person)).scalar()


def set_password(connection: sa.Connection, person: PersonId, hashed: str) -> None:
    """Another hash."""
    connection.execute(table.update().where(table.c.id == person).values(password=hashed))


def describe(connection: sa.Connection, person: PersonId, *, name: str, email: str) -> None:
    """Another name and address; the login stays, because the trail names it."""
    connection.execute(table.update().where(table.c.id == person).values(name=name, email=email))


def disable(connection: sa.Connection, person: PersonId, at: Instant | None) -> bool:
    """Close the account, or (None) open it again; False when it was so before."""
    now = table.c.disabled_at.is_(None) if at is not None else table.c.disabled_at.is_not(None)
    done = connection.execute(table.update().where(table.c.id == person, now).values(disabled_at=at).returning(table.c.id))
    return done.first() is not None


def handle_of(connection: sa.Connection, person: PersonId) -> bytes:
    """Random bytes by which authenticators know him; they say nothing of him."""
    found: bytes = connection.execute(sa.select(table.c.handle).where(table.c.id == person)).scalar_one()
    return found
