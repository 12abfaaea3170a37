"""Who gets a mail of what waits for him, how often, and up to where he was told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.subscriptions import Wants
from assaymark.store.tables import digest as table

_DAY, _HOUR = 86400 * SECOND, 3600 * SECOND
_MONDAY = 4
"""Weekday of the first day of 1970 is Thursday: so many days before the first Monday."""


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"


class DigestRow(Struct, frozen=True):
    """One person's."""

    person: PersonId
    every: Every
    weekday: int
    """0 is Monday; of weekly ones."""
    hour: int
    """In UTC."""
    wants: Wants
    told_until: int
    """Number of the last happening that he was told of."""
    next_at: Instant
    sent_at: Instant | None
    failures: int
    problem: str


_COLUMNS = tuple(table.c[name] for name in DigestRow.__struct_fields__)


def next_time(every: Every, weekday: int, hour: int, after: Instant) -> Instant:
    """The first such moment after this one."""
    if every is Every.DAY:
        first = after // _DAY * _DAY + hour * _HOUR
        return Instant(first if first > after else first + _DAY)
    since_monday = (after // _DAY - _MONDAY) % 7
    first = (after // _DAY - since_monday + weekday) * _DAY + hour * _HOUR
    return Instant(first if first > after else first + 7 * _DAY)


def get(link: sa.Connection, person: PersonId) -> DigestRow | None:
    """His."""
    row = link.execute(sa.select(*_COLUMNS).where(table.c.person == person)).first()
    return _row(row) if row else None


def put(link: sa.Connection, row: DigestRow, at: Instant) -> None:
    """Begin one, or change it; a new one has a new link by which it is ended."""
    values = {"every": row.every, "weekday": row.weekday, "hour": row.hour, "wants": msgspec.json.encode(row.wants).decode()}
    values |= {"next_at": row.next_at, "failures": 0, "problem": ""}
    if link.execute(table.update().where(table.c.person == row.person).values(**values)).rowcount:
        return
    begun = {"person": row.person, "secret": secrets.token_hex(16), "created_at": at, "told_until": row.told_until}
    link.execute(table.insert(), values | begun)


def end(link: sa.Connection, person: PersonId) -> bool:
    """Send him none any more; False when he had none."""
    return link.execute(table.delete().where(table.c.person == person)).rowcount > 0


def secret(link: sa.Connection, person: PersonId) -> str:
    """What the link by which it is ended is made of; empty when there is none."""
    return link.execute(sa.select(table.c.secret).where(table.c.person == person)).scalar() or ""


def due(link: sa.Connection, at: Instant, *, most: int) -> Sequence[PersonId]:
    """Whose time has come."""
    query = sa.select(table.c.person).where(table.c.next_at <= at).order_by(table.c.next_at).limit(most)
    return [PersonId(number) for number in link.execute(query).scalars()]


def claim(link: sa.Connection, row: DigestRow, following: Instant) -> bool:
    """Before it is made: the next one is that day; False when another process was first."""
    mine = (table.c.person == row.person, table.c.next_at == row.next_at)
    return link.execute(table.update().where(*mine).values(next_at=following)).rowcount == 1


def told(link: sa.Connection, person: PersonId, until: int, *, sent_at: Instant | None) -> None:
    """He was told up to here; without `sent_at` there was nothing to say."""
    values: dict[str, object] = {"told_until": until, "failures": 0, "problem": ""}
    values |= {} if sent_at is None else {"sent_at": sent_at}
    link.execute(table.update().where(table.c.person == person).values(**values))


def failed(link: sa.Connection, row: DigestRow, problem: str, *, again: Instant | None) -> None:
    """It was not taken; tried again at that time, or (None) with the next one."""
    values: dict[str, object] = {"failures": row.failures + 1, "problem": problem[:500]}
    values |= {} if again is None else {"next_at": again}
    link.execute(table.update().where(table.c.person == row.person).values(**values))


def _row(row: sa.Row[tuple[object, ...]]) -> DigestRow:
    values: dict[str, object] = dict(zip(DigestRow.__struct_fields__, row, strict=True))
    values["every"], values["wants"] = Every(str(values["every"])), msgspec.json.decode(str(values["wants"]), type=Wants)
    return DigestRow(**values)  # type: ignore[arg-type]
