"""Tries that are counted against guessing, in the database, so that they hold over processes and restarts.

A try is written down before it is known how it ends (`begin`) and taken back when it was right (`take_back`, `forgive`): many that come at
once cannot all be the last one that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import SECOND, Instant
from assaymark.store.tables import attempt as table

_LOCK = 0x617474656D
_KEPT = 86400 * SECOND
"""No limit looks back further."""


class Limit(Struct, frozen=True):
    """At most this many tries of a bucket within this time."""

    bucket: str
    most: int
    within: int
    """Microseconds."""
    is_own: bool = False
    """Whether it counts one person at one place, so that being right empties it."""


class Refused(Struct, frozen=True):
    """A limit that is reached."""

    bucket: str
    again_at: Instant
    """When the oldest try that counts no longer does."""
    is_first: bool
    """Whether this try is the one that reached it."""


def begin(connection: sa.Connection, limits: Iterable[Limit], *, now: Instant) -> Refused | None:
    """Count this try in every bucket; when one is full, say so and count no further."""
    limits = tuple(limits)
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for limit in limits:
        query = sa.select(sa.func.count(), sa.func.min(table.c.at)).where(table.c.bucket == limit.bucket, table.c.at > now - limit.within)
        count, oldest = connection.execute(query).one()
        if count >= limit.most:
            # One more row marks the bucket as told; it is never counted beyond that.
            if count == limit.most:
                connection.execute(table.insert(), {"bucket": limit.bucket, "at": now})
            return Refused(limit.bucket, Instant(oldest + limit.within), is_first=count == limit.most)
    connection.execute(table.insert(), [{"bucket": limit.bucket, "at": now} for limit in limits])
    return None


def forget(connection: sa.Connection, now: Instant) -> None:
    """Delete those that no limit looks back to."""
    connection.execute(table.delete().where(table.c.at < now - _KEPT))


def forgive(connection: sa.Connection, buckets: Iterable[str]) -> None:
    """Forget the tries of buckets: he knew it."""
    connection.execute(table.delete().where(table.c.bucket.in_(list(buckets))))


def take_back(connection: sa.Connection, bucket: str, at: Instant) -> None:
    """Forget one try."""
    newest = sa.select(table.c.id).where(table.c.bucket == bucket, table.c.at == at).limit(1).scalar_subquery()
    connection.execute(table.delete().where(table.c.id == newest))
