"""A package set as rows of the inverted tables, and the fast way in for many of them.

Guarantees: the rows say what the matcher compares, the version of the source package where a distribution's advisories mean that one, and
the newest version of a line where a tag moves, so that asking the tables and matching the set give one answer. A binary package that is
called otherwise than its source has a row of its own (``<key of the source>#<name>``), which people find and advisories do not.
Not here: who holds a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa

from assaymark.checks.application.dependencies.matching.matcher import is_named, key_in
from assaymark.checks.application.dependencies.matching.records import package_key
from assaymark.checks.application.dependencies.packages import Ecosystem, PackageSet
from assaymark.checks.application.dependencies.versions.coding import LONGEST
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line
from assaymark.model.digest import sha256
from assaymark.store.tables import component, package, unordered_component

AT_ONCE = 500
"""Texts per question."""
_LONGEST_SHELF = 60
"""Characters of an ecosystem with a release."""


class Part(NamedTuple):
    """One package at one version."""

    name: str
    key: bytes | None
    """None when its version has no place in an order."""
    version: str


def parts(packages: PackageSet) -> Iterator[Part]:
    """What a set holds of packages that have a name in a registry or distribution."""
    for each in packages.packages:
        if not is_named(each):
            continue
        name, spoken_of = key_in(packages, each), each.upstream_version or each.version
        yield Part(storable(name), key_of(each.ecosystem, newest_of_line(each.ecosystem, spoken_of)), storable(spoken_of))
        if each.upstream and each.upstream != each.name:
            yield Part(storable(f"{name}#{each.name}"), key_of(each.ecosystem, each.version), storable(each.version))


def storable(text: str) -> str:
    """As it is, unless no index of a database takes it: then by its digest, so that equal texts stay equal and others do not become so."""
    if len(text) <= LONGEST and "\0" not in text and (text.isascii() or _is_unicode(text)):
        return text
    start = text[: text.find("/") + 1] if "/" in text[:_LONGEST_SHELF] else ""
    return start + sha256(text.encode("utf-8", "surrogatepass"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def called(name: str) -> str:
    """What people call a package of this name."""
    return (name.partition("#")[2] or name.partition("/")[2]).lower()


def ecosystem_of(name: str) -> Ecosystem:
    """Whose package a name of the index is."""
    return Ecosystem(name.partition("/")[0].partition(":")[0])


def shown(name: str) -> tuple[Ecosystem, str, str]:
    """Ecosystem, release and name, for people."""
    shelf, _, path = name.partition("/")
    ecosystem, _, release = shelf.partition(":")
    return Ecosystem(ecosystem), release, path.partition("#")[2] or path


def names_for(ecosystem: Ecosystem, text: str) -> str:
    """What a package of an ecosystem is called in `package.called`."""
    return called(package_key(ecosystem, text))


def add(connection: sa.Connection, sets: Sequence[tuple[int, PackageSet]]) -> None:
    """Write the rows of sets that have none, within the caller's transaction."""
    every = [(number, list(parts(each))) for number, each in sets]
    numbers = package_numbers(connection, {part.name for _, some in every for part in some})
    ordered: dict[tuple[int, bytes, int], str] = {}
    loose: set[tuple[int, str, int]] = set()
    for number, some in every:
        for part in some:
            if part.key is None:
                loose.add((numbers[part.name], part.version, number))
            else:
                ordered.setdefault((numbers[part.name], part.key, number), part.version)
    # In the order of the tree that takes them in: neighbours are written together.
    _pour(connection, component, sorted((*key, version) for key, version in ordered.items()))
    _pour(connection, unordered_component, sorted(loose))


def forget(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Take the rows of these sets out."""
    for table in (component, unordered_component):
        for some in batches(numbers):
            connection.execute(table.delete().where(table.c.package_set.in_(some)))


def package_numbers(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> number, given to those that have none."""
    wanted = sorted(set(names))  # in one order, so that two writers do not wait for each other
    found = known_packages(connection, wanted)
    missing = [{"name": name, "called": called(name)} for name in wanted if name not in found]
    if missing:
        words = "INSERT INTO package (name, called) VALUES (:name, :called) ON CONFLICT (name) DO NOTHING"
        connection.execute(sa.text(words), missing)
        found |= known_packages(connection, [row["name"] for row in missing])
    return found


def known_packages(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> number of those that anything ever held."""
    found: dict[str, int] = {}
    for some in batches(list(names)):
        found.update(
            (row.name, row.id) for row in connection.execute(sa.select(package.c.name, package.c.id).where(package.c.name.in_(some)))
        )
    return found


def batches(values: Sequence[Any]) -> Iterator[list[Any]]:
    """In pieces that fit into one question."""
    left = iter(values)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _pour(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Through the driver: a statement per row costs ten times as much on PostgreSQL, and the layers above it twice on SQLite."""
    if not rows:
        return
    columns = [column.name for column in table.columns]
    columns = ["package", "version_key", "package_set", "version"] if table is component else columns
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.executemany(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)  # noqa: S608
        return
    types = ["int8", "bytea", "int8", "text"] if table is component else ["int8", "text", "int8"]
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
