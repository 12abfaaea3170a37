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
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
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


def chained(previous: str, action: Action) -> str:
    """Digest of an entry, SHA-256 over the one before and its canonical form."""
    return hashlib.sha256(previous.encode() + b"\0" + canonical(action)).hexdigest()
