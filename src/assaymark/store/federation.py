"""Which account an identity of a provider belongs to. Known by (issuer, subject) and by nothing that may pass to somebody else."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import Instant
from assaymark.store.tables import federated_identity as table


class IdentityRow(Struct, frozen=True):
    id: int
    person: PersonId
    issuer: str
    subject: str
    created_at: Instant


_columns = tuple(table.c[name] for name in IdentityRow.__struct_fields__)


def person_of(connection: sa.Connection, issuer: str, subject: str) -> PersonId | None:
    """Whose it is."""
    found = connection.execute(sa.select(table.c.person).where(table.c.issuer == issuer, table.c.subject == subject)).scalar()
    return None if found is None else PersonId(found)


def link(connection: sa.Connection, person: PersonId, issuer: str, subject: str, *, at: Instant) -> None:
    """Let it be his; it must be nobody's."""
    connection.execute(table.insert(), {"person": person, "issuer": issuer, "subject": subject, "created_at": at})


def of_person(connection: sa.Connection, person: PersonId) -> list[IdentityRow]:
    """Somebody's identities; a few."""
    query = sa.select(*_columns).where(table.c.person == person).order_by(table.c.id).limit(100)
    return [IdentityRow(*row) for row in connection.execute(query)]


def get(connection: sa.Connection, identity: int) -> IdentityRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.id == identity)).first()
    return IdentityRow(*row) if row else None


def unlink(connection: sa.Connection, identity: int) -> None:
    """It is nobody's from now on."""
    connection.execute(table.delete().where(table.c.id == identity))
