"""What a subject was before it was handed to another team, or came back after its end: so that figures of a past day keep to that day.

Guarantees: `remember` is called in the transaction that changes it, before the change; `then` gives what held at an instant, whatever
happened since. Who changes team or end of a subject otherwise changes the past.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.tables import subject, subject_past


class Past(Struct, frozen=True):
    """Of a subject, until a moment."""

    team: TeamId | None
    ended_at: Instant | None


def remember(connection: sa.Connection, which: sa.ColumnElement[bool], at: Instant) -> None:
    """Keep what these subjects are now, which ends at that moment."""
    now = sa.select(subject.c.id, sa.literal(at, subject_past.c.until.type), subject.c.team, subject.c.ended_at).where(which)
    connection.execute(subject_past.insert().from_select(["subject", "until", "team", "ended_at"], now))


def then(connection: sa.Connection, at: Instant) -> dict[int, Past]:
    """Subject -> what it was at the instant, of those that are something else now. Few: subjects change hands seldom."""
    c = subject_past.c
    query = sa.select(c.subject, c.team, c.ended_at).where(c.until > at).order_by(c.until.desc(), c.id.desc())
    return {row.subject: Past(row.team, row.ended_at) for row in connection.execute(query)}
