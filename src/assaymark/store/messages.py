"""Messages of subscriptions: written in the transaction of their cause, tried until they are taken or given up, kept as a log.

Guarantees: an attempt is counted before it is made; of two processes one makes it; a message that was given up, or sent, can be sent again
under the same number. With the pauses of `PAUSES` a receiver that is down for three days loses nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import SECOND, Instant
from assaymark.store import bulk
from assaymark.store.subscriptions import SubscriptionRow, new_uid
from assaymark.store.tables import channel_message as table
from assaymark.store.tables import happening as happenings

_MINUTE, _HOUR = 60 * SECOND, 3600 * SECOND
PAUSES = (5 * SECOND, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""After each attempt that failed; then it is given up, more than three days after the first."""
ATTEMPTS = len(PAUSES) + 1
_ITS_FAULT, _ASKED_FOR_PATIENCE = 500, (408, 425, 429)
_JITTER = 4
"""A pause is up to a quarter longer, so that what failed together does not come back together."""


class MessageState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given-up"


class MessageRow(Struct, frozen=True):
    """A message and what became of it."""

    id: int
    uid: str
    subscription: int
    happening: int
    kind: str
    """Of the happening."""
    title: str
    state: MessageState
    attempts: int
    created_at: Instant
    due_at: Instant
    tried_at: Instant | None
    sent_at: Instant | None
    status: int
    """Of the last answer; 0 when there was none."""
    milliseconds: int
    error: str


class Answered(Struct, frozen=True):
    """What one attempt came to."""

    status: int
    milliseconds: int
    error: str = ""
    """Empty: it was taken."""


_own = [name for name in MessageRow.__struct_fields__ if name not in ("kind", "title")]
_COLUMNS = tuple(table.c[name] if name in _own else happenings.c[name] for name in MessageRow.__struct_fields__)
_JOINED = sa.select(*_COLUMNS).join(happenings, happenings.c.id == table.c.happening)


def write(link: sa.Connection, subscription: int, happening: int, *, at: Instant) -> int:
    """A message that is due now, within the caller's transaction."""
    row = {"uid": new_uid(), "subscription": subscription, "happening": happening, "state": MessageState.WAITING}
    row |= {"created_at": at, "due_at": at, "attempts": 0}
    return int(link.execute(table.insert().returning(table.c.id), row).scalar_one())


def due(link: sa.Connection, subscription: int, at: Instant, *, most: int) -> Sequence[MessageRow]:
    """What is to be sent now, what waits longest first."""
    waits = (table.c.subscription == subscription, table.c.state == MessageState.WAITING, table.c.due_at <= at)
    return [_row(row) for row in link.execute(_JOINED.where(*waits).order_by(table.c.due_at, table.c.id).limit(most))]


def next_due(link: sa.Connection, subscription: int) -> Instant | None:
    """When the next one is to be sent; None when none waits."""
    waits = (table.c.subscription == subscription, table.c.state == MessageState.WAITING)
    first = link.execute(sa.select(sa.func.min(table.c.due_at)).where(*waits)).scalar()
    return None if first is None else Instant(first)


def waiting(link: sa.Connection, at: Instant, *, most: int) -> Sequence[int]:
    """Subscriptions for which something was to be sent before then, for whoever looks after jobs that were lost."""
    waits = (table.c.state == MessageState.WAITING, table.c.due_at <= at)
    return [int(number) for number in link.execute(sa.select(table.c.subscription).where(*waits).distinct().limit(most)).scalars()]


def get(link: sa.Connection, subscription: int, number: int) -> MessageRow | None:
    """One of a subscription."""
    row = link.execute(_JOINED.where(table.c.id == number, table.c.subscription == subscription)).first()
    return _row(row) if row else None


def page(link: sa.Connection, subscription: int, *, before: int | None, limit: int) -> Sequence[MessageRow]:
    """The log, newest first."""
    earlier = [] if before is None else [table.c.id < before]
    query = _JOINED.where(table.c.subscription == subscription, *earlier).order_by(table.c.id.desc()).limit(limit)
    return [_row(row) for row in link.execute(query)]


def begin(link: sa.Connection, message: MessageRow, at: Instant) -> bool:
    """Count an attempt before it is made, so that a crash is one too; False when another process was first."""
    pause = PAUSES[min(message.attempts, len(PAUSES) - 1)]
    later = at + pause + secrets.randbelow(pause // _JITTER)
    mine = (table.c.id == message.id, table.c.state == MessageState.WAITING, table.c.attempts == message.attempts)
    done = link.execute(table.update().where(*mine).values(attempts=message.attempts + 1, due_at=later, tried_at=at))
    return done.rowcount == 1


def settle(link: sa.Connection, message: MessageRow, answered: Answered, at: Instant) -> MessageState:
    """Write down what the attempt came to."""
    state = MessageState.SENT if not answered.error else MessageState.WAITING
    if answered.error and message.attempts + 1 >= ATTEMPTS:
        state = MessageState.GIVEN_UP
    values: dict[str, object] = {
        "state": state,
        "status": answered.status,
        "milliseconds": answered.milliseconds,
        "error": answered.error[:500],
    }
    values |= {"sent_at": at} if state is MessageState.SENT else {}
    link.execute(table.update().where(table.c.id == message.id).values(**values))
    return state


def hasten(link: sa.Connection, subscription: int, at: Instant) -> int:
    """Its receiver is back: what it did not take because it was away is due now; what it refused for itself keeps its pause."""
    away = sa.or_(table.c.status == 0, table.c.status >= _ITS_FAULT, table.c.status.in_(_ASKED_FOR_PATIENCE))
    waits = (table.c.subscription == subscription, table.c.state == MessageState.WAITING, table.c.due_at > at, away)
    return link.execute(table.update().where(*waits).values(due_at=at)).rowcount


def replay(link: sa.Connection, number: int, at: Instant) -> None:
    """Let it be sent again, with all its attempts, under its own number."""
    values = {"state": MessageState.WAITING, "attempts": 0, "due_at": at, "error": ""}
    link.execute(table.update().where(table.c.id == number).values(**values))


def give_up_all(link: sa.Connection, subscription: int, why: str) -> int:
    """What waits is given up; it can be replayed."""
    waits = (table.c.subscription == subscription, table.c.state == MessageState.WAITING)
    return link.execute(table.update().where(*waits).values(state=MessageState.GIVEN_UP, error=why[:500])).rowcount


def forget(link: sa.Connection, state: MessageState, *, before: Instant, most: int) -> int:
    """Remove the oldest in this state that were written before then; gives how many."""
    old = sa.select(table.c.id).where(table.c.state == state, table.c.created_at < before).order_by(table.c.created_at).limit(most)
    ids = list(link.execute(old).scalars())
    for portion in bulk.portions(ids):
        link.execute(table.delete().where(bulk.among(link, table.c.id, portion)))
    return len(ids)


def _row(row: sa.Row[tuple[object, ...]]) -> MessageRow:
    values: dict[str, object] = dict(zip(MessageRow.__struct_fields__, row, strict=True))
    values["state"] = MessageState(str(values["state"]))
    return MessageRow(**values)  # type: ignore[arg-type]


def needs_rest(row: SubscriptionRow, at: Instant) -> bool:
    """Whether its receiver is to be left alone now."""
    return row.resting_until > at
