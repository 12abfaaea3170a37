"""A package set as rows of the inverted tables, and the fast way in for many of them.

Guarantees: the rows say what the matcher compares, the version of the source package where a distribution's advisories mean that one, and
the newest version of a line where a tag moves, so that asking the tables and matching the set give one answer. A binary package that is
called otherwise than its source has a row of its own (``<key of the source>#<name>``), which people find and advisories do not.
Not here: who holds a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from assaymark.checks.application.dependencies.matching.matcher import is_named, key_in
from assaymark.checks.application.dependencies.packages import Ecosystem, PackageSet
from assaymark.checks.application.dependencies.versions.coding import LONGEST
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line
from assaymark.model.digest import sha256
from assaymark.store import bulk
from assaymark.store.tables import component, package, unordered_component
from assaymark.store.texts import plain

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
    """As both databases and their indexes take it; a text that is too long for them by its digest, so that equal ones stay equal."""
    text = plain(text)
    if len(text) <= LONGEST:
        return text
    shelf, slash, _ = text[:_LONGEST_SHELF].partition("/")
    return (shelf + slash if slash else "") + sha256(text.encode())


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


def add(connection: sa.Connection, sets: Sequence[tuple[int, PackageSet]]) -> None:
    """Write the rows of sets that have none, within the caller's transaction."""
    every = [(number, list(parts(each))) for number, each in sets]
    numbers = package_numbers(connection, {part.name for _, some in every for part in some})
    ordered: set[tuple[int, bytes, int, str]] = set()
    loose: set[tuple[int, str, int]] = set()
    for number, some in every:
        for part in some:
            if part.key is None:
                loose.add((numbers[part.name], part.version, number))
            else:
                ordered.add((numbers[part.name], part.key, number, part.version))
    # In the order of the tree that takes them in: neighbours are written together.
    bulk.add(connection, component, ("package", "version_key", "package_set", "version"), sorted(ordered))
    bulk.add(connection, unordered_component, ("package", "version", "package_set"), sorted(loose))


def forget(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Take the rows of these sets out."""
    for table in (component, unordered_component):
        for some in bulk.portions(numbers):
            connection.execute(table.delete().where(bulk.among(connection, table.c.package_set, some)))


def package_numbers(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> number, given to those that have none."""
    wanted = sorted(set(names))  # in one order, so that two writers do not wait for each other in a circle
    found = known_packages(connection, wanted)
    missing = [name for name in wanted if name not in found]
    bulk.add_unless_there(connection, package, ("name", "called"), ((name, called(name)) for name in missing))
    return found | known_packages(connection, missing)


def known_packages(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> number of those that anything ever held."""
    found: dict[str, int] = {}
    for some in bulk.portions(names):
        query = sa.select(package.c.name, package.c.id).where(bulk.among(connection, package.c.name, some))
        found.update((row.name, row.id) for row in connection.execute(query))
    return found
