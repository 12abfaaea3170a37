"""Comments: what people say about a finding, a subject, a change or an item.

Guarantees: nothing that was said is changed or lost. An edit is another row that names the row in which the comment began, taking it back
is one without words; a thread shows the newest of each. Whether somebody may read or write is the caller's question; what stands about a
finding, which may stand in things of several teams, belongs to the team for which it was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.tables import comment as table
from assaymark.store.tables import mention, person
from assaymark.store.texts import plain

LONGEST = 10_000
"""Characters of a comment."""
MOST_VERSIONS = 500
c = table.c


class About(StrEnum):
    """What a comment is about."""

    FINDING = "finding"
    SUBJECT = "subject"
    ASSESSMENT = "assessment"
    ITEM = "item"


class Thing(Struct, frozen=True):
    """One of those."""

    about: About
    number: int


class CommentRow(Struct, frozen=True):
    """A comment as it reads now."""

    id: int
    about: About
    number: int
    team: TeamId | None
    person: PersonId
    login: str
    text: str
    """As it was written; empty when it was taken back."""
    at: Instant
    """When it was begun."""
    edited_at: Instant | None


class Version(Struct, frozen=True):
    """A comment as it read from then on."""

    id: int
    at: Instant
    text: str


class Words(Struct, frozen=True):
    """What is said for the first time."""

    thing: Thing
    team: TeamId | None
    person: PersonId
    text: str


def say(connection: sa.Connection, words: Words, at: Instant) -> int:
    """A new comment."""
    row = {"about": words.thing.about.value, "number": words.thing.number, "team": words.team, "person": words.person}
    return int(connection.execute(table.insert().returning(c.id), row | {"text": plain(words.text), "at": at}).scalar_one())


def say_again(connection: sa.Connection, row: CommentRow, text: str, at: Instant) -> int:
    """Another version; empty takes the comment back."""
    values = {"about": row.about.value, "number": row.number, "team": row.team, "person": row.person, "first": row.id}
    return int(connection.execute(table.insert().returning(c.id), values | {"text": plain(text), "at": at}).scalar_one())


def get(connection: sa.Connection, number: int) -> CommentRow | None:
    """A comment by the row in which it began."""
    found = _rows(connection, connection.execute(_begun().where(c.id == number)).all())
    return found[0] if found else None


def thread(
    connection: sa.Connection, teams: Teams, thing: Thing, *, after: int = 0, limit: int = 50
) -> tuple[list[CommentRow], int | None]:
    """What was said about something, in the order in which it was begun, and where the page ended when there is more."""
    limit = max(1, min(limit, MOST_ROWS))
    query = _begun().where(c.about == thing.about.value, c.number == thing.number, *of_teams(c.team, teams), c.id > after)
    rows = connection.execute(query.order_by(c.id).limit(limit + 1)).all()
    return _rows(connection, rows[:limit]), rows[limit - 1].id if len(rows) > limit else None


def versions(connection: sa.Connection, number: int) -> list[Version]:
    """How a comment read, oldest first."""
    query = sa.select(c.id, c.at, c.text).where(sa.or_(c.id == number, c.first == number)).order_by(c.id).limit(MOST_VERSIONS)
    return [Version(*row) for row in connection.execute(query)]


def _begun() -> sa.Select[tuple[object, ...]]:
    columns = (c.id, c.about, c.number, c.team, c.person, person.c.login, c.text, c.at)
    return sa.select(*columns).join(person, person.c.id == c.person).where(c.first.is_(None))


def _rows(connection: sa.Connection, begun: Iterable[sa.Row[tuple[object, ...]]]) -> list[CommentRow]:
    rows = {row.id: row for row in begun}
    newest = sa.select(sa.func.max(c.id)).where(c.first.in_(list(rows))).group_by(c.first)
    edits = {row.first: row for row in connection.execute(sa.select(c.first, c.text, c.at).where(c.id.in_(newest)))} if rows else {}
    made = []
    for number, row in rows.items():
        edit = edits.get(number)
        text, edited = (edit.text, edit.at) if edit else (row.text, None)
        made.append(CommentRow(number, About(row.about), row.number, row.team, row.person, row.login, text, row.at, edited))
    return made


# --- who was called --------------------------------------------------------------------------------------------------


class MentionRow(Struct, frozen=True):
    """Somebody called you."""

    id: int
    comment: int
    about: About
    number: int
    login: str
    """Who did."""
    at: Instant


def call(connection: sa.Connection, comment: int, people: Iterable[PersonId], at: Instant) -> list[PersonId]:
    """Note who is named in a comment; gives those who were not before."""
    held = {row[0] for row in connection.execute(sa.select(mention.c.person).where(mention.c.comment == comment))}
    fresh = [each for each in dict.fromkeys(people) if each not in held]
    if fresh:
        connection.execute(mention.insert(), [{"comment": comment, "person": each, "at": at} for each in fresh])
    return fresh


def mentions(connection: sa.Connection, whom: PersonId, *, before: int | None, limit: int) -> list[MentionRow]:
    """Where somebody was called, newest first."""
    m = mention.c
    query = sa.select(m.id, m.comment, c.about, c.number, person.c.login, m.at).join(table, c.id == m.comment)
    query = query.join(person, person.c.id == c.person).where(m.person == whom).order_by(m.id.desc()).limit(limit)
    if before is not None:
        query = query.where(m.id < before)
    return [MentionRow(row[0], row[1], About(row[2]), *row[3:]) for row in connection.execute(query)]
