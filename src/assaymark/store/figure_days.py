"""Sums of days that are over, and the numbers at any instant: the last day that was summed up, and what happened since.

Guarantees
* a day is summed up once, in order, and only when it ended `SETTLED` ago, so that nothing is written into it any more;
* the numbers at an instant are the same whether its day was summed up since or not, so asked again they are the same;
* what a question costs depends on what happened since the last day that was summed up, and on the number of teams.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from assaymark.model.assessment import SECOND
from assaymark.model.finding import Layer
from assaymark.store import bulk, figure_rows, figure_verdicts
from assaymark.store.figure_sums import ALL, Cells, Clock, Counted, Tally, changing, day_of, end_of
from assaymark.store.figure_verdicts import VERDICTS, Told
from assaymark.store.promises import DAY, Ledger
from assaymark.store.tables import assessment, occurrence, team
from assaymark.store.tables import figure_day as table

SETTLED = 3600 * SECOND
"""How long after its end a day is left alone: what is recorded takes the time of its beginning, and is written when it is done."""
MOST_DAYS = 400
"""Summed up in one go."""
_COLUMNS = ("team", "layer", "day", "counted")


def last_day(connection: sa.Connection, until: int | None = None) -> int | None:
    """The last day that was summed up and ended by then."""
    query = sa.select(table.c.day).where(table.c.team == ALL, table.c.layer == VERDICTS).order_by(table.c.day.desc()).limit(1)
    if until is not None:
        query = query.where(table.c.day <= day_of(until + 1) - 1)
    found: int | None = connection.execute(query).scalar()
    return found


def kept(connection: sa.Connection, day: int, teams: Iterable[int] | None = None) -> Cells:
    """Cells of a day that was summed up; of these teams, or all of them."""
    # Every team by its number, so that the key leads to each row: without them all days would be walked.
    mine = sorted(teams) if teams is not None else [ALL, *(row[0] for row in connection.execute(sa.select(team.c.id)))]
    query = sa.select(table.c.team, table.c.layer, table.c.counted).where(
        bulk.among(connection, table.c.team, mine), table.c.layer.in_([each.value for each in Layer]), table.c.day == day
    )
    return {(row.team, row.layer): msgspec.json.decode(row.counted, type=Counted) for row in connection.execute(query)}


def kept_days(connection: sa.Connection, days: Sequence[int], teams: Sequence[int], layers: Sequence[str]) -> dict[int, Counted]:
    """Sums over these teams and layers, of those of the days that were summed up."""
    rows = sa.select(table.c.day, table.c.counted).where(
        table.c.team.in_(teams), table.c.layer.in_(layers), bulk.among(connection, table.c.day, days)
    )
    found: dict[int, Counted] = {}
    for day, text in connection.execute(rows):
        one = msgspec.json.decode(text, type=Counted)
        if day in found:
            found[day].add(one)
        else:
            found[day] = one
    return found


def cells_at(connection: sa.Connection, at: int, teams: Iterable[int] | None = None) -> Cells:
    """The numbers of every cell at an instant; of other teams than these they are not to be read."""
    base = last_day(connection, at)
    cells = kept(connection, base, teams) if base is not None else {}
    ledger = Ledger(connection)
    if base is None or end_of(base) < at:
        _move(connection, Tally(cells), (base, at), ledger)
    return cells


def _move(connection: sa.Connection, tally: Tally, span: tuple[int | None, int], ledger: Ledger) -> None:
    """From the end of a day (None: from the beginning) to an instant."""
    base, at = span
    begin = -1 if base is None else end_of(base)
    now = Clock(day_of(at), ledger.at(at))
    if base is not None:
        before = Clock(base, ledger.at(begin))
        for group in figure_rows.standing(connection, begin, changing(before, now)):
            tally.grow_older(group, before, now)
    for begun in figure_rows.begun(connection, begin, at):
        tally.begin(begun, now)
    for over in figure_rows.over(connection, begin, at):
        tally.end(over, now, ledger.at(min(end_of(over.day), at)))


def subjects_at(connection: sa.Connection, ids: Sequence[int], at: int) -> Cells:
    """The numbers of these subjects alone, by layer (the team is `ALL`), from their rows."""
    cells: Cells = {}
    tally, ledger = Tally(cells), Ledger(connection)
    now = Clock(day_of(at), ledger.at(at))
    mine = figure_rows.of_subjects(connection, ids)
    for begun in figure_rows.begun(connection, -1, at, mine):
        tally.begin(begun, now)
    for over in figure_rows.over(connection, -1, at, mine):
        tally.end(over, now, ledger.at(min(end_of(over.day), at)))
    return {cell: counted for cell, counted in cells.items() if cell[0] == ALL}


# --- summing up ------------------------------------------------------------------------------------------------------


def sum_up(connection: sa.Connection, now: int, most: int = MOST_DAYS) -> int:
    """Sum up the days that are over and settled, at most so many; gives how many are left. In the caller's transaction."""
    lock(connection)
    last = day_of(now - SETTLED) - 1
    done = last_day(connection)
    first = _first_day(connection) if done is None else done + 1
    if first is None or first > last:
        return 0
    cells = kept(connection, done) if done is not None else {}
    tally, ledger = Tally(cells), Ledger(connection)
    until = min(last, first + most - 1)
    for day in range(first, until + 1):
        _move(connection, tally, (None if day == first and done is None else day - 1, end_of(day)), ledger)
        told = figure_verdicts.told(connection, end_of(day) - DAY, end_of(day))
        _write(connection, day, cells, told)
    return last - until


def lock(connection: sa.Connection) -> None:
    """Nobody else sums up until this transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x66696775726573})


def _first_day(connection: sa.Connection) -> int | None:
    """The day of the first thing that happened."""
    firsts = [connection.execute(sa.select(sa.func.min(column))).scalar() for column in (occurrence.c.opened_at, assessment.c.finished_at)]
    found = [day_of(first) for first in firsts if first is not None]
    return min(found) if found else None


def _write(connection: sa.Connection, day: int, cells: Cells, told: dict[int, Told]) -> None:
    rows = [(team, layer, day, msgspec.json.encode(counted).decode()) for (team, layer), counted in sorted(cells.items())]
    rows += [(team, VERDICTS, day, msgspec.json.encode(each).decode()) for team, each in sorted({ALL: Told(), **told}.items())]
    bulk.add(connection, table, _COLUMNS, rows)
