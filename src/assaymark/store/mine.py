"""What waits on somebody: the changes that he caused, with the last verdict of each.

Guarantees: bounded, by indexes, whatever there is. A change is somebody's when its forge, or the caller, named him as this server knows
him: by login, e-mail or name. Who goes by another name there is not found; a mapping of names is not kept here.
"""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.model.access import PersonId
from assaymark.model.assessment import AssessmentState
from assaymark.store import assessments
from assaymark.store.assessments import AssessmentRow
from assaymark.store.narrowing import Teams, of_teams, unled
from assaymark.store.tables import assessment, person

_LOOKED_THROUGH = 60
"""The newest of each of his names."""
_URGENCY = {state: place for place, state in enumerate(("fail", "unproven", "running", "queued", "pass", "cancelled"))}
a = assessment.c


def names_of(connection: sa.Connection, who: PersonId) -> tuple[str, ...]:
    """How forges may call him."""
    row = connection.execute(sa.select(person.c.login, person.c.email, person.c.name).where(person.c.id == who)).first()
    return tuple(dict.fromkeys(name for name in (row or ()) if name))


def changes(connection: sa.Connection, teams: Teams, who: PersonId, limit: int) -> list[AssessmentRow]:
    """The last verdict of each change of his: what stops first, then the newest."""
    ids: set[int] = set()
    for name in names_of(connection, who):
        query = sa.select(a.id).where(a.actor == name, *of_teams(unled(a.team), teams)).order_by(a.id.desc()).limit(_LOOKED_THROUGH)
        ids |= set(connection.execute(query).scalars())
    last: dict[int, AssessmentRow] = {}
    for row in assessments.rows_of(connection, sorted(ids), None):
        if row.state != AssessmentState.SUPERSEDED:
            last.setdefault(row.subject, row)
    return sorted(last.values(), key=lambda row: (_URGENCY.get(row.state, len(_URGENCY)), -row.id))[:limit]
