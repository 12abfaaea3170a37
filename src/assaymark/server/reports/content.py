"""What a report says: figures as of a day, the level of risk that was chosen beside what is, what ends soon. Values, no layout.

Guarantees: the same question about a settled day gives the same content, but for the names of teams and subjects, which are those of the
day on which it is issued; everything the written forms show stands in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store import figure_trends, figure_waivers, figures, teams
from assaymark.store.figure_sums import ALL, BAND_COUNT, Counted
from assaymark.store.figure_trends import Trend
from assaymark.store.figure_verdicts import Existing
from assaymark.store.figure_waivers import Endings
from assaymark.store.figures import WINDOW_DAYS, Figures, Reading, Scope
from assaymark.store.promises import DAY, Ledger, Promises, Terms
from assaymark.verdict.policy import APPETITE, Level

_ORDER = tuple(Level)


class Risk(Struct, frozen=True):
    """Chosen beside actual, of all or of a team."""

    name: str
    team: TeamId | None
    chosen: Level | None
    judged: int
    """Things that were judged by a policy of a level."""
    wider: int
    """Of those: by a wider level than the chosen one."""
    unknown: int
    """Things of which no level is noted."""
    above: int | None
    """Open findings at or above what the chosen level stops; None when none was chosen."""
    late: int
    open: int

    @property
    def holds(self) -> bool | None:
        """Whether everything is judged by the chosen level or a stricter one, and nothing is late; None when nothing was chosen."""
        return None if self.chosen is None else self.wider == 0 and self.late == 0


class Content(Struct, frozen=True):
    """Of one report."""

    title: str
    server: str
    """Its address."""
    team: TeamId | None
    as_of: Instant
    issued_at: Instant
    now: Figures
    before: Figures
    """At the beginning of the window."""
    trend: Trend
    risk: Risk
    teams: tuple[Risk, ...]
    endings: Endings
    promised: Terms


class Asked(Struct, frozen=True):
    """Which report."""

    team: TeamId | None
    as_of: Instant
    issued_at: Instant
    server: str


def content(connection: sa.Connection, asked: Asked) -> Content:
    """Everything in it."""
    scope = Scope(team=asked.team)
    reading = Reading(connection, scope)
    now = figures.read(reading, asked.as_of)
    promises = Ledger(connection).at(asked.as_of)
    found = figures.existing(connection, scope, asked.as_of)
    name = _name(connection, asked.team)
    return Content(
        title=name,
        server=asked.server,
        team=asked.team,
        as_of=asked.as_of,
        issued_at=asked.issued_at,
        now=now,
        before=figures.read(reading, Instant(max(0, asked.as_of - WINDOW_DAYS * DAY))),
        trend=figure_trends.trend(connection, scope, asked.as_of),
        risk=_risk((name, asked.team), promises, found, reading.counted(asked.as_of)),
        teams=_teams(reading, asked, promises, found) if asked.team is None else (),
        endings=figure_waivers.ending(connection, scope, asked.as_of),
        promised=promises.of(asked.team),
    )


def _name(connection: sa.Connection, team: TeamId | None) -> str:
    row = teams.get(connection, team) if team is not None else None
    return row.name if row else "everything"


def _teams(reading: Reading, asked: Asked, promises: Promises, found: list[Existing]) -> tuple[Risk, ...]:
    counted = reading.by_team(asked.as_of)
    made = []
    for team in sorted({*counted, *(row.team for row in found if row.team is not None)} - {ALL}):
        mine = [row for row in found if row.team == team]
        made.append(_risk((_name(reading.connection, TeamId(team)), TeamId(team)), promises, mine, counted.get(team, Counted.nothing())))
    return tuple(sorted(made, key=lambda risk: (-risk.late, -risk.open, risk.name)))


def _risk(who: tuple[str, TeamId | None], promises: Promises, found: list[Existing], counted: Counted) -> Risk:
    chosen = promises.of(who[1]).level
    known = [Level(row.level) for row in found if row.level in set(Level)]
    above = None
    if chosen is not None:
        above = sum(counted.open[APPETITE[chosen].fail_on.rank * BAND_COUNT :])
    return Risk(
        name=who[0],
        team=who[1],
        chosen=chosen,
        judged=len(known),
        wider=sum(_ORDER.index(level) < _ORDER.index(chosen) for level in known) if chosen is not None else 0,
        unknown=len(found) - len(known),
        above=above,
        late=sum(counted.late),
        open=sum(counted.open),
    )
