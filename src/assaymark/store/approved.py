"""Known components as a list, by name, and what vouches for each at an instant.

Guarantees: a page costs the same however many components there are (one walk of an index), and a component the same however many
endorsements vouch for it, as long as the newest of them is valid; as of an instant the answer stays the same whenever it is asked.
Whether one is approved is `endorsement.components.derive`, over what is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.checks.application.dependencies.packages import Package
from assaymark.endorsement.components import ComponentKind, Vouching
from assaymark.endorsement.verify import SKEW
from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.component_rows import shown
from assaymark.store.narrowing import behind
from assaymark.store.tables import endorsement_key, endorsement_withdrawal, known_component, known_use

k, u, w = known_component.c, known_use.c, endorsement_withdrawal.c
_use = known_use.alias()
_ORDER = (k.called, k.name, k.version_key, k.id)
_END = "\U0010ffff"
_SAME = "WHERE k.called = a.called AND k.version = a.version AND k.kind = 'package'"
_NAMED = f"""SELECT k.* FROM unnest(CAST(:names AS text[]), CAST(:versions AS text[])) AS a(called, version)
 CROSS JOIN known_component k {_SAME}"""  # noqa: S608 - texts of our own
_NAMED_SQLITE = f"""SELECT k.* FROM (SELECT json_extract(value, '$[0]') AS called, json_extract(value, '$[1]') AS version
 FROM json_each(:given)) AS a CROSS JOIN known_component k {_SAME}"""  # noqa: S608 - likewise
Place = tuple[str, str, bytes, int]
"""Where a page ended."""


class ComponentRow(Struct, frozen=True):
    """A component that anything endorsed held."""

    id: int
    kind: ComponentKind
    name: str
    """As it is kept."""
    called: str
    version: str
    version_key: bytes
    package: int | None
    remark: str
    first_at: Instant
    ends_at: Instant

    @property
    def place(self) -> Place:
        return (self.called, self.name, self.version_key, self.id)

    @property
    def url(self) -> str:
        """Package URL without version; of others where it is from."""
        return url_of(self.name) if self.kind is ComponentKind.PACKAGE else self.name


def url_of(name: str) -> str:
    """The package URL of a name of the index of advisories, as findings and decisions know it."""
    ecosystem, _, path = shown(name)
    return component_name(Package(path, "", ecosystem))


class Search(Struct, frozen=True):
    """Which components; everything is joined by "and"."""

    kind: ComponentKind | None = None
    called: str = ""
    """How its short name begins."""
    name: str = ""
    """Its whole name, as it is kept."""
    ends_after: Instant | None = None
    """Only what an endorsement that ends later ever held: what can be approved then."""
    ended_by: Instant | None = None
    """Only what ended by then."""


def page(connection: sa.Connection, asked: Search, after: Place | None, limit: int) -> list[ComponentRow]:
    """In order of short names, then of versions."""
    query = sa.select(known_component).where(*_conditions(asked)).order_by(*_ORDER).limit(limit)
    if after is not None:
        query = query.where(k.called >= after[0], behind(_ORDER, after, descending=False))
    return [_row(row) for row in connection.execute(query)]


def _conditions(asked: Search) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if asked.kind is not None:
        found.append(k.kind == asked.kind.value)
    if asked.called:
        beginning = asked.called.lower()
        found += [k.called >= beginning, k.called < beginning + _END]
    if asked.name:
        found.append(k.name == asked.name)
    if asked.ends_after is not None:
        found.append(k.ends_at > asked.ends_after)
    if asked.ended_by is not None:
        found.append(k.ends_at <= asked.ended_by)
    return found


def one(connection: sa.Connection, number: int) -> ComponentRow | None:
    row = connection.execute(sa.select(known_component).where(k.id == number)).first()
    return None if row is None else _row(row)


def counts(connection: sa.Connection, most: int) -> dict[ComponentKind, int]:
    """How many there are of each kind, each counted up to a bound."""
    found = {}
    for kind in ComponentKind:
        some = sa.select(k.id).where(k.kind == kind.value).limit(most).subquery()
        found[kind] = int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
    return found


def is_any(connection: sa.Connection) -> bool:
    """Whether anything endorsed ever held anything."""
    return connection.execute(sa.select(k.id).limit(1)).first() is not None


def _row(row: Any) -> ComponentRow:
    return ComponentRow(
        row.id, ComponentKind(row.kind), row.name, row.called, row.version, bytes(row.version_key), row.package, row.remark,
        row.first_at, row.ends_at,
    )  # fmt: skip


# --- by name ---------------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """A package in a version, as the index of advisories names it."""

    called: str
    version: str


def called_so(connection: sa.Connection, asked: Iterable[Asked]) -> list[ComponentRow]:
    """Packages of these short names in these versions, in one question: whose ecosystem it is the caller sees."""
    pairs = sorted(set(asked))
    found: list[ComponentRow] = []
    values: dict[str, Any]
    for some in bulk.portions(pairs):
        if bulk.is_sqlite(connection):
            words, values = _NAMED_SQLITE, {"given": msgspec.json.encode(some).decode()}
        else:
            words, values = _NAMED, {"names": [each.called for each in some], "versions": [each.version for each in some]}
        found += [_row(row) for row in connection.execute(sa.text(words), values)]
    return found


def versions_of(connection: sa.Connection, names: Sequence[str], ends_after: Instant, most: int) -> list[ComponentRow]:
    """Versions of these packages that can be approved then, in no order; at most so many of all of them together."""
    query = sa.select(known_component).where(
        k.kind == ComponentKind.PACKAGE.value, bulk.among(connection, k.name, names), k.ends_at > ends_after
    )
    return [_row(row) for row in connection.execute(query.limit(most))]


# --- what vouches ----------------------------------------------------------------------------------------------------


def vouchings(
    connection: sa.Connection, numbers: Sequence[int], now: Instant, keys: frozenset[str] | None = None
) -> dict[int, tuple[Vouching, ...]]:
    """Of each component the newest endorsement that is valid then; without one, the newest that was not withdrawn; without one, the newest.

    `keys` are those that are believed; what none of them signed vouches for nothing. None: whoever signed.
    """
    begun = u.verified_at <= now + SKEW
    if keys is not None:
        s = endorsement_key.c
        begun = sa.and_(begun, sa.exists().where(s.endorsement == u.endorsement, s.keyid.in_(sorted(keys))))
    withdrawn = sa.exists().where(w.endorsement == u.endorsement, w.at <= now)
    found: dict[int, tuple[Vouching, ...]] = {}
    for more in ([begun, u.expires_at > now, ~withdrawn], [begun, ~withdrawn], [begun]):
        left = [number for number in dict.fromkeys(numbers) if number not in found]
        if not left:
            break
        for some in bulk.portions(left):
            found |= _newest(connection, some, more, now)
    return found


def _newest(
    connection: sa.Connection, numbers: Sequence[int], conditions: Sequence[sa.ColumnElement[bool]], now: Instant
) -> dict[int, tuple[Vouching, ...]]:
    newest = (
        sa.select(u.verified_at).where(u.component == k.id, *conditions).order_by(u.verified_at.desc()).limit(1).correlate(known_component)
    )
    asked = sa.select(k.id, newest.scalar_subquery().label("at")).where(bulk.among(connection, k.id, numbers)).subquery()
    use = _use
    taken_back = sa.select(sa.func.min(w.at)).where(w.endorsement == use.c.endorsement, w.at <= now).scalar_subquery()
    query = sa.select(use, taken_back.label("withdrawn_at")).join(
        asked, sa.and_(use.c.component == asked.c.id, use.c.verified_at == asked.c.at)
    )
    found: dict[int, list[Vouching]] = {}
    for row in connection.execute(query):
        found.setdefault(row.component, []).append(Vouching(row.endorsement, row.verified_at, row.expires_at, row.withdrawn_at))
    return {number: tuple(rows) for number, rows in found.items()}


class UseRow(Struct, frozen=True):
    """An endorsement that vouches for a component, in its history."""

    vouching: Vouching
    subject: int | None


def history(connection: sa.Connection, number: int, now: Instant, before: tuple[int, int] | None, limit: int) -> list[UseRow]:
    """Everything that ever vouched for it up to then, the newest first."""
    taken_back = sa.select(sa.func.min(w.at)).where(w.endorsement == u.endorsement, w.at <= now).scalar_subquery()
    query = sa.select(known_use, taken_back.label("withdrawn_at")).where(u.component == number, u.verified_at <= now + SKEW)
    if before is not None:
        query = query.where(behind((u.verified_at, u.endorsement), before, descending=True))
    rows = connection.execute(query.order_by(u.verified_at.desc(), u.endorsement.desc()).limit(limit))
    return [UseRow(Vouching(row.endorsement, row.verified_at, row.expires_at, row.withdrawn_at), row.subject) for row in rows]


def of_ids(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, ComponentRow]:
    """By number."""
    found: dict[int, ComponentRow] = {}
    for some in bulk.portions(sorted(set(numbers))):
        found |= {row.id: _row(row) for row in connection.execute(sa.select(known_component).where(bulk.among(connection, k.id, some)))}
    return found
