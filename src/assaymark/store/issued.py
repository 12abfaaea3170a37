"""Reports that were issued, and links that let somebody read one of them for a while without an account.

Guarantees: a report is never changed or removed; a link is known only to who was given it (kept is its digest), ends by itself, and can be
ended before.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.digest import Digest
from assaymark.store.narrowing import Teams
from assaymark.store.tables import issued_report as table
from assaymark.store.tables import issued_report_link as links


class IssuedRow(Struct, frozen=True):
    """As it was issued; digests of what is kept."""

    id: int
    issued_at: Instant
    as_of: Instant
    team: TeamId | None
    """None: of everything."""
    cause: str
    """``weekly <day>`` or ``monthly <day>`` where the schedule issued it; empty where a person did."""
    person: PersonId | None
    html: Digest
    pdf: str
    """Empty where no PDF could be made."""
    figures: Digest
    envelope: Digest
    keyid: str


class IssuedLinkRow(Struct, frozen=True):
    id: int
    report: int
    person: PersonId | None
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None


_columns = tuple(table.c[name] for name in IssuedRow.__struct_fields__)
_link = tuple(links.c[name] for name in IssuedLinkRow.__struct_fields__)


def add(connection: sa.Connection, row: IssuedRow) -> int:
    """Keep it; its number."""
    values = {name: getattr(row, name) for name in IssuedRow.__struct_fields__ if name != "id"}
    return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())


def get(connection: sa.Connection, number: int) -> IssuedRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.id == number)).first()
    return IssuedRow(*row) if row else None


def page(connection: sa.Connection, teams: Teams, *, before: int | None, limit: int) -> list[IssuedRow]:
    """Newest first: of these teams; of everything only for who may see everything."""
    query = sa.select(*_columns).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    if teams is not None:
        query = query.where(table.c.team.in_(sorted(teams)))
    return [IssuedRow(*row) for row in connection.execute(query)]


def is_issued(connection: sa.Connection, team: TeamId | None, cause: str) -> bool:
    """Whether the schedule issued it already."""
    whose = table.c.team.is_(None) if team is None else table.c.team == team
    return connection.execute(sa.select(table.c.id).where(whose, table.c.cause == cause).limit(1)).first() is not None


def add_link(connection: sa.Connection, hashed: str, row: IssuedLinkRow) -> int:
    values = {"hash": hashed, "report": row.report, "person": row.person, "created_at": row.created_at, "expires_at": row.expires_at}
    return int(connection.execute(links.insert().returning(links.c.id), values).scalar_one())


def links_of(connection: sa.Connection, number: int) -> list[IssuedLinkRow]:
    """Newest first, at most a hundred."""
    query = sa.select(*_link).where(links.c.report == number).order_by(links.c.id.desc()).limit(100)
    return [IssuedLinkRow(*row) for row in connection.execute(query)]


def end_link(connection: sa.Connection, number: int, link: int, at: Instant) -> bool:
    """False when there is none of this report that holds."""
    mine = (links.c.id == link, links.c.report == number, links.c.revoked_at.is_(None))
    return connection.execute(links.update().where(*mine).values(revoked_at=at)).rowcount == 1


def by_link(connection: sa.Connection, hashed: str, at: Instant) -> IssuedRow | None:
    """The report that a link lets read now."""
    query = sa.select(*_columns).join(links, links.c.report == table.c.id)
    row = connection.execute(query.where(links.c.hash == hashed, links.c.expires_at > at, links.c.revoked_at.is_(None))).first()
    return IssuedRow(*row) if row else None
