"""The trail of people's actions: who did what to what, when, with which outcome, from where. It only grows, and each entry holds the digest
of the one before, so that nothing can be taken out unseen.
"""

from __future__ import annotations

import hashlib

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.digest import canonical
from assaymark.store.tables import audit_event as table

_LOCK = 0x747261696C


class Action(Struct, frozen=True, omit_defaults=True):
    """What is recorded."""

    at: Instant
    actor: str
    """Login, or ``server`` for what nobody asked for."""
    action: str
    """``<what>.<how>`` in the past tense, e.g. ``token.created``."""
    outcome: str
    """``success``, ``refused``, ``failed``."""
    person: PersonId | None = None
    object_kind: str = ""
    object: str = ""
    team: TeamId | None = None
    origin: str = ""
    """Address of the request."""
    details: dict[str, str] = {}
    """Never a secret."""


def record(connection: sa.Connection, action: Action) -> None:
    """Append within the caller's transaction; on PostgreSQL one at a time, so that the chain has one end."""
    lock(connection)
    previous = connection.execute(sa.select(table.c.digest).order_by(table.c.id.desc()).limit(1)).scalar() or ""
    connection.execute(
        table.insert(),
        {
            "at": action.at,
            "person": action.person,
            "actor": action.actor,
            "action": action.action,
            "object_kind": action.object_kind,
            "object": action.object,
            "team": action.team,
            "outcome": action.outcome,
            "origin": action.origin,
            "details": msgspec.json.encode(action.details, order="sorted").decode(),
            "previous": previous,
            "digest": chained(previous, action),
        },
    )


def lock(connection: sa.Connection) -> None:
    """Nobody else appends, to the trail or to the transparency log, until this transaction ends. SQLite has one writer anyway.

    One lock for both: two transactions that write to both, each in its own order, would otherwise wait for each other for ever.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def chained(previous: str, action: Action) -> str:
    """Digest of an entry, SHA-256 over the one before and its canonical form."""
    return hashlib.sha256(previous.encode() + b"\0" + canonical(action)).hexdigest()


# --- what is asked of it ---------------------------------------------------------------------------------------------


class Event(Struct, frozen=True):
    """An entry."""

    id: int
    at: Instant
    person: PersonId | None
    actor: str
    action: str
    object_kind: str
    object: str
    team: TeamId | None
    outcome: str
    origin: str
    details: dict[str, str]
    previous: str
    digest: str

    @property
    def said(self) -> Action:
        """What was recorded."""
        values = {name: getattr(self, name) for name in Action.__struct_fields__}
        return Action(**values)


class Filter(Struct, frozen=True):
    """Which entries; empty is all."""

    person: PersonId | None = None
    actor: str = ""
    action: str = ""
    """A whole one, or with a dot at its end all of a kind (``token.``)."""
    object_kind: str = ""
    object: str = ""
    outcome: str = ""
    since: Instant | None = None
    until: Instant | None = None
    """Not at that moment itself."""
    teams: frozenset[TeamId] | None = None
    """Only what belongs to one of these; None for all, also what belongs to none."""


_columns = tuple(table.c[name] for name in Event.__struct_fields__)


def page(connection: sa.Connection, wanted: Filter, *, before: tuple[Instant, int] | None, limit: int) -> list[Event]:
    """Newest first, before this moment and id."""
    query = sa.select(*_columns).where(*_conditions(wanted)).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(sa.tuple_(table.c.at, table.c.id) < sa.tuple_(*(sa.literal(value) for value in before)))
    return [_event(row) for row in connection.execute(query)]


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    exact = {"person": wanted.person, "actor": wanted.actor, "object_kind": wanted.object_kind, "object": wanted.object}
    exact["outcome"] = wanted.outcome
    found: list[sa.ColumnElement[bool]] = [table.c[name] == value for name, value in exact.items() if value not in ("", None)]
    if wanted.action.endswith("."):
        found += [table.c.action >= wanted.action, table.c.action < wanted.action[:-1] + "/"]  # the letter after the dot
    elif wanted.action:
        found.append(table.c.action == wanted.action)
    if wanted.since is not None:
        found.append(table.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(table.c.at < wanted.until)
    if wanted.teams is not None:
        found.append(table.c.team.in_(wanted.teams))
    return found


class Check(Struct, frozen=True):
    """Whether a part of the chain holds."""

    entries: int
    last: int
    """Id of the last entry that was looked at; 0 when there was none."""
    digest: str
    """Of that entry: keep it elsewhere, and a trail that was cut shorter or written anew does not have it any more."""
    broken_at: int | None
    """Id of the first entry that does not follow from the one before."""


_AT_ONCE = 2000


def verify(connection: sa.Connection, *, after: int, most: int) -> Check:
    """Compute the chain again from the entry after this one, over at most so many."""
    start = connection.execute(sa.select(table.c.digest).where(table.c.id <= after).order_by(table.c.id.desc()).limit(1)).scalar()
    previous, last, count = start or "", after if start else 0, 0
    while count < most:
        query = sa.select(*_columns).where(table.c.id > last).order_by(table.c.id).limit(min(_AT_ONCE, most - count))
        events = [_event(row) for row in connection.execute(query)]
        for event in events:
            if event.previous != previous or event.digest != chained(previous, event.said):
                return Check(count, last, previous, event.id)
            previous, last, count = event.digest, event.id, count + 1
        if len(events) < _AT_ONCE:
            break
    return Check(count, last, previous, None)


def _event(row: sa.Row[tuple[object, ...]]) -> Event:
    values = row._asdict()
    return Event(**values | {"details": msgspec.json.decode(values["details"], type=dict[str, str])})
