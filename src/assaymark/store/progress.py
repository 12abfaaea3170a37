"""How far a running assessment is, for whoever watches it. Says nothing that decides anything: rows may be late, missing, or lost."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite

from assaymark.model.assessment import AssessmentId, Instant
from assaymark.store.tables import progress as table


class Progress(Struct, frozen=True):
    """What is being done."""

    phase: str
    """``fetching`` or ``checking``."""
    done: int
    total: int
    """0 when it is not known."""
    at: Instant


def write(connection: sa.Connection, assessment: AssessmentId, progress: Progress) -> None:
    """Replace what was said before."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    said = {"phase": progress.phase, "done": progress.done, "total": progress.total, "at": progress.at}
    statement = dialect.insert(table).values(assessment=assessment, **said)
    connection.execute(statement.on_conflict_do_update(index_elements=["assessment"], set_=said))


def read(connection: sa.Connection, assessment: AssessmentId) -> Progress | None:
    """What was said last; None for what is too short to speak of, does not run, or has ended."""
    asked = sa.select(table.c.phase, table.c.done, table.c.total, table.c.at).where(table.c.assessment == assessment)
    row = connection.execute(asked).first()
    return None if row is None else Progress(row.phase, row.done, row.total, Instant(row.at))


def forget(connection: sa.Connection, assessment: AssessmentId) -> None:
    """It has ended."""
    connection.execute(table.delete().where(table.c.assessment == assessment))
