"""What a list of findings consists of, by everything that it can be narrowed by.

Guarantees: counted over at most `SAMPLE` rows of each severity, the newest ones, so that it costs the same however many there are; numbers
are exact when `complete`, otherwise "at least"; as of an instant the answer is the same whenever it is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.ages import DAY, Age, age_of
from assaymark.store.findings import NOBODY, By, Filter, Order, narrowed, severities
from assaymark.store.narrowing import Teams
from assaymark.store.promises import NEVER, in_force
from assaymark.store.tables import item, occurrence, person, repository, subject, team

SAMPLE = 500
"""Rows of each severity that are counted."""
MOST_VALUES = 50
"""Of one facet."""
c = occurrence.c


class Named(Struct, frozen=True):
    """A team, a repository or an item, with how many findings are in it."""

    id: int
    name: str
    count: int


class Facets(Struct, frozen=True):
    """What a list consists of: numbers are exact when `complete`, otherwise "at least"."""

    severity: dict[str, int]
    kind: dict[str, int]
    layer: dict[str, int]
    rule_class: dict[str, int]
    """The most frequent ones, as for teams and repositories."""
    waived: int
    age: dict[str, int]
    """By `Age`: how long they have stood."""
    team: tuple[Named, ...]
    repository: tuple[Named, ...]
    owner: dict[str, int]
    """By whose their items are; `findings.NOBODY` for what is nobody's in particular."""
    late: int
    """Longer there than was promised for their severity."""
    cause: tuple[Named, ...]
    """What one repair removes, with how many of these findings it removes."""
    complete: bool


def facets(connection: sa.Connection, teams: Teams, asked: Filter, *, now: Instant) -> Facets:
    """Counted; ages are as of the instant that is asked for, or of now."""
    rows, complete = _sample(connection, teams, asked)
    columns = tuple(zip(*rows, strict=True)) if rows else ((),) * 9
    ranks, kinds, layers, classes, waived, since, owners, places, items = (Counter(values) for values in columns)
    at = now if asked.at is None else asked.at
    ages: Counter[Age] = Counter()
    for came, many in since.items():
        ages[age_of(Instant(came), at)] += many
    cause, owner = _items(connection, items)
    return Facets(
        severity={severity.value: ranks[severity.rank] for severity in severities(asked)},
        kind=dict(kinds.most_common()),
        layer=dict(layers.most_common()),
        rule_class=dict(classes.most_common(MOST_VALUES)),
        waived=waived[1],
        age={age.value: ages[age] for age in Age if ages[age]},
        team=_named(connection, team, owners),
        repository=_named(connection, repository, _of_repositories(connection, places)),
        owner=owner,
        late=_late(connection, rows, at),
        cause=cause,
        complete=complete,
    )


def _sample(connection: sa.Connection, teams: Teams, asked: Filter) -> tuple[list[Any], bool]:
    """Rows to count, and whether they are all that there are."""
    given = narrowed(connection, teams, asked)
    rows: list[Any] = []
    complete = True
    for severity in severities(asked):
        one = msgspec.structs.replace(asked, severities=(severity,))
        ids = [place.id for place in By(connection, one, Order.WORST).part(given, None, SAMPLE)]
        complete = complete and len(ids) < SAMPLE
        if given.wording is not None:
            ids = sorted(given.wording.held(connection, ids))
        shown = (c.severity, c.kind, c.layer, c.rule_class, c.waived, c.since, c.team, c.subject, c.item)
        rows += connection.execute(sa.select(*shown).where(bulk.among(connection, c.id, ids))).all() if ids else []
    return rows, complete


def _late(connection: sa.Connection, rows: Sequence[Any], at: Instant) -> int:
    promises, today = in_force(connection, at), at // DAY
    terms = ((promises.days(row.team, row.severity), row.since // DAY) for row in rows)
    return sum(days != NEVER and today - came > days for days, came in terms)


def _of_repositories(connection: sa.Connection, places: Counter[int]) -> Counter[int]:
    """The same by the repositories that the subjects belong to."""
    query = sa.select(subject.c.id, subject.c.repository).where(bulk.among(connection, subject.c.id, list(places)))
    found: Counter[int] = Counter()
    for number, of in connection.execute(query):
        if of is not None:
            found[of] += places[number]
    return found


def _items(connection: sa.Connection, counts: Counter[Any]) -> tuple[tuple[Named, ...], dict[str, int]]:
    """The causes that most of them have, and whose they all are."""
    ids = [number for number in counts if number is not None]
    query = sa.select(item.c.id, item.c.title, item.c.owner, person.c.login).outerjoin(person, person.c.id == item.c.person)
    rows = {row.id: row for row in connection.execute(query.where(bulk.among(connection, item.c.id, ids)))} if ids else {}
    owners: Counter[str] = Counter({NOBODY: counts[None]} if counts[None] else {})
    for number, row in rows.items():
        owners[row.login or row.owner or NOBODY] += counts[number]
    most = sorted(rows, key=lambda number: (-counts[number], number))[:MOST_VALUES]
    return tuple(Named(number, rows[number].title, counts[number]) for number in most), dict(owners.most_common(MOST_VALUES))


def _named(connection: sa.Connection, table: sa.Table, counts: Counter[Any]) -> tuple[Named, ...]:
    most: Sequence[tuple[int, int]] = [(number, many) for number, many in counts.most_common(MOST_VALUES + 1) if number is not None]
    ids = [number for number, _ in most]
    query = sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids))
    names = {row.id: row.name for row in connection.execute(query)} if ids else {}
    return tuple(Named(number, names.get(number, ""), many) for number, many in most[:MOST_VALUES])
