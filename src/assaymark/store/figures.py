"""Figures: each is a question as of an instant over rows that only grow, for a scope (all, a team, a repository, a layer).

Guarantees: asked again for the same instant, whatever happened since, `figures` gives the same value, byte for byte, once the instant is
`figure_days.SETTLED` old (before, a verdict that is being written may still join); every number that counts something is the length of the
list of `figure_lists` under the same name. What each means stands in docs/concepts.md; there is no grade and no score.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity
from assaymark.store import figure_days, figure_deployed, figure_endorsed, figure_verdicts
from assaymark.store.figure_deployed import Deployed
from assaymark.store.figure_endorsed import Endorsed
from assaymark.store.figure_sums import ALL, BAND_COUNT, BANDS, Cells, Counted, day_of, end_of, summed
from assaymark.store.figure_verdicts import Coverage, Existing, Running, Told, Weakened, percentile
from assaymark.store.narrowing import Teams
from assaymark.store.promises import DAY
from assaymark.store.tables import assessment, subject

WINDOW_DAYS = 90
"""Over which what flows is told."""
WORST_FIRST = tuple(reversed(Severity))


class Scope(Struct, frozen=True):
    """Of what; everything is joined by "and"."""

    teams: Teams = None
    """Of whoever asks."""
    team: TeamId | None = None
    repository: RepositoryId | None = None
    """The caller asks whether it may be seen."""
    layer: Layer | None = None
    """Of findings; what verdicts say is of all layers."""

    @property
    def cells(self) -> list[int] | None:
        """Teams as `figure_days` numbers them; None for a repository, which has no sums."""
        if self.repository is not None:
            return None
        if self.team is not None:
            return [self.team] if self.teams is None or self.team in self.teams else []
        return [ALL] if self.teams is None else sorted(self.teams)

    @property
    def layers(self) -> list[str]:
        return [self.layer.value] if self.layer else [each.value for each in Layer]


class Row(Struct, frozen=True):
    """Of one severity."""

    severity: Severity
    open: int
    bands: tuple[int, ...]
    """Of the open ones, by age: up to 7, 30, 90, 365 days, older."""
    late: int
    waived: int
    came: int
    """Within the window, like all that follow."""
    fixed: int
    mean_days: float | None
    """From coming to being fixed, on the average."""
    promised: int
    """Fixed ones for which something was promised."""
    in_time: int
    gone: int
    """Ended with their subject."""


class Speed(Struct, frozen=True):
    """Of the verdicts within the window."""

    verdicts: int
    passed: int
    failed: int
    unproven: int
    stopped: int
    verdict_p50_us: int | None
    verdict_p95_us: int | None
    deliveries: int
    delivery_p50_us: int | None
    delivery_p95_us: int | None
    brought: int
    mean_seconds_unseen: float | None
    """Mean time to detect."""


class Figures(Struct, frozen=True):
    """Everything at an instant."""

    at: Instant
    window_from: Instant
    rows: tuple[Row, ...]
    """Worst first."""
    unchecked: int
    weakened: Weakened
    coverage: Coverage
    running: Running
    endorsed: Endorsed | None
    speed: Speed
    levels: tuple[tuple[str, int], ...]
    """Risk level by which subjects were judged last -> how many, by name; empty for what no policy was noted of."""
    deployed: Deployed | None = None
    """Phoenix upgrades; None for a repository or a layer, and where no deployer told anything."""

    def total(self, name: str) -> int:
        """A column over all severities."""
        return sum(getattr(row, name) for row in self.rows)


class Reading:
    """One reader's questions on one connection: what was counted for one of them is not counted again for the next."""

    def __init__(self, connection: sa.Connection, scope: Scope) -> None:
        self.connection, self.scope = connection, scope
        self.ids = members(connection, scope)
        self._cells: dict[int, Cells] = {}

    def cells(self, at: int) -> Cells:
        """Every cell that the scope may be asked of."""
        if at not in self._cells:
            teams = self.scope.cells
            self._cells[at] = (
                figure_days.subjects_at(self.connection, self.ids, at)
                if teams is None
                else figure_days.cells_at(self.connection, at, None if teams == [ALL] else teams)
            )
        return self._cells[at]

    def counted(self, at: int, layers: Sequence[str] | None = None) -> Counted:
        """The scope's numbers, of these layers or of its own."""
        teams = self.scope.cells
        return chosen(self.cells(at), [ALL] if teams is None else teams, self.scope.layers if layers is None else layers)

    def by_team(self, at: Instant) -> dict[int, Counted]:
        """Team -> its numbers, of the teams that may be seen; what belongs to none is left out."""
        cells, mine = self.cells(at), self.scope.cells
        teams = {team for team, _ in cells if team != ALL and (mine == [ALL] or team in (mine or []))}
        return {team: chosen(cells, [team], self.scope.layers) for team in sorted(teams)}

    def by_layer(self, at: Instant) -> dict[str, Counted]:
        """Layer -> its numbers."""
        return {layer.value: self.counted(at, [layer.value]) for layer in Layer}


def figures(connection: sa.Connection, scope: Scope, at: Instant) -> Figures:
    """All of them."""
    return read(Reading(connection, scope), at)


def read(reading: Reading, at: Instant) -> Figures:
    """The same, of a reader who asks more."""
    connection, scope, ids = reading.connection, reading.scope, reading.ids
    begin = Instant(max(0, at - WINDOW_DAYS * DAY))
    now, before = reading.counted(at), reading.counted(begin)
    rows = existing(connection, scope, at)
    levels: dict[str, int] = {}
    for row in rows:
        levels[row.level] = levels.get(row.level, 0) + 1
    return Figures(
        at=at,
        window_from=begin,
        rows=tuple(_row(severity, now, before) for severity in WORST_FIRST),
        unchecked=now.unchecked,
        weakened=_weakened(connection, scope, at, ids),
        coverage=figure_verdicts.coverage(rows),
        running=figure_verdicts.running(connection, at, rows),
        endorsed=figure_endorsed.endorsed(connection, at, rows),
        deployed=_deployed(connection, scope, (begin, at)),
        speed=_speed(_told(connection, scope, (begin, at), ids)),
        levels=tuple(sorted(levels.items())),
    )


def _deployed(connection: sa.Connection, scope: Scope, span: tuple[Instant, Instant]) -> Deployed | None:
    teams = scope.cells
    if teams is None or scope.layer is not None:
        return None
    return figure_deployed.deployed(connection, span[1], span[0], None if teams == [ALL] else teams)


def members(connection: sa.Connection, scope: Scope) -> list[int]:
    """Subjects of the repository, when the scope is one."""
    if scope.repository is None:
        return []
    query = sa.select(subject.c.id).where(subject.c.repository == scope.repository).order_by(subject.c.id)
    return [row[0] for row in connection.execute(query)]


def chosen(cells: Cells, teams: Sequence[int], layers: Sequence[str]) -> Counted:
    """The sum over these."""
    return summed(cells[team, layer] for team in teams for layer in layers if (team, layer) in cells)


def existing(connection: sa.Connection, scope: Scope, at: Instant) -> list[Existing]:
    """What is looked after in the scope."""
    if scope.repository is not None:
        return figure_verdicts.existing(connection, at, None, [subject.c.repository == scope.repository])
    teams = scope.cells
    return figure_verdicts.existing(connection, at, None if teams == [ALL] else teams)


def of_scope(scope: Scope, ids: Sequence[int]) -> list[sa.ColumnElement[bool]]:
    """Conditions on assessments; of one team, whose index then gives the order."""
    if scope.repository is not None:
        return [assessment.c.subject.in_(ids)]
    teams = scope.cells
    return [] if teams == [ALL] else [assessment.c.team.in_(teams or [])]


def _weakened(connection: sa.Connection, scope: Scope, at: Instant, ids: Sequence[int]) -> Weakened:
    teams = scope.cells
    if teams is None or teams == [ALL]:
        return figure_verdicts.weakened(connection, at, of_scope(scope, ids))
    found = [figure_verdicts.weakened(connection, at, [assessment.c.team == team]) for team in teams]
    last = max(((each.at, each.assessment) for each in found if each.at is not None), default=(None, None))
    firsts = [each.since for each in found if each.since is not None]
    return Weakened(last[0], last[1], min(firsts) if firsts else None)


def _told(connection: sa.Connection, scope: Scope, span: tuple[int, int], ids: Sequence[int]) -> Told:
    after, until = span
    total = Told()
    teams = scope.cells
    if teams is None:
        total.add(figure_verdicts.told(connection, after, until, *of_scope(scope, ids)).get(ALL, Told()))
        return total
    base = figure_days.last_day(connection, until)
    first = day_of(after) + 1  # the first day that lies in the span as a whole, unless the span begins with its end
    if base is None or base < first:
        _add_rows(connection, total, teams, (after, until))
        return total
    _add_rows(connection, total, teams, (after, end_of(first - 1)))
    for each in figure_verdicts.kept_told(connection, first, base, teams).values():
        total.add(each)
    _add_rows(connection, total, teams, (end_of(base), until))
    return total


def _add_rows(connection: sa.Connection, total: Told, teams: Sequence[int], span: tuple[int, int]) -> None:
    if span[0] >= span[1]:
        return
    rows = figure_verdicts.told(connection, *span)
    for team in teams:
        total.add(rows.get(team, Told()))


def _row(severity: Severity, now: Counted, before: Counted) -> Row:
    rank = severity.rank
    bands = tuple(now.open[rank * BAND_COUNT : (rank + 1) * BAND_COUNT])
    flow = {name: getattr(now, name)[rank] - getattr(before, name)[rank] for name in ("came", "fixed", "promised", "in_time", "gone")}
    seconds = now.seconds[rank] - before.seconds[rank]
    return Row(
        severity=severity,
        open=sum(bands),
        bands=bands,
        late=now.late[rank],
        waived=now.waived[rank],
        mean_days=round(seconds / 86_400 / flow["fixed"], 2) if flow["fixed"] else None,
        **flow,
    )


def _speed(told: Told) -> Speed:
    return Speed(
        verdicts=told.passed + told.failed + told.unproven,
        passed=told.passed,
        failed=told.failed,
        unproven=told.unproven,
        stopped=told.stopped,
        verdict_p50_us=percentile(told.waits, 50),
        verdict_p95_us=percentile(told.waits, 95),
        deliveries=sum(told.deliveries.values()),
        delivery_p50_us=percentile(told.deliveries, 50),
        delivery_p95_us=percentile(told.deliveries, 95),
        brought=told.brought,
        mean_seconds_unseen=round(told.unseen_seconds / told.brought, 1) if told.brought else None,
    )


def band_names() -> tuple[str, ...]:
    """For people."""
    firsts = (0, *(days + 1 for days in BANDS))
    return (*(f"{first}-{last} days" for first, last in zip(firsts, BANDS, strict=False)), f"over {BANDS[-1]} days")
