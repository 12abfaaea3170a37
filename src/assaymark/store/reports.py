"""Reports from anyone, and the links by which they come.

Guarantees: of the secrets in links only their digests are kept; what somebody reported is never changed, only what became of it, and each
step of that is a row of its own. Does not count tries (`store.attempts`) and does not decide who may read what.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import person, report_entry, report_link
from assaymark.store.tables import report as table
from assaymark.store.texts import plain

MOST_OPEN = 1_000
"""Reports of one link that wait for somebody; then it takes no more until some were looked at."""
MOST_ENTRIES = 500
"""Of one report."""
c, lc, ec = table.c, report_link.c, report_entry.c


class ReportState(StrEnum):
    """What became of a report."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """It is a finding now."""
    MERGED = "merged"
    """It was a finding already."""
    REFUSED = "refused"
    REPAIRED = "repaired"


class LinkRow(Struct, frozen=True):
    """An address by which anybody may report something."""

    id: int
    name: str
    hint: str
    """The first letters of its secret."""
    team: TeamId | None
    created_at: Instant
    revoked_at: Instant | None


class ReportRow(Struct, frozen=True):
    """A report."""

    id: int
    link: int
    team: TeamId | None
    what: str
    place: str
    steps: str
    contact: str
    state: ReportState
    at: Instant
    changed_at: Instant
    finding: int | None
    subject: SubjectId | None
    messages: int


class Entry(Struct, frozen=True):
    """What was said or decided."""

    id: int
    at: Instant
    login: str | None
    """None: whoever reported it."""
    state: str
    """What it became by this; empty for words alone."""
    text: str


class Report(Struct, frozen=True):
    """What somebody sends."""

    what: str
    place: str = ""
    steps: str = ""
    contact: str = ""


# --- links -----------------------------------------------------------------------------------------------------------

_link_columns = tuple(lc[name] for name in LinkRow.__struct_fields__)


def make_link(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """A new link; `values` are the columns."""
    return int(connection.execute(report_link.insert().returning(lc.id), dict(values)).scalar_one())


def link_by(connection: sa.Connection, hashed: str) -> LinkRow | None:
    """The link of a secret, unless it was revoked."""
    row = connection.execute(sa.select(*_link_columns).where(lc.hash == hashed, lc.revoked_at.is_(None))).first()
    return LinkRow(*row) if row else None


def link(connection: sa.Connection, number: int) -> LinkRow | None:
    row = connection.execute(sa.select(*_link_columns).where(lc.id == number)).first()
    return LinkRow(*row) if row else None


def links(connection: sa.Connection, teams: Teams, *, after: int, limit: int) -> list[LinkRow]:
    """In the order in which they were made, the revoked ones too."""
    query = sa.select(*_link_columns).where(lc.id > after, *of_teams(lc.team, teams)).order_by(lc.id).limit(limit)
    return [LinkRow(*row) for row in connection.execute(query)]


def revoke_link(connection: sa.Connection, number: int, at: Instant) -> bool:
    """It takes nothing any more; False when it did not before."""
    done = connection.execute(report_link.update().where(lc.id == number, lc.revoked_at.is_(None)).values(revoked_at=at))
    return done.rowcount == 1


# --- reports ---------------------------------------------------------------------------------------------------------

_columns = tuple(c[name] for name in ReportRow.__struct_fields__)


def receive(connection: sa.Connection, by: LinkRow, hashed: str, given: Report, at: Instant) -> int | None:
    """A new report; None when too many of the link wait."""
    waiting = sa.select(c.id).where(c.link == by.id, c.state == ReportState.OPEN.value).limit(MOST_OPEN)
    if len(connection.execute(waiting).all()) >= MOST_OPEN:
        return None
    words = {name: plain(getattr(given, name)) for name in Report.__struct_fields__}
    row = {"link": by.id, "team": by.team, "hash": hashed, "state": ReportState.OPEN.value, "at": at, "changed_at": at}
    return int(connection.execute(table.insert().returning(c.id), row | words).scalar_one())


def get(connection: sa.Connection, number: int, *, lock: bool = False) -> ReportRow | None:
    query = sa.select(*_columns).where(c.id == number)
    return _row(connection.execute(query.with_for_update() if lock else query).first())


def by_secret(connection: sa.Connection, hashed: str, *, lock: bool = False) -> ReportRow | None:
    """The report that somebody follows."""
    query = sa.select(*_columns).where(c.hash == hashed)
    return _row(connection.execute(query.with_for_update() if lock else query).first())


def page(connection: sa.Connection, teams: Teams, *, state: ReportState, before: int | None, limit: int) -> list[ReportRow]:
    """Those in a state, newest first."""
    query = sa.select(*_columns).where(c.state == state.value, *of_teams(c.team, teams)).order_by(c.id.desc())
    if before is not None:
        query = query.where(c.id < before)
    return [found for row in connection.execute(query.limit(limit)) if (found := _row(row)) is not None]


def _row(row: sa.Row[Any] | None) -> ReportRow | None:
    return None if row is None else ReportRow(**row._asdict() | {"state": ReportState(row.state)})


class Step(Struct, frozen=True):
    """What is said or decided."""

    text: str
    person: PersonId | None = None
    """None: whoever reported it."""
    state: ReportState | None = None
    """What it becomes."""
    finding: int | None = None
    subject: int | None = None


def proceed(connection: sa.Connection, row: ReportRow, step: Step, at: Instant) -> bool:
    """Append a step to a report that the caller has locked; False when it holds as many as it may."""
    if row.messages >= MOST_ENTRIES:
        return False
    state = "" if step.state is None else step.state.value
    entry = {"report": row.id, "at": at, "person": step.person, "state": state, "text": plain(step.text)}
    connection.execute(report_entry.insert(), entry)
    values: dict[str, Any] = {"changed_at": at, "messages": row.messages + 1}
    values |= {"state": state} if state else {}
    values |= {"finding": step.finding} if step.finding is not None else {}
    values |= {"subject": step.subject} if step.subject is not None else {}
    connection.execute(table.update().where(c.id == row.id).values(values))
    return True


def entries(connection: sa.Connection, number: int) -> list[Entry]:
    """What was said and decided, in order."""
    query = sa.select(ec.id, ec.at, person.c.login, ec.state, ec.text).outerjoin(person, person.c.id == ec.person)
    return [Entry(*row) for row in connection.execute(query.where(ec.report == number).order_by(ec.id).limit(MOST_ENTRIES))]
