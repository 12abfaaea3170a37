"""Endorsements by milder rules than a policy in force asks for since: marks that only grow; what is withdrawn or over is left out."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store import bulk, withdrawals
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import endorsement, endorsement_doubt, policy_version, subject

e, d, p = endorsement.c, endorsement_doubt.c, policy_version.c


class DoubtRow(Struct, frozen=True):
    """One mark."""

    endorsement_id: int
    endorsement: str
    """Its name."""
    resource: str
    head: str
    subject: SubjectId
    subject_name: str
    team: TeamId | None
    policy_id: int
    policy: str
    version: str
    reason: str
    at: Instant


def add(connection: sa.Connection, found: Iterable[tuple[int, int, str]], at: Instant) -> None:
    """(endorsement, version of a policy, why), each pair once."""
    rows = sorted((number, policy, at, reason) for number, policy, reason in found)
    bulk.add_unless_there(connection, endorsement_doubt, ("endorsement", "policy", "at", "reason"), rows)


def in_force(now: Instant) -> sa.Select[tuple[int]]:
    """Ids of endorsements that nothing ended."""
    return withdrawals.not_withdrawn(sa.select(e.id).where(e.expires_at > now))


def page(connection: sa.Connection, teams: Teams, now: Instant, *, before: tuple[int, int] | None, limit: int) -> list[DoubtRow]:
    """The newest endorsements first."""
    columns = (
        e.id.label("endorsement_id"), e.digest.label("endorsement"), e.resource, e.head, e.subject, subject.c.name.label("subject_name"),
        e.team, p.id.label("policy_id"), p.name.label("policy"), p.version, d.reason, d.at,
    )  # fmt: skip
    query = sa.select(*columns).select_from(endorsement_doubt).join(endorsement, e.id == d.endorsement)
    query = query.join(subject, subject.c.id == e.subject).join(policy_version, p.id == d.policy)
    query = query.where(e.id.in_(in_force(now)), *of_teams(e.team, teams))
    if before is not None:
        query = query.where(sa.tuple_(d.endorsement, d.policy) < sa.tuple_(*(sa.literal(value) for value in before)))
    rows = connection.execute(query.order_by(d.endorsement.desc(), d.policy.desc()).limit(limit))
    return [DoubtRow(**row._asdict()) for row in rows]
