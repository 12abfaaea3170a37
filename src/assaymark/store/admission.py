"""Gates of clusters, and the latest of what each refused, or would have refused while it is tried out.

Guarantees: a gate is known by its token's digest alone; a gate that ended opens nothing. Of each gate at most `MOST_REFUSALS` kinds of
refusals are kept, the latest: a cluster that asks for the same thing all day is one row that counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.narrowing import Teams
from assaymark.store.tables import admission_gate as table
from assaymark.store.tables import admission_refusal as refusals
from assaymark.store.tables import endorsement, endorsing_key, revocation, trust_version

MOST_REFUSALS = 2000
_LISTS = ("namespaces", "exempt")


class GateRow(Struct, frozen=True):
    """A gate."""

    id: int
    name: str
    environment: str
    """Of every namespace that `namespaces` does not name."""
    namespaces: tuple[tuple[str, str], ...]
    """(namespace, environment)."""
    exempt: tuple[str, ...]
    home: str
    """Namespace of ours in that cluster, which is never asked about."""
    enforces: bool
    obeys_break_glass: bool
    team: TeamId | None
    created_at: Instant
    changed_at: Instant
    ended_at: Instant | None


class Draft(Struct, frozen=True):
    """What a gate is made or changed to."""

    name: str
    environment: str
    namespaces: tuple[tuple[str, str], ...] = ()
    exempt: tuple[str, ...] = ()
    home: str = "assaymark"
    enforces: bool = False
    obeys_break_glass: bool = False
    team: TeamId | None = None


class Refusal(Struct, frozen=True):
    """One image that was refused, or would have been."""

    outcome: str
    environment: str
    namespace: str
    kind: str
    name: str
    path: str
    image: str
    digest: str
    reason: str
    words: str
    asked_by: str = ""
    note: str = ""


class RefusalRow(Refusal, frozen=True, kw_only=True):
    """As it is kept."""

    id: int
    gate: int
    first_at: Instant
    last_at: Instant
    times: int


_columns = tuple(table.c[name] for name in GateRow.__struct_fields__)
_kept = tuple(refusals.c[name] for name in RefusalRow.__struct_fields__)
_SAME = ("outcome", "environment", "namespace", "kind", "name", "image", "reason")


# --- gates -----------------------------------------------------------------------------------------------------------


def add(connection: sa.Connection, draft: Draft, token: str, at: Instant) -> int:
    """Make one; `token` is the digest of it."""
    values = _values(draft) | {"token": token, "created_at": at, "changed_at": at}
    return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())


def change(connection: sa.Connection, number: int, draft: Draft, at: Instant) -> None:
    connection.execute(table.update().where(table.c.id == number).values(**_values(draft), changed_at=at))


def renew(connection: sa.Connection, number: int, token: str, at: Instant) -> None:
    """Another token; the one before opens nothing from now on."""
    connection.execute(table.update().where(table.c.id == number).values(token=token, changed_at=at))


def end(connection: sa.Connection, number: int, at: Instant) -> None:
    connection.execute(table.update().where(table.c.id == number, table.c.ended_at.is_(None)).values(ended_at=at, changed_at=at))


def get(connection: sa.Connection, number: int) -> GateRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.id == number)).first()
    return _gate(row) if row is not None else None


def named(connection: sa.Connection, name: str) -> GateRow | None:
    row = connection.execute(sa.select(*_columns).where(table.c.name == name)).first()
    return _gate(row) if row is not None else None


def by_token(connection: sa.Connection, token: str) -> tuple[GateRow, Stamps] | None:
    """The gate that this digest opens, and what its answers depend on now: one question, since it is asked with each review."""
    query = sa.select(*_columns, *_stamps()).where(table.c.token == token, table.c.ended_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        return None
    return _gate(row), _stamped(row[len(_columns) :])


def page(connection: sa.Connection, teams: Teams, *, after: int, limit: int) -> list[GateRow]:
    """In the order in which they were made; of these teams, without a team only for who may see everything."""
    query = sa.select(*_columns).where(table.c.id > after, table.c.ended_at.is_(None)).order_by(table.c.id).limit(limit)
    if teams is not None:
        query = query.where(table.c.team.in_(sorted(teams)))
    return [_gate(row) for row in connection.execute(query)]


def _values(draft: Draft) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in Draft.__struct_fields__}
    values |= {name: msgspec.json.encode(values[name]).decode() for name in _LISTS}
    return values | {"enforces": int(draft.enforces), "obeys_break_glass": int(draft.obeys_break_glass)}


def _gate(row: sa.Row[Any]) -> GateRow:
    values = dict(zip(GateRow.__struct_fields__, row, strict=False))  # what stands behind them is somebody else's
    lists = {
        "namespaces": msgspec.json.decode(values["namespaces"], type=tuple[tuple[str, str], ...]),
        "exempt": msgspec.json.decode(values["exempt"], type=tuple[str, ...]),
    }
    flags = {name: bool(values[name]) for name in ("enforces", "obeys_break_glass")}
    return GateRow(**({name: values[name] for name in GateRow.__struct_fields__} | lists | flags))


# --- what they refused -----------------------------------------------------------------------------------------------


def note(connection: sa.Connection, gate: int, found: Iterable[Refusal], at: Instant) -> None:
    """Keep them, and forget the oldest beyond the bound."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for key, each in sorted({_key(each): each for each in found}.items()):
        values = {name: getattr(each, name) for name in Refusal.__struct_fields__}
        statement = dialect.insert(refusals).values(**values, gate=gate, key=key, first_at=at, last_at=at, times=1)
        again = {name: values[name] for name in ("path", "digest", "words", "asked_by", "note")}
        again |= {"last_at": at, "times": refusals.c.times + 1}
        connection.execute(statement.on_conflict_do_update(index_elements=["gate", "key"], set_=again))
    beyond = sa.select(refusals.c.id).where(refusals.c.gate == gate).order_by(refusals.c.last_at.desc(), refusals.c.id.desc())
    connection.execute(refusals.delete().where(refusals.c.id.in_(beyond.offset(MOST_REFUSALS).limit(MOST_REFUSALS))))


def refused(connection: sa.Connection, gate: int, *, before: tuple[int, int] | None, limit: int) -> list[RefusalRow]:
    """The latest first; `before` is (last_at, id) of the last one of the page before."""
    query = sa.select(*_kept).where(refusals.c.gate == gate).order_by(refusals.c.last_at.desc(), refusals.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(sa.tuple_(refusals.c.last_at, refusals.c.id) < sa.tuple_(*before))
    return [RefusalRow(**row._asdict()) for row in connection.execute(query)]


def forget(connection: sa.Connection, gate: int) -> int:
    """All of a gate, before it is tried out anew; how many these were."""
    return connection.execute(refusals.delete().where(refusals.c.gate == gate)).rowcount


def _key(each: Refusal) -> str:
    return hashlib.sha256("\0".join(str(getattr(each, name)) for name in _SAME).encode()).hexdigest()


# --- what an answer depends on ---------------------------------------------------------------------------------------


Stamps = tuple[tuple[int, ...], tuple[int, ...]]
"""(what could take an approval back, what could give one), of which each differs whenever something of it was written."""


def stamps(connection: sa.Connection) -> Stamps:
    """As of now, in every process: what was taken back acts at once.

    Rests on that who revokes, or says whom to believe, holds a lock until he is done: their numbers rise in the order in which they can
    be seen.
    """
    return _stamped(connection.execute(sa.select(*_stamps())).one())


def _stamps() -> list[sa.ScalarSelect[Any]]:
    ended = sa.select(sa.func.count(endorsing_key.c.ended_at)).scalar_subquery()
    return [_newest(endorsement), _newest(revocation), _newest(trust_version), _newest(endorsing_key), ended]


def _stamped(found: Sequence[Any]) -> Stamps:
    given, *taken = (int(each or 0) for each in found)
    return tuple(taken), (given, *taken)


def _newest(rows: sa.Table) -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.max(rows.c.id)).scalar_subquery()
