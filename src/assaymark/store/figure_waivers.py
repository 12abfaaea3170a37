"""Exceptions that end soon: what is let through as of an instant, and the last day on which it is.

Guarantees: read from rows that do not change; bounded: of more than `MOST_READ` let-through findings the worst and newest are read, and it
is said that there are more.
"""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.model.severity import Severity
from assaymark.store import figure_lists
from assaymark.store.figure_lists import Asked, Named
from assaymark.store.figures import Scope
from assaymark.store.recording import Detail
from assaymark.store.tables import finding, occurrence, subject

MOST_READ = 20_000
_c = occurrence.c
_BY_RANK = tuple(Severity)


class Ending(Struct, frozen=True):
    """An exception."""

    occurrence: int
    severity: Severity
    title: str
    subject: str
    """Its name today."""
    why: str
    until: str
    """Its last day."""


class Endings(Struct, frozen=True):
    """The first ones to end, and how many there are."""

    rows: tuple[Ending, ...]
    soon: int
    """End within the days that were asked for."""
    endless: int
    """Are let through without an end."""
    complete: bool


def ending(connection: sa.Connection, scope: Scope, at: Instant, *, days: int = 90, most: int = 20) -> Endings:
    """Those that end within so many days after the instant, the first to end first."""
    asked = Asked(Named.WAIVED, scope, at)
    query = sa.select(_c.id, _c.severity, _c.detail).where(*figure_lists.conditions(connection, asked))
    rows = connection.execute(query.order_by(_c.severity.desc(), _c.since.desc(), _c.id.desc()).limit(MOST_READ + 1)).all()
    today = dt.datetime.fromtimestamp(at / 1e6, dt.UTC).date()
    last = (today + dt.timedelta(days=days)).isoformat()
    told = [(msgspec.json.decode(row.detail, type=Detail), row) for row in rows[:MOST_READ]]
    soon = sorted((detail.waived_until, -row.severity, row.id, detail.waiver) for detail, row in told if "" < detail.waived_until <= last)
    endless = sum(not detail.waived_until for detail, _ in told)
    shown = {number: (until, why) for until, _, number, why in soon[:most]}
    named = sa.select(_c.id, _c.severity, finding.c.title, subject.c.name).join(finding, finding.c.id == _c.finding)
    named = named.join(subject, subject.c.id == _c.subject).where(_c.id.in_(list(shown)))
    made = {row.id: Ending(row.id, _BY_RANK[row.severity], row.title, row.name, shown[row.id][1], shown[row.id][0])
            for row in connection.execute(named)}  # fmt: skip
    return Endings(tuple(made[number] for number in shown), len(soon), endless, len(rows) <= MOST_READ)
