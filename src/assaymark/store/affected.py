# ruff: noqa: S608 - what stands in the texts of questions are names of ours, values are parameters
"""Which package sets advisories hit: one question to the inverted tables of `components`, however many advisories there are.

Guarantees: what is asked is a range of keys or a text, and one scan of an index answers it; the answer is the matcher's own (a law of the
tests).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from assaymark.checks.application.dependencies.matching.records import Affects
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line
from assaymark.store.component_rows import ecosystem_of, known_packages, storable
from assaymark.store.tables import component, unordered_component

NO_END = b"\xff"
"""Above every key of a version."""
_ROWS = 1000
"""Ranges per question: SQLite takes 32,766 values in one."""
_INSIDE = "c.package = a.package AND c.version_key >= a.low AND c.version_key < a.high"


class Range(NamedTuple):
    """Keys of one package, from `low` on, below `high`."""

    of: int
    """Position of what asks."""
    package: int
    low: bytes
    high: bytes


class Word(NamedTuple):
    """A version of one package by its text: one that has no order, or (with a key) a tag that moves."""

    of: int
    package: int
    version: str | None
    """None for all that have no order."""
    key: bytes | None = None


class Question(NamedTuple):
    """What records ask of the tables."""

    ranges: list[Range]
    words: list[Word]

    def add(self, of: int, package: int, ecosystem: Ecosystem, record: Affects) -> None:
        """All that a record says of a package."""
        for span in record.spans:
            high = NO_END if span.high is None else span.high + b"\0" if span.closed else span.high
            self.ranges.append(Range(of, package, span.low, high))
        for version in record.versions:
            key = key_of(ecosystem, version)
            if key is None:
                self.words.append(Word(of, package, storable(version)))
                continue
            self.ranges.append(Range(of, package, key, key + b"\0"))
            moved = key_of(ecosystem, newest_of_line(ecosystem, version))
            if moved is not None and moved != key:  # it lies at the end of its line
                self.words.append(Word(of, package, storable(version), moved))


def hit_by(connection: sa.Connection, news: Mapping[str, Sequence[Affects]]) -> dict[str, frozenset[int]]:
    """Advisory -> numbers of the package sets that it hits; `news` are records by package, as the index of advisories holds them."""
    numbers = known_packages(connection, news)
    advisories: list[str] = []
    question = Question([], [])
    for package, records in news.items():
        if package in numbers:
            for record in records:
                question.add(len(advisories), numbers[package], ecosystem_of(package), record)
                advisories.append(record.advisory)
    found: dict[str, set[int]] = {}
    for position, number in (*_in_ranges(connection, question.ranges), *_by_word(connection, question.words)):
        found.setdefault(advisories[position], set()).add(number)
    return {advisory: frozenset(sets) for advisory, sets in found.items()}


def _in_ranges(connection: sa.Connection, ranges: Sequence[Range]) -> Iterator[tuple[int, int]]:
    """(position of what asked, package set)."""
    for start in range(0, len(ranges), _ROWS):
        some = ranges[start : start + _ROWS]
        values: list[Any]
        if connection.dialect.name == "sqlite":
            asked, values = f"(VALUES {','.join(['(?,?,?,?)'] * len(some))})", [value for row in some for value in row]
            words = f"WITH a(at, package, low, high) AS {asked} SELECT a.at, c.package_set FROM a CROSS JOIN component c WHERE {_INSIDE}"
        else:
            asked, values = "unnest(%s::int[], %s::bigint[], %s::bytea[], %s::bytea[])", [list(row) for row in zip(*some, strict=True)]
            # OFFSET 0 keeps the planner from joining the whole table with a handful of ranges.
            inner = f"SELECT c.package_set FROM component c WHERE {_INSIDE} OFFSET 0"
            words = f"SELECT a.at, f.package_set FROM {asked} AS a(at, package, low, high) CROSS JOIN LATERAL ({inner}) f"
        yield from ((row.at, row.package_set) for row in connection.exec_driver_sql(words, tuple(values)))


def _by_word(connection: sa.Connection, words: Iterable[Word]) -> Iterator[tuple[int, int]]:
    for each in words:
        table = unordered_component if each.key is None else component
        query = sa.select(table.c.package_set).where(table.c.package == each.package)
        if each.version is not None:
            query = query.where(table.c.version == each.version)
        if each.key is not None:
            query = query.where(component.c.version_key == each.key)
        for row in connection.execute(query):
            yield each.of, row.package_set
