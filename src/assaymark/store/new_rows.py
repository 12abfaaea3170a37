"""Insert what may be there already, without a failed transaction and without a gap between looking and writing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], *unique: str) -> int | None:
    """The new row's number; None when there is one with the same values in the columns `unique`.

    On PostgreSQL this waits for a transaction that is inserting the same one, so afterwards the row can be read.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(dict(row)).on_conflict_do_nothing(index_elements=list(unique)).returning(*table.primary_key)
    return connection.execute(statement).scalar()
