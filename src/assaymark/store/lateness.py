"""Whether a finding stands longer than was promised for its severity and team."""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.model.assessment import Instant
from assaymark.model.severity import Severity
from assaymark.store.promises import DAY, NEVER, Ledger
from assaymark.store.tables import occurrence

c = occurrence.c


def late(connection: sa.Connection, at: Instant) -> sa.ColumnElement[bool]:
    """By what was promised as of the instant."""
    promises, today = Ledger(connection).at(at), at // DAY
    parts: list[sa.ColumnElement[bool]] = []
    for team in (None, *promises.own):
        others = sa.or_(c.team.is_(None), c.team.not_in(list(promises.own))) if promises.own else sa.true()
        whose = others if team is None else c.team == team
        for severity in Severity:
            days = promises.days(team, severity.rank)
            if days != NEVER:
                parts.append(sa.and_(whose, c.severity == severity.rank, c.since < (today - days) * DAY))
    return sa.or_(*parts) if parts else sa.false()
