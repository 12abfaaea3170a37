"""Many rows at once, on both databases: PostgreSQL's COPY and arrays, SQLite's prepared statements and JSON tables.

Guarantees: part of the caller's transaction; memory for one portion of the rows, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, dialect

PORTION = 5_000
"""Rows that are in one statement."""
_Item = TypeVar("_Item")


def portions(items: Iterable[_Item], size: int = PORTION) -> Iterator[list[_Item]]:
    """The items in lists of at most that many."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion


def is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column is one of these values, of which there may be thousands: one parameter, one plan."""
    if is_sqlite(connection):
        table = sa.func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
        return column.in_(sa.select(table.c.value))
    return column == sa.any_(sa.bindparam(None, list(values), type_=ARRAY(column.type)))


def add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert; the database gives the ids."""
    if is_sqlite(connection):
        marks = ", ".join("?" * len(names))
        for portion in portions(rows):
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", [tuple(row) for row in portion])  # noqa: S608 - names of our own columns
        return
    with _cursor(connection) as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def add_unless_there(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert those that break no unique constraint; give them sorted, so that two writers do not wait for each other in a circle."""
    if is_sqlite(connection):
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        for portion in portions(rows):
            connection.exec_driver_sql(statement, [tuple(row) for row in portion])
        return
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in names)
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608
    with _cursor(connection) as cursor:
        for portion in portions(rows):
            cursor.execute(statement, [list(values) for values in zip(*portion, strict=True)])


def change(connection: sa.Connection, table: sa.Table, ids: Sequence[int], values: Mapping[str, Sequence[Any]]) -> None:
    """Give each row (by its id) its own values."""
    names = list(values)
    rows = zip(*values.values(), ids, strict=True)
    if is_sqlite(connection):
        sets = ", ".join(f"{name} = ?" for name in names)
        for portion in portions(rows):
            connection.exec_driver_sql(f"UPDATE {table.name} SET {sets} WHERE id = ?", [tuple(row) for row in portion])  # noqa: S608
        return
    sets = ", ".join(f"{name} = given.{name}" for name in names)
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in (*names, "id"))
    statement = (
        f"UPDATE {table.name} SET {sets} FROM unnest({arrays}) AS given ({', '.join((*names, 'id'))}) WHERE {table.name}.id = given.id"  # noqa: S608
    )
    with _cursor(connection) as cursor:
        for portion in portions(rows):
            cursor.execute(statement, [list(column) for column in zip(*portion, strict=True)])


def change_all(connection: sa.Connection, table: sa.Table, ids: Iterable[int], values: Mapping[str, Any]) -> None:
    """Give these rows the same values."""
    for portion in portions(ids):
        connection.execute(table.update().where(among(connection, table.c.id, portion)).values(values))


def _cursor(connection: sa.Connection) -> Any:
    connection.exec_driver_sql("SELECT 1")  # the transaction begins with the first statement that goes through the connection
    return connection.connection.cursor()


def _type(table: sa.Table, name: str) -> str:
    return str(table.c[name].type.compile(dialect=dialect()))  # type: ignore[no-untyped-call]
