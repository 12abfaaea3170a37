"""What was promised: within how many days a finding of a severity is gone, and the risk level that somebody chose; for all, or for a team.

Guarantees: a promise is followed by a later one and never edited, so that what was due as of a day stays what was due; a team without its
own has that of all, and before anybody said anything the defaults of this release hold. Days are counted in whole days of UTC: what came on
a day and has seven days is late from the beginning of the eighth day after it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.severity import Severity
from assaymark.store.tables import promise as table
from assaymark.verdict.policy import Level

DAY = 86_400 * SECOND
NEVER = -1
"""In `Terms.days_by_rank`: nothing was promised."""
_NAMES = tuple(each.value for each in Severity)
Days = Annotated[int, Meta(ge=0, le=3650)]


class Terms(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Days from when a finding came into a subject; None: nothing is promised."""

    critical: Days | None = 7
    high: Days | None = 30
    medium: Days | None = 90
    low: Days | None = 180
    info: Days | None = None
    level: Level | None = None
    """The risk level that was chosen; None: nobody chose one."""

    @property
    def days_by_rank(self) -> tuple[int, ...]:
        """By rank of severity."""
        return tuple(NEVER if (days := getattr(self, each.value)) is None else days for each in Severity)


DEFAULT = Terms()


class Promises(Struct, frozen=True):
    """What held at an instant."""

    all: Terms = DEFAULT
    own: dict[int, Terms] = {}
    """Of teams that have their own."""

    def of(self, team: int | None) -> Terms:
        return self.all if team is None else self.own.get(team, self.all)

    def days(self, team: int | None, rank: int) -> int:
        """Days for a severity; `NEVER` when nothing is promised. Asked for each of thousands of sums."""
        days: int | None = getattr(self.of(team), _NAMES[rank])
        return NEVER if days is None else days

    @property
    def all_days(self) -> frozenset[int]:
        """Every number of days that matters anywhere."""
        return frozenset(days for terms in (self.all, *self.own.values()) for days in terms.days_by_rank)


class PromiseRow(Struct, frozen=True):
    """What was said when, by whom."""

    id: int
    at: Instant
    team: TeamId | None
    terms: Terms | None
    """None: what holds for all holds for this team again."""
    person: PersonId | None


class Said(Struct, frozen=True):
    """A promise to write down."""

    at: Instant
    team: TeamId | None
    terms: Terms | None
    person: PersonId | None = None


def add(connection: sa.Connection, said: Said) -> int:
    """Write it down, behind all others."""
    text = msgspec.json.encode(said.terms).decode() if said.terms is not None else ""
    row = {"at": said.at, "team": said.team, "terms": text, "person": said.person}
    return int(connection.execute(table.insert().returning(table.c.id), row).scalar_one())


class Ledger:
    """Everything that was ever promised, read once: promises are made seldom."""

    def __init__(self, connection: sa.Connection) -> None:
        query = sa.select(table.c.at, table.c.team, table.c.terms).order_by(table.c.at, table.c.id)
        self._rows = [(row.at, row.team, _read(row.terms)) for row in connection.execute(query)]

    def at(self, instant: int) -> Promises:
        """What held then."""
        common, own = DEFAULT, dict[int, Terms]()
        for at, team, terms in self._rows:
            if at > instant:
                break
            if team is None:
                common = terms or DEFAULT
            elif terms is None:
                own.pop(team, None)
            else:
                own[team] = terms
        return Promises(common, own)


def in_force(connection: sa.Connection, at: Instant) -> Promises:
    """What held at the instant."""
    return Ledger(connection).at(at)


def history(connection: sa.Connection, team: TeamId | None, *, before: int | None, limit: int) -> list[PromiseRow]:
    """What was said for a team (None: for all), newest first."""
    query = sa.select(table).where(table.c.team.is_(None) if team is None else table.c.team == team)
    if before is not None:
        query = query.where(table.c.id < before)
    rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit))
    return [PromiseRow(row.id, row.at, row.team, _read(row.terms), row.person) for row in rows]


def _read(text: str) -> Terms | None:
    return msgspec.json.decode(text, type=Terms) if text else None


def due(since: int, days: int) -> Instant | None:
    """The last microsecond in which it is not late."""
    return None if days == NEVER else Instant((since // DAY + days + 1) * DAY - 1)
