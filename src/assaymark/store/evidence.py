"""Evidence: statements about a digest that somebody brought or the server made, kept by their own digest.

Guarantees: rows only come; the same statement about the same digest of one team stands here once. A row says who brought it: what a job
brings is its word, named in an endorsement but never the reason for one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.digest import Digest
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.tables import endorsement_evidence
from assaymark.store.tables import evidence as table

c = table.c


class New(Struct, frozen=True):
    """What is brought."""

    digest: Digest
    """Of the statement in the blobs."""
    predicate: str
    """Its predicate type."""
    name: str
    subject_digest: str
    """``<algorithm>:<hex>`` of what it is about."""
    team: TeamId | None
    size: int
    failures: int
    """Of tests, where it tells of some."""
    brought_by: str
    person: PersonId | None
    at: Instant


class EvidenceRow(New, frozen=True, kw_only=True):
    id: int


def add(connection: sa.Connection, new: New) -> int:
    """Its number; that of the same one where it was brought before."""
    same = (c.digest == new.digest, c.subject_digest == new.subject_digest, c.team.is_not_distinct_from(new.team), c.name == new.name)
    found = connection.execute(sa.select(c.id).where(*same, c.predicate == new.predicate).order_by(c.id).limit(1)).scalar()
    if found is not None:
        return int(found)
    row = {name: getattr(new, name) for name in New.__struct_fields__}
    return int(connection.execute(table.insert().returning(c.id), row).scalar_one())


def one(connection: sa.Connection, digest: str, teams: Teams) -> EvidenceRow | None:
    """By the statement's digest, when it is of a team that may be seen."""
    query = sa.select(table).where(c.digest == digest, *of_teams(c.team, teams)).order_by(c.id).limit(1)
    return next((_row(row) for row in connection.execute(query)), None)


def of_number(connection: sa.Connection, number: int) -> EvidenceRow | None:
    return next((_row(row) for row in connection.execute(sa.select(table).where(c.id == number))), None)


def about(connection: sa.Connection, subject_digest: str, team: TeamId | None) -> list[EvidenceRow]:
    """The newest of each predicate type and name that this team has about a digest."""
    query = sa.select(table).where(c.subject_digest == subject_digest, c.team.is_not_distinct_from(team)).order_by(c.id.desc())
    found: dict[tuple[str, str], EvidenceRow] = {}
    for row in connection.execute(query.limit(MOST_ROWS)):
        found.setdefault((row.predicate, row.name), _row(row))
    return sorted(found.values(), key=lambda each: each.id)


def page(connection: sa.Connection, teams: Teams, subject_digest: str, before: int | None, limit: int) -> list[EvidenceRow]:
    """The newest first; of one digest, where one is given."""
    query = sa.select(table).where(*of_teams(c.team, teams)).order_by(c.id.desc()).limit(limit)
    query = query.where(c.subject_digest == subject_digest) if subject_digest else query
    query = query.where(c.id < before) if before is not None else query
    return [_row(row) for row in connection.execute(query)]


def of_endorsement(connection: sa.Connection, number: int) -> list[EvidenceRow]:
    """What an endorsement names."""
    e = endorsement_evidence.c
    query = sa.select(table).join(endorsement_evidence, e.evidence == c.id).where(e.endorsement == number).order_by(c.id)
    return [_row(row) for row in connection.execute(query)]


def _row(row: Any) -> EvidenceRow:
    return EvidenceRow(**row._asdict())
