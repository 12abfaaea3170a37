"""Policies of the organisation: versions, and what was done with them.

Guarantees: a version is never changed, and its digest is that of its document; what was done is appended. What is in force at an instant
follows from the events up to it alone: of each name the last activation or retirement whose time is not over, so an activation that rests
on an exception ends by itself and leaves what stood firm before it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import policy_approval, policy_source, repository
from assaymark.store.tables import policy_event as events
from assaymark.store.tables import policy_version as versions

_LOCK = 0x706F6C696379
MOST_IN_FORCE = 1_000


class EventKind(StrEnum):
    """What was done."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    OBJECTED = "objected"
    ACTIVATED = "activated"
    RETIREMENT_PROPOSED = "retirement-proposed"
    RETIRED = "retired"


_FORCE = (EventKind.ACTIVATED.value, EventKind.RETIRED.value)
_decides = events.c.kind.in_([sa.literal_column(f"'{kind}'") for kind in _FORCE])  # literals, so that the index of these is chosen


class Draft(Struct, frozen=True):
    """A version that is to be kept."""

    name: str
    version: str
    digest: str
    document: str
    author: str
    person: PersonId | None = None
    source: int | None = None
    path: str = ""
    commit: str = ""


class VersionRow(Struct, frozen=True):
    """A version."""

    id: int
    name: str
    version: str
    digest: str
    document: str
    person: PersonId | None
    author: str
    source: int | None
    """Where it is read from; None for one that lives on the server."""
    path: str
    commit: str
    created_at: Instant


class PolicyException(Struct, frozen=True, omit_defaults=True):
    """Why something weaker may take effect, and until when."""

    reason: str
    owner: str
    approver: str
    until: str
    """Last day, ISO."""


class EventRow(Struct, frozen=True):
    """What somebody did with a policy."""

    id: int
    name: str
    version: int | None
    kind: EventKind
    at: Instant
    person: PersonId | None
    actor: str
    comment: str
    weakens: tuple[str, ...]
    exception: PolicyException | None
    until: Instant | None
    """Last moment of an activation that rests on an exception."""


class PolicyRow(Struct, frozen=True):
    """A policy in a list."""

    name: str
    in_force: str
    """Version in force; empty when none is."""
    digest: str
    since: Instant | None
    until: Instant | None
    newest: str
    """Version that was proposed last."""
    source: int | None
    """Of the newest version."""
    repository: str
    path: str
    commit: str


_VERSION = tuple(versions.c[name] for name in VersionRow.__struct_fields__)
_EVENT = tuple(events.c[name] for name in EventRow.__struct_fields__)


def lock(connection: sa.Connection) -> None:
    """Until the transaction ends nobody else changes what is in force; on SQLite that is so anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def add(connection: sa.Connection, draft: Draft, at: Instant) -> int | None:
    """Keep a version; None when its digest, or its name and version, are kept already."""
    values = {name: getattr(draft, name) for name in Draft.__struct_fields__}
    taken = sa.select(versions.c.id).where(versions.c.name == draft.name, versions.c.version == draft.version)
    if connection.execute(taken).first() is not None:
        return None
    return insert_new(connection, versions, values | {"created_at": at}, "digest")


def note(connection: sa.Connection, name: str, kind: EventKind, at: Instant, **more: Any) -> int:
    """Append what was done (further columns by name)."""
    values = {"name": name, "kind": kind.value, "at": at, **more}
    values["weakens"] = msgspec.json.encode(more.get("weakens", ())).decode()
    exception = more.get("exception")
    values["exception"] = msgspec.json.encode(exception).decode() if exception is not None else ""
    return int(connection.execute(events.insert().returning(events.c.id), values).scalar_one())


# --- questions -------------------------------------------------------------------------------------------------------


def version(connection: sa.Connection, name: str, number: str) -> VersionRow | None:
    """By name and version."""
    return _one(connection, versions.c.name == name, versions.c.version == number)


def by_digest(connection: sa.Connection, digest: str) -> VersionRow | None:
    return _one(connection, versions.c.digest == digest)


def newest(connection: sa.Connection, name: str) -> VersionRow | None:
    """The version that was proposed last."""
    return next(iter(history(connection, name, limit=1)), None)


def history(connection: sa.Connection, name: str, *, before: int | None = None, limit: int = 50) -> list[VersionRow]:
    """Versions of a policy, newest first."""
    query = sa.select(*_VERSION).where(versions.c.name == name).order_by(versions.c.id.desc()).limit(limit)
    query = query.where(versions.c.id < before) if before is not None else query
    return [_version(row) for row in connection.execute(query)]


def events_of(connection: sa.Connection, name: str, *, before: int | None = None, limit: int = 100) -> list[EventRow]:
    """What was done with a policy, newest first."""
    query = sa.select(*_EVENT).where(events.c.name == name).order_by(events.c.id.desc()).limit(limit)
    query = query.where(events.c.id < before) if before is not None else query
    return [_event(row) for row in connection.execute(query)]


def events_of_version(connection: sa.Connection, number: int) -> list[EventRow]:
    """What was done with one version, oldest first."""
    query = sa.select(*_EVENT).where(events.c.version == number).order_by(events.c.id).limit(1000)
    return [_event(row) for row in connection.execute(query)]


def in_force(connection: sa.Connection, at: Instant) -> list[tuple[VersionRow, EventRow]]:
    """What applies at an instant, by name."""
    holds = sa.or_(events.c.until.is_(None), events.c.until >= at)
    last = sa.select(sa.func.max(events.c.id)).where(_decides, events.c.at <= at, holds).group_by(events.c.name)
    query = sa.select(*_EVENT).where(events.c.id.in_(last), events.c.kind == EventKind.ACTIVATED.value).order_by(events.c.name)
    found = [_event(row) for row in connection.execute(query.limit(MOST_IN_FORCE))]
    ids = [each.version for each in found]
    rows = {row.id: _version(row) for row in connection.execute(sa.select(*_VERSION).where(versions.c.id.in_(ids)))} if ids else {}
    return [(rows[each.version], each) for each in found if each.version is not None]


def standing(connection: sa.Connection, name: str, at: Instant, *, firm: bool = False) -> VersionRow | None:
    """The version of a policy that is in force; `firm`: the one that is left when every exception has ended."""
    holds = events.c.until.is_(None) if firm else sa.or_(events.c.until.is_(None), events.c.until >= at)
    query = sa.select(events.c.version, events.c.kind).where(_decides, events.c.name == name, events.c.at <= at, holds)
    row = connection.execute(query.order_by(events.c.id.desc()).limit(1)).first()
    if row is None or row.kind != EventKind.ACTIVATED:
        return None
    return _one(connection, versions.c.id == row.version)


def page(connection: sa.Connection, at: Instant, *, after: str, limit: int) -> list[PolicyRow]:
    """Every policy of which there is a version, by name."""
    latest = sa.select(sa.func.max(versions.c.id)).where(versions.c.name > after).group_by(versions.c.name)
    query = sa.select(*_VERSION, repository.c.name.label("repository_name")).where(versions.c.id.in_(latest))
    query = query.outerjoin(policy_source, policy_source.c.id == versions.c.source)
    query = query.outerjoin(repository, repository.c.id == policy_source.c.repository)
    rows = list(connection.execute(query.order_by(versions.c.name).limit(limit)))
    force = {each.name: (each, event) for each, event in in_force(connection, at)}
    return [_policy(row, *force.get(row.name, (None, None))) for row in rows]


def _policy(row: Any, holding: VersionRow | None, event: EventRow | None) -> PolicyRow:
    return PolicyRow(
        row.name, holding.version if holding else "", holding.digest if holding else "", event.at if event else None,
        event.until if event else None, row.version, row.source, row.repository_name or "", row.path, row.commit,
    )  # fmt: skip


def _one(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> VersionRow | None:
    row = connection.execute(sa.select(*_VERSION).where(*conditions)).first()
    return _version(row) if row is not None else None


def _version(row: Any) -> VersionRow:
    return VersionRow(**{name: getattr(row, name) for name in VersionRow.__struct_fields__})


def _event(row: Any) -> EventRow:
    values = {name: getattr(row, name) for name in EventRow.__struct_fields__}
    values["kind"] = EventKind(row.kind)
    values["weakens"] = msgspec.json.decode(row.weakens, type=tuple[str, ...])
    values["exception"] = msgspec.json.decode(row.exception, type=PolicyException) if row.exception else None
    return EventRow(**values)


# --- approvals -------------------------------------------------------------------------------------------------------


class ApprovalRow(Struct, frozen=True):
    """Somebody approved of a head."""

    rule: str
    """``<policy>/<rule>``."""
    actor: str
    reason: str
    at: Instant


def approve(  # noqa: PLR0913 - one per column
    connection: sa.Connection, subject: SubjectId, head: str, rule: str, *, person: PersonId | None, actor: str, reason: str, at: Instant
) -> bool:
    """Append it; False when there is one."""
    row = {"subject": subject, "head": head, "rule": rule, "person": person, "actor": actor, "reason": reason, "at": at}
    return insert_new(connection, policy_approval, row, "subject", "head", "rule") is not None


def approvals(connection: sa.Connection, subject: SubjectId, head: str) -> list[ApprovalRow]:
    """Of a head of a subject."""
    c = policy_approval.c
    query = sa.select(c.rule, c.actor, c.reason, c.at).where(c.subject == subject, c.head == head).order_by(c.id).limit(1000)
    return [ApprovalRow(row.rule, row.actor, row.reason, row.at) for row in connection.execute(query)]
