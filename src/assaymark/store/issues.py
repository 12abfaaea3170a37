"""Issues that tell of items: which connections want them, and what is known of each.

Guarantees: an issue's row is there before it is first tried to be made, and says when that was; its number is kept with what it says, in
one statement, so that what is known of it is never half of two attempts.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.new_rows import insert_new
from assaymark.store.outbox import ATTEMPTS, MessageState
from assaymark.store.tables import connection as connections
from assaymark.store.tables import issue, outbox, repository


class Tracking(Struct, frozen=True):
    """A connection that wants issues."""

    connection: int
    kind: str
    api_url: str
    team: TeamId | None
    options: dict[str, Any]
    has_token: bool


class Known(Struct, frozen=True):
    """What is known of an issue."""

    item: int
    connection: int
    remote: str = ""
    url: str = ""
    state: str = ""
    digest: str = ""
    tried_at: Instant | None = None


class Home(Struct, frozen=True):
    """A repository as its forge knows it."""

    connection: int | None
    name: str
    forge_id: str
    ended: bool


_KNOWN = tuple(issue.c[name] for name in Known.__struct_fields__)


def trackings(link: sa.Connection) -> list[Tracking]:
    """Every connection that wants issues."""
    c = connections.c
    query = sa.select(c.id, c.kind, c.api_url, c.team, c.options, c.token.is_not(None)).where(c.ended_at.is_(None))
    rows = link.execute(query.where(c.options.contains('"issues"')).order_by(c.id))
    found = (Tracking(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4]), row[5]) for row in rows)
    return [each for each in found if isinstance(each.options.get("issues"), dict)]


def tracking(link: sa.Connection, number: int) -> Tracking | None:
    """One of them."""
    return next((each for each in trackings(link) if each.connection == number), None)


def home(link: sa.Connection, number: int) -> Home | None:
    """Where a repository's issues are made."""
    c = repository.c
    row = link.execute(sa.select(c.connection, c.name, c.forge_id, c.ended_at.is_not(None)).where(c.id == number)).first()
    return Home(*tuple[Any, ...](row)) if row is not None else None


def known(link: sa.Connection, item: int, connection: int) -> Known | None:
    """What is known of the issue of an item in a tracker; None when it was never tried."""
    row = link.execute(sa.select(*_KNOWN).where(issue.c.item == item, issue.c.connection == connection)).first()
    return Known(*tuple[Any, ...](row)) if row is not None else None


def in_trackers(link: sa.Connection, item: int) -> set[int]:
    """The connections in which it was ever told or tried."""
    return set(link.execute(sa.select(issue.c.connection).where(issue.c.item == item)).scalars())


def given_up(link: sa.Connection, kind: str, *, most: int = 200) -> list[tuple[str, str]]:
    """Stream and message of what was tried as often as messages are, and not said since; what was refused for good is not among it."""
    later = outbox.alias("later")
    o = outbox.c
    newer = sa.exists().where(later.c.stream == o.stream, later.c.id > o.id)
    where = (o.state == MessageState.GIVEN_UP, o.kind == kind, o.attempts >= ATTEMPTS, ~newer)
    return [(row.stream, row.message) for row in link.execute(sa.select(o.stream, o.message).where(*where).order_by(o.id).limit(most))]


def try_first(link: sa.Connection, item: int, connection: int, at: Instant) -> None:
    """It is about to be made; a row that is there stays as it is."""
    insert_new(link, issue, {"item": item, "connection": connection, "tried_at": at}, "item", "connection")


def keep(link: sa.Connection, told: Known, at: Instant) -> None:
    """What it says now, and its number."""
    values = {"remote": told.remote, "url": told.url, "state": told.state, "digest": told.digest, "changed_at": at}
    link.execute(issue.update().where(issue.c.item == told.item, issue.c.connection == told.connection).values(values))
