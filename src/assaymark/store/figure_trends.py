"""How figures went: a few numbers at the ends of days, up to an instant, as of that instant.

Guarantees: read from days that are over (of teams from their sums, of a repository from its rows), so that a trend asked again is the same;
what is not over yet is no point of it. Days before anything was known are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import SECOND, Instant
from assaymark.store import figure_days, figure_rows, figure_verdicts, figures
from assaymark.store.figure_rows import EXISTS, IS_GAP, c
from assaymark.store.figure_sums import BAND_COUNT, RANKS, Counted, day_of, end_of
from assaymark.store.figure_verdicts import Told, percentile
from assaymark.store.figures import WINDOW_DAYS, Scope
from assaymark.store.promises import DAY
from assaymark.store.tables import occurrence, subject

POINTS = 52
SPANS = (90, 365, 1825)
"""Days that a trend may go back."""


class Point(Struct, frozen=True):
    """At the end of a day."""

    at: Instant
    open: tuple[int, ...]
    """By rank of severity."""
    late: int | None
    """None where it is not kept: of a repository."""
    came: int
    """Since the point before."""
    fixed: int
    mean_days: float | None
    """From coming to being fixed, of those fixed within the window before."""
    verdicts: int
    """Since the point before."""
    verdict_p95_us: int | None


class Trend(Struct, frozen=True):
    """Oldest first."""

    step_days: int
    points: tuple[Point, ...]


def trend(connection: sa.Connection, scope: Scope, at: Instant, *, span_days: int = 365) -> Trend:
    """Up to the last day that was over at the instant."""
    step = max(1, span_days // POINTS)
    last = figure_days.last_day(connection, at)
    teams = scope.cells
    if teams is None:
        last = day_of(at + 1) - 1
    if last is None:
        return Trend(step, ())
    days = [last - step * back for back in range(span_days // step, -1, -1)]
    ids = figures.members(connection, scope)
    if teams is None:
        numbers, first = _of_subjects(connection, ids, scope.layers, days[-1])
        told = _daily(connection, scope, ids, (days[0] - step, last))
    else:
        numbers = figure_days.kept_days(connection, _wanted(days), teams, scope.layers)
        first = min(numbers, default=last + 1)
        told = figure_verdicts.kept_told(connection, days[0] - step + 1, last, teams)
    points = [_point(day, step, _Known(numbers, told, has_late=teams is not None)) for day in days if day >= first]
    return Trend(step, tuple(points))


def _wanted(days: Sequence[int]) -> list[int]:
    """The days themselves, those before each, and where each one's window begins."""
    step = days[1] - days[0] if len(days) > 1 else 1
    return sorted({*days, days[0] - step, *(day - WINDOW_DAYS for day in days)})


class _Known(Struct, frozen=True):
    numbers: dict[int, Counted]
    told: dict[int, Told]
    has_late: bool


def _point(day: int, step: int, known: _Known) -> Point:
    nothing = Counted.nothing()
    now, before = known.numbers.get(day, nothing), known.numbers.get(day - step, nothing)
    begin = known.numbers.get(day - WINDOW_DAYS, nothing)
    fixed = sum(now.fixed) - sum(begin.fixed)
    seconds = sum(now.seconds) - sum(begin.seconds)
    total = Told()
    for each in range(day - step + 1, day + 1):
        total.add(known.told.get(each, Told()))
    return Point(
        at=Instant(end_of(day)),
        open=tuple(sum(now.open[rank * BAND_COUNT : (rank + 1) * BAND_COUNT]) for rank in range(RANKS)),
        late=sum(now.late) if known.has_late else None,
        came=sum(now.came) - sum(before.came),
        fixed=sum(now.fixed) - sum(before.fixed),
        mean_days=round(seconds / 86_400 / fixed, 2) if fixed else None,
        verdicts=total.passed + total.failed + total.unproven,
        verdict_p95_us=percentile(total.waits, 95),
    )


# --- a repository ----------------------------------------------------------------------------------------------------


def _of_subjects(connection: sa.Connection, ids: Sequence[int], layers: Sequence[str], last: int) -> tuple[dict[int, Counted], int]:
    """Running totals by the end of each day on which something changed, spread over all days up to the last; and the first of them."""
    changes: dict[int, Counted] = defaultdict(Counted.nothing)
    mine = (figure_rows.of_subjects(connection, ids), c.layer.in_(layers), ~IS_GAP, EXISTS)
    joined = occurrence.join(subject, subject.c.id == c.subject)
    first_row = sa.case((c.opened_at == c.since, 1), else_=0)
    opened = c.opened_at.op("/")(sa.literal_column(str(DAY)))
    query = sa.select(opened, c.severity, c.waived, first_row, sa.func.count()).select_from(joined)
    for day, rank, waived, is_first, many in connection.execute(query.where(*mine).group_by(opened, c.severity, c.waived, first_row)):
        changes[day].open[rank * BAND_COUNT] += 0 if waived else many
        changes[day].came[rank] += many if is_first else 0
    closed = c.closed_at.op("/")(sa.literal_column(str(DAY)))
    is_fixed = sa.case((sa.and_(c.continued == 0, c.closed_by.is_not(None)), 1), else_=0)
    seconds = sa.func.sum((c.closed_at - c.since) // sa.literal_column(str(SECOND), sa.BigInteger))
    query = sa.select(closed, c.severity, c.waived, is_fixed, sa.func.count(), seconds).select_from(joined)
    query = query.where(*mine, c.closed_at.is_not(None))
    for day, rank, waived, fixed, many, took in connection.execute(query.group_by(closed, c.severity, c.waived, is_fixed)):
        changes[day].open[rank * BAND_COUNT] -= 0 if waived else many
        changes[day].fixed[rank] += many if fixed else 0
        changes[day].seconds[rank] += int(took) if fixed else 0
    return _running(changes, last), min(changes, default=last + 1)


def _running(changes: dict[int, Counted], last: int) -> dict[int, Counted]:
    total, found = Counted.nothing(), dict[int, Counted]()
    for day in range(min(changes, default=last + 1), last + 1):
        if day in changes:
            total = total.copy()
            total.add(changes[day])
        found[day] = total
    return found


def _daily(connection: sa.Connection, scope: Scope, ids: Sequence[int], span: tuple[int, int]) -> dict[int, Told]:
    """What verdicts said on each day, from the rows."""
    return figure_verdicts.told_daily(connection, end_of(span[0]), end_of(span[1]), *figures.of_scope(scope, ids))
