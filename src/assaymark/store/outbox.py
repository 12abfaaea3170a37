"""What is to be told: written in the transaction of its cause, sent afterwards, in order within a stream, until it is sent or given up."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import SECOND, AssessmentId, Instant
from assaymark.store import bulk
from assaymark.store.tables import outbox as table
from assaymark.store.tables import said

ATTEMPTS = 8
"""Then it is given up: with doubling pauses this is about half an hour after the first."""
_FIRST_PAUSE = 10 * SECOND


class MessageState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    OVERTAKEN = "overtaken"
    """A later message of its stream says more."""
    GIVEN_UP = "given-up"


class Message(Struct, frozen=True):
    """One row."""

    id: int
    kind: str
    stream: str
    message: str
    attempts: int
    assessment: AssessmentId | None


class Note(Struct, frozen=True):
    """What is put in."""

    kind: str
    """``status`` or ``comment``."""
    stream: str
    """Of messages of one kind in one stream only the latest is sent."""
    message: str
    assessment: AssessmentId | None = None


def write(connection: sa.Connection, note: Note, *, at: Instant, due_at: Instant | None = None) -> int:
    """Put into the outbox, within the caller's transaction; what still waits in the stream is overtaken. Sent at once, or at `due_at`."""
    waits = (table.c.stream == note.stream, table.c.kind == note.kind, table.c.state == MessageState.WAITING)
    connection.execute(table.update().where(*waits).values(state=MessageState.OVERTAKEN, sent_at=at))
    row: dict[str, object] = {"kind": note.kind, "stream": note.stream, "message": note.message, "assessment": note.assessment}
    row |= {"created_at": at, "due_at": at if due_at is None else due_at, "state": MessageState.WAITING, "attempts": 0}
    return int(connection.execute(table.insert().returning(table.c.id), row).scalar_one())


def due(connection: sa.Connection, at: Instant, *, most: int) -> Sequence[Message]:
    """What is to be sent now, oldest first."""
    query = sa.select(table.c.id, table.c.kind, table.c.stream, table.c.message, table.c.attempts, table.c.assessment)
    query = query.where(table.c.state == MessageState.WAITING, table.c.due_at <= at).order_by(table.c.due_at, table.c.id).limit(most)
    return [Message(row.id, row.kind, row.stream, row.message, row.attempts, row.assessment) for row in connection.execute(query)]


def next_due(connection: sa.Connection) -> Instant | None:
    """When the next message is to be sent; None when none waits."""
    first = connection.execute(sa.select(sa.func.min(table.c.due_at)).where(table.c.state == MessageState.WAITING)).scalar()
    return None if first is None else Instant(first)


def begin(connection: sa.Connection, message: Message, at: Instant) -> bool:
    """Count an attempt before it is made, so that a crash is one too; False when another process was first."""
    pause = _FIRST_PAUSE * 2**message.attempts
    mine = (table.c.id == message.id, table.c.state == MessageState.WAITING, table.c.attempts == message.attempts)
    done = connection.execute(table.update().where(*mine).values(attempts=message.attempts + 1, due_at=at + pause))
    return done.rowcount == 1


def sent(connection: sa.Connection, message: int, at: Instant) -> None:
    """It was taken."""
    connection.execute(table.update().where(table.c.id == message).values(state=MessageState.SENT, sent_at=at, error=""))


def failed(connection: sa.Connection, message: Message, at: Instant, error: str, *, may_pass: bool) -> None:
    """It was not; tried again later, unless that cannot help or was done often enough."""
    if may_pass and message.attempts + 1 < ATTEMPTS:
        connection.execute(table.update().where(table.c.id == message.id).values(error=error))
        return
    values = {"state": MessageState.GIVEN_UP, "sent_at": at, "error": error}
    connection.execute(table.update().where(table.c.id == message.id).values(**values))


def forget(connection: sa.Connection, *, before: Instant, most: int) -> int:
    """Remove the oldest that do not wait and were written before then; gives how many."""
    done = (table.c.state != MessageState.WAITING, table.c.created_at < before)
    ids = list(connection.execute(sa.select(table.c.id).where(*done).order_by(table.c.id).limit(most)).scalars())
    for portion in bulk.portions(ids):
        connection.execute(table.delete().where(bulk.among(connection, table.c.id, portion)))
    return len(ids)


def remembered(connection: sa.Connection, stream: str) -> tuple[str, str]:
    """Number and digest of the stream's comment; empty when none was written."""
    row = connection.execute(sa.select(said.c.remote, said.c.digest).where(said.c.stream == stream)).first()
    return (row.remote, row.digest) if row is not None else ("", "")


def remember(connection: sa.Connection, stream: str, remote: str, digest: str, at: Instant) -> None:
    """Keep them."""
    values = {"remote": remote, "digest": digest, "changed_at": at}
    if connection.execute(said.update().where(said.c.stream == stream).values(**values)).rowcount == 0:
        connection.execute(said.insert(), {"stream": stream, **values})
