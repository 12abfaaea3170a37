"""A subject is no more: what stood open in it ends with it, because there is nothing left in which it could stand.

Guarantees: part of the caller's transaction; nothing that was closed before is touched; when the subject comes back, what is found in it
then begins anew.
"""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.model.assessment import Instant
from assaymark.store.recording import note_posture
from assaymark.store.tables import occurrence, subject


def depart(connection: sa.Connection, which: sa.ColumnElement[bool], at: Instant) -> None:
    """Close whatever stands open in the subjects of this condition."""
    c = occurrence.c
    asked = sa.select(c.subject).distinct().where(c.subject.in_(sa.select(subject.c.id).where(which)), c.closed_at.is_(None))
    for (number,) in connection.execute(asked.order_by(c.subject)).all():
        connection.execute(occurrence.update().where(c.subject == number, c.closed_at.is_(None)).values(closed_at=at))
        counts = note_posture(connection, number, at)
        connection.execute(subject.update().where(subject.c.id == number).values(counts))
