"""Passkeys of people: public keys, and the counters by which a copied authenticator is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import Instant
from assaymark.store.tables import passkey as table


class PasskeyRow(Struct, frozen=True):
    id: int
    person: PersonId
    credential: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: Instant
    used_at: Instant | None


_columns = tuple(table.c[name] for name in PasskeyRow.__struct_fields__)


def add(connection: sa.Connection, row: PasskeyRow) -> int | None:
    """A new one, its id is not read; None when the credential is known."""
    if by_credential(connection, row.credential) is not None:
        return None
    names = ("person", "credential", "public_key", "sign_count", "name", "created_at")
    made: int = connection.execute(table.insert().returning(table.c.id), {name: getattr(row, name) for name in names}).scalar_one()
    return made


def by_credential(connection: sa.Connection, credential: bytes) -> PasskeyRow | None:
    """The passkey that an authenticator names."""
    return _one(connection, table.c.credential == credential)


def get(connection: sa.Connection, passkey: int) -> PasskeyRow | None:
    return _one(connection, table.c.id == passkey)


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> PasskeyRow | None:
    row = connection.execute(sa.select(*_columns).where(condition)).first()
    return PasskeyRow(*row) if row else None


def of_person(connection: sa.Connection, person: PersonId) -> list[PasskeyRow]:
    """Somebody's, oldest first; a person has few."""
    query = sa.select(*_columns).where(table.c.person == person).order_by(table.c.id).limit(100)
    return [PasskeyRow(*row) for row in connection.execute(query)]


def used(connection: sa.Connection, row: PasskeyRow, sign_count: int, at: Instant) -> bool:
    """Write the counter; False when another sign-in was quicker with the same one."""
    query = table.update().where(table.c.id == row.id, table.c.sign_count == row.sign_count).values(sign_count=sign_count, used_at=at)
    return connection.execute(query.returning(table.c.id)).first() is not None


def remove(connection: sa.Connection, passkey: int) -> None:
    """Forget it: it opens nothing any more."""
    connection.execute(table.delete().where(table.c.id == passkey))
