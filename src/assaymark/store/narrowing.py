"""What every list is narrowed by: the teams of who asks, the instant as of which he asks, and the place where the last page ended.

"As of t" is what the rows say of t and nothing that was written later changes: an interval began at or before t and had not ended at t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from assaymark.model.access import TeamId

Teams = frozenset[TeamId] | None
"""As `Principal.teams_with` gives them: None means everything, also what belongs to no team."""
MOST_ROWS = 200
"""Of one page."""
MOST_COUNTED = 1_000
"""Counts go on to here and then say "at least"."""


def of_teams(column: sa.ColumnElement[Any], teams: Teams) -> list[sa.ColumnElement[bool]]:
    """Conditions that leave only what belongs to these teams; nothing at all when there are none."""
    if teams is None:
        return []
    if len(teams) == 1:
        return [column == next(iter(teams))]
    return [Unweighed(column).in_(sorted(teams))]


def unled(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column, so written that no index is chosen for its sake: a walk in a list's order costs less than sorting what it would give."""
    return sa.type_coerce(column, sa.BigInteger) + sa.literal_column("0")


class Unweighed(sa.ColumnElement[Any]):
    """`unled` where the database does not know how many rows a value has: SQLite. PostgreSQL does, and is misled by what it cannot see."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy declares it as of an instance

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(Unweighed)
def _unweighed(element: Unweighed, compiler: Any, **words: Any) -> str:
    return f"{compiler.process(element.column, **words)} + 0"


@compiles(Unweighed, "postgresql")
def _weighed(element: Unweighed, compiler: Any, **words: Any) -> str:
    return str(compiler.process(element.column, **words))


def standing(table: sa.Table, at: int | None) -> list[sa.ColumnElement[bool]]:
    """Rows with `opened_at` and `closed_at` whose interval holds the instant; None is now."""
    if at is None:
        return [table.c.closed_at.is_(None)]
    return [table.c.opened_at <= at, sa.or_(table.c.closed_at.is_(None), table.c.closed_at > at)]


def ended(table: sa.Table, at: int | None) -> list[sa.ColumnElement[bool]]:
    """Rows whose interval was over at the instant."""
    return [table.c.closed_at.is_not(None)] if at is None else [table.c.closed_at <= at]


def behind(columns: Sequence[sa.ColumnElement[Any]], values: Sequence[Any], *, descending: bool) -> sa.ColumnElement[bool]:
    """Whether a row comes after the one that ended the last page, in an order of these columns."""
    left, right = sa.tuple_(*columns), sa.tuple_(*(sa.bindparam(None, value) for value in values))
    return left < right if descending else left > right


def counted(connection: sa.Connection, asked: sa.Select[Any], most: int = MOST_COUNTED) -> int:
    """How many rows there are, counted up to `most`."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(asked.limit(most).subquery())).scalar_one())


def like(text: str) -> str:
    """A pattern that finds the text itself anywhere: its wildcards are none, when a backslash is named as the escape."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
