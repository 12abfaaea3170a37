"""What decisions let through, as of an instant: risk that is carried, and what was explained. Bounded counts over kept rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.model.decision import DecisionKind
from assaymark.store.narrowing import MOST_COUNTED, Teams, counted, standing
from assaymark.store.tables import decision, occurrence


class Debt(Struct, frozen=True):
    """What stands open and is let through by decisions; each counted up to 1000."""

    waived: int
    """Occurrences that a decision lets through although they are weaknesses: waived or accepted."""
    explained: int
    """That are said to be none: false positives, not affected, fixed."""
    oldest: Instant | None
    """Since when the oldest of the first kind stands there, of those that are counted."""


def debt(connection: sa.Connection, teams: Teams, at: Instant | None) -> Debt:
    """As of an instant, or now: walked along the index of what is waived."""
    o = occurrence.c
    mine = [] if teams is None else [o.team.in_(sorted(teams))]
    base = sa.select(o.since).select_from(occurrence.join(decision, decision.c.id == o.decision))
    base = base.where(o.waived == sa.literal_column("1"), *standing(occurrence, at), *mine)
    kinds = [kind.value for kind in DecisionKind if kind.is_debt]
    carried = base.where(decision.c.kind.in_(kinds))
    first = carried.limit(MOST_COUNTED).subquery()
    return Debt(
        waived=counted(connection, carried),
        explained=counted(connection, base.where(decision.c.kind.not_in(kinds))),
        oldest=connection.execute(sa.select(sa.func.min(first.c.since))).scalar(),
    )


def covered(teams: Teams, number: int, at: Instant | None, after: int = 0) -> sa.Select[Any]:
    """Occurrences that a decision lets through, in the order of their rows."""
    o = occurrence.c
    mine = [] if teams is None else [o.team.in_(sorted(teams))]
    return sa.select(o.id).where(o.decision == number, o.id > after, *standing(occurrence, at), *mine).order_by(o.id)
