"""Which calls take SQL, and when text that reaches them is a statement put together of values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.rules import Hit, Place
from assaymark.checks.application.patterns.shapes import Joined, Name, Through
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_SQL = re.compile(
    r"\s*\(?\s*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|call|exec|grant|from|where|show|set|explain)\b",
    re.IGNORECASE,
)
_DATABASE = re.compile(
    r"pdo|\bdbh?\b|\w*db\w*\.|conn|mysqli|database|sqlite|\bem\b|entitymanager|\blink\b|\bsql|repository|\bstmt|doctrine",
    re.IGNORECASE,
)
_NO_DATABASE = re.compile(r"xpath|client|http|dom|crawler|curl|process|ssh|redis|shell", re.IGNORECASE)
_VALUE_PLACE = re.compile(r"(?:=|<|>|\blike|\bvalues\s*\([^)]*|\bin\s*\([^)]*)\s*\(?\s*['\"%]+\Z", re.IGNORECASE)
_BARE_PLACE = re.compile(r"(?:=|<|>|\bin\s*\(|\blimit|\boffset|\border\s+by|\bbetween|,)\s*\Z", re.IGNORECASE)
_DBAL = (
    *("fetchAll", "fetchAllAssociative", "fetchAllNumeric", "fetchAllKeyValue", "fetchAssociative", "fetchAssoc", "fetchOne", "fetchRow"),
    *("fetchColumn", "fetchFirstColumn", "fetchArray", "executeQuery", "executeStatement", "executeUpdate", "iterateAssociative"),
)

FUNCTIONS: dict[str, tuple[int | str, ...]] = {
    **dict.fromkeys(
        (
            *("mysqli_query", "mysqli_multi_query", "mysqli_real_query", "mysqli_prepare", "mysqli_execute_query", "sqlsrv_query"),
            *("sqlsrv_prepare", "odbc_exec", "odbc_prepare", "oci_parse", "db2_exec", "db2_prepare", "ibase_query", "ingres_query"),
        ),
        (1,),
    ),
    **dict.fromkeys(
        ("mysql_query", "mysql_unbuffered_query", "mssql_query", "pg_query", "pg_send_query", "sqlite_query", "sqlite_exec"), (0, 1)
    ),
    "mysql_db_query": (1,),
    **dict.fromkeys(("pg_prepare", "pg_query_params"), (1, 2)),
}
METHODS: dict[str, tuple[int | str, ...]] = {
    **{
        f"*.{name}": (0,)
        for name in ("query", "exec", "multi_query", "real_query", "prepare", "querySingle", "unbufferedQuery", "querySql")
    },
    **{f"*.{name}": (0,) for name in ("get_results", "get_var", "get_row", "get_col", "createQuery", "createNativeQuery", "findBySql")},
    **{f"*.{name}": (0,) for name in (*_DBAL, "createCommand", "setQuery", "sql_query", "db_query", "rawQuery", "execute", "Execute")},
    **dict.fromkeys(("db_query", "sql_query", "dbquery"), (0,)),
}
FRAGMENTS: dict[str, tuple[int | str, ...]] = {
    **{
        f"*.{name}": (0,)
        for name in ("selectRaw", "whereRaw", "orWhereRaw", "havingRaw", "orHavingRaw", "orderByRaw", "groupByRaw", "fromRaw")
    },
    **{
        f"DB.{name}": (0,)
        for name in ("raw", "select", "selectOne", "statement", "unprepared", "insert", "update", "delete", "affectingStatement")
    },
    "*.connection().raw": (0,),
    "*.whereNative": (0,),
}


def no_sql(place: Place, value: Value) -> bool:
    """True for what is no statement, or a statement put together of names the program itself knows."""
    path = place.call.path if place.call else ""
    if "." not in path:
        return not value.foreign and not _has_value(place)
    if _NO_DATABASE.search(path):
        return True
    if value.prefix.strip():
        return not _SQL.match(value.prefix)
    return not (value.foreign and _DATABASE.search(path))


def without_value(place: Place) -> bool:
    """True when an unknown part stands for a table or column, not for a value in quotes."""
    return not _has_value(place)


def _has_value(place: Place) -> bool:
    for node in place.call.args if place.call else ():
        for before, part in pieces(place, node):
            value = place.flow.value(part)
            if _VALUE_PLACE.search(before) and not (value.constant or value.mild or value.is_safe("sql")):
                return True
    return False


def pieces(place: Place, node: Node, depth: int = 0) -> Iterator[tuple[str, Node]]:
    """The moving parts of text put together, each with the constant text before it."""
    shape = place.speech.shape(node)
    while isinstance(shape, Through | Name) and depth < 4:
        resolved = place.flow.resolved(node)
        if resolved == shape:
            return
        shape = resolved
        depth += 1
    if not isinstance(shape, Joined):
        return
    before = ""
    for part in shape.parts:
        if isinstance(part, str):
            before += part
            continue
        inner = place.speech.shape(part)
        if isinstance(inner, Joined) and depth < 4:
            for inside, moving in pieces(place, part, depth + 1):
                yield before + inside, moving
            last = inner.parts[-1]
            before = last if isinstance(last, str) else ""
            continue
        value = place.flow.value(part)
        if value.text is not None:
            before += value.text
        else:
            yield before[-200:], part
            before = ""


def based(place: Place, node: Node) -> bool:
    """True when foreign text follows a beginning of the program's own that ends the host, as in ``SERVER . "index.php?a=" . $a``."""
    first = True
    for before, part in pieces(place, node):
        if place.flow.value(part).foreign:
            return not first and bool(re.search(r"[/?]", before))
        first = False
    return False


def bare(place: Place) -> Iterator[Hit]:
    """Text of others that is escaped but stands outside of quotes, where escaping does nothing."""
    call = place.call
    if call is None or _NO_DATABASE.search(call.path):
        return
    for node in call.args[:2]:
        for before, part in pieces(place, node):
            value = place.flow.value(part)
            if (
                value.foreign
                and value.is_safe("sql")
                and not value.is_safe("unquoted")
                and not value.is_safe("*")
                and _BARE_PLACE.search(before)
            ):
                yield Hit(call.node, source=value.foreign)
                return
