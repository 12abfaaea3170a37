"""Whatever happens, in whatever order days are summed up: what figures say of a past instant they say for ever, with or without sums, and
every number is the length of its list.
"""

from __future__ import annotations

import itertools

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.recording_samples import add_subject, add_team, gap, seen, tell, verdict

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome, WaiverRef
from assaymark.store import figure_days, figure_lists, figure_trends, figures, promises, repositories
from assaymark.store.arrivals import Place as SubjectPlace
from assaymark.store.arrivals import end, settle
from assaymark.store.database import Database
from assaymark.store.figure_lists import Asked, Named
from assaymark.store.figures import Figures, Scope
from assaymark.store.promises import DAY, Terms
from assaymark.store.tables import figure_day, repository, subject

START = 20_000 * DAY
_names = itertools.count()
judged = st.builds(
    lambda name, severity, waived: seen(name, severity=severity, waiver=WaiverRef("policy", "known") if waived else None),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from([Severity.LOW, Severity.HIGH, Severity.CRITICAL]),
    st.integers(0, 4).map(lambda n: n == 0),
)
told = st.tuples(st.just("tell"), st.integers(0, 3), st.lists(judged, max_size=3), st.sampled_from(list(Outcome)))
other = st.one_of(
    st.tuples(st.just("gap"), st.integers(0, 3)),
    st.tuples(st.just("hand over"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.integers(0, 3)),
    st.tuples(st.just("come back"), st.integers(0, 3)),
    st.tuples(st.just("promise"), st.integers(0, 2), st.sampled_from([0, 3, 20, None])),
    st.tuples(st.just("sum up"), st.just(0)),
)
step = st.tuples(st.sampled_from([3, 20, 24 * 6, 24 * 40]), st.one_of(told, told, other))


class World:
    """A team, another one, a repository of the first with a branch and a merge request, an environment of the other, a host of nobody."""

    def __init__(self, database: Database) -> None:
        self.database, self.mark, self.now = database, next(_names), START
        with database.write() as link:
            for table in (figure_day,):
                link.execute(table.delete())
        self.teams = [add_team(database, f"a{self.mark}"), add_team(database, f"b{self.mark}"), None]
        with database.write() as link:
            row = {"name": f"r{self.mark}", "clone_url": f"https://x.test/{self.mark}", "team": self.teams[0], "created_at": START}
            self.repository = int(link.execute(repository.insert().returning(repository.c.id), row).scalar_one())
        kinds = (("branch", 0), ("merge-request", 0), ("environment", 1), ("host", 2))
        self.subjects = [add_subject(database, f"{kind}{self.mark}", kind=kind, team=self.teams[t], at=START) for kind, t in kinds]
        with database.write() as link:
            mine = subject.c.id.in_(self.subjects[:2])
            link.execute(subject.update().where(mine).values(repository=self.repository))

    def scopes(self) -> list[Scope]:
        one, two = (TeamId(each or 0) for each in self.teams[:2])
        return [
            Scope(),
            Scope(teams=frozenset({one})),
            Scope(teams=frozenset({one, two}), layer=Layer.APPLICATION),
            Scope(team=two),
            Scope(repository=RepositoryId(self.repository)),
        ]

    def go(self, what: tuple[object, ...]) -> None:
        number = int(what[1])  # type: ignore[call-overload]
        at, of = Instant(self.now), self.subjects[min(number, 3)]
        with self.database.read() as link:
            row = link.execute(sa.select(subject).where(subject.c.id == of)).one()
        match what[0]:
            case "tell" if row.ended_at is None:
                tell(self.database, of, verdict(*what[2], outcome=what[3]), at)  # type: ignore[misc, arg-type]
            case "gap" if row.ended_at is None:
                tell(self.database, of, verdict(gap("a.py")), at)
            case "sum up":
                with self.database.write() as link:
                    figure_days.sum_up(link, at)
            case name:
                with self.database.write() as link:
                    self._write(link, str(name), what, row)

    def _write(self, link: sa.Connection, name: str, what: tuple[object, ...], row: sa.Row[tuple[object, ...]]) -> None:
        at, number = Instant(self.now), int(what[1])  # type: ignore[call-overload]
        match name:
            case "hand over":
                repositories.give_to(link, RepositoryId(self.repository), self.teams[number], at)
            case "end" if row.ended_at is None:
                end(link, row.id, at)
            case "come back":
                settle(link, SubjectPlace(row.kind, row.key, row.name, "", row.repository, row.team), at)
            case "promise":
                days = what[2]
                team = self.teams[number]
                terms = Terms(critical=days, high=days) if days is not None or team is None else None  # type: ignore[arg-type]
                promises.add(link, promises.Said(at, TeamId(team) if team else None, terms))


def counts(found: Figures) -> dict[tuple[Named, Severity | None, int | None], int]:
    """Every number that counts something."""
    made: dict[tuple[Named, Severity | None, int | None], int] = {}
    names = {Named.LATE: "late", Named.WAIVED: "waived", Named.CAME: "came", Named.FIXED: "fixed", Named.GONE: "gone", Named.OPEN: "open"}
    for row in found.rows:
        made |= {(Named.OPEN, row.severity, band): many for band, many in enumerate(row.bands)}
        made |= {(name, row.severity, None): getattr(row, field) for name, field in names.items()}
    made |= {(name, None, None): found.total(field) for name, field in names.items()}
    made[Named.UNCHECKED, None, None] = found.unchecked
    made[Named.EXISTING, None, None] = found.coverage.subjects
    made[Named.UNPROVEN, None, None] = found.coverage.unproven
    made[Named.NEVER, None, None] = found.coverage.never
    made[Named.ENVIRONMENTS, None, None] = found.running.environments
    made[Named.VERDICTS, None, None] = found.speed.verdicts
    made[Named.FAILED, None, None] = found.speed.failed
    made[Named.STOPPED, None, None] = found.speed.stopped
    return made


def length(link: sa.Connection, asked: Asked) -> int:
    """Of the whole list, read in pages of two."""
    seen_ids: list[int] = []
    after = None
    while True:
        part = figure_lists.page(link, asked, after=after, limit=2)
        seen_ids += [row.id for row in part.findings] + [row.id for row in part.subjects] + [row.id for row in part.assessments]
        after = part.end
        if after is None:
            break
    assert len(seen_ids) == len(set(seen_ids))
    assert figure_lists.how_many(link, asked) == len(seen_ids)
    return len(seen_ids)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(step, min_size=2, max_size=6))
def test_the_past_keeps_its_figures_and_every_figure_is_its_lists_length(
    database: Database, steps: list[tuple[int, tuple[object, ...]]]
) -> None:
    world = World(database)
    told: dict[tuple[int, int], bytes] = {}
    instants: list[int] = []
    for hours, what in steps:
        world.now += hours * 3600 * 1_000_000
        world.go(what)
        instants += [world.now, world.now + 1800 * 1_000_000, (world.now // DAY + 1) * DAY - 1]
        world.now += 2 * 3600 * 1_000_000
        with database.read() as link:
            for at in [each for each in instants if each < world.now][-7:] + instants[:2]:
                if at >= world.now:
                    continue
                for index, scope in enumerate(world.scopes()):
                    text = msgspec.json.encode(figures.figures(link, scope, Instant(at)))
                    assert told.setdefault((at, index), text) == text
    with database.read() as link:
        for index, scope in enumerate(world.scopes()):
            at = instants[-3]
            found = msgspec.json.decode(told[at, index], type=Figures)
            mine = scope if scope != Scope() else Scope(teams=None)
            for (name, severity, band), many in counts(found).items():
                assert length(link, Asked(name, mine, Instant(at), severity, band)) == many, (name, severity, band, scope)


@pytest.mark.parametrize("is_summed", [False, True])
def test_the_time_to_repair_is_from_the_first_sight_to_the_last(database: Database, *, is_summed: bool) -> None:
    world = World(database)
    branch = world.subjects[0]
    for days, findings in ((0, [seen("x", severity=Severity.HIGH)]), (5, [])):
        tell(database, branch, verdict(*findings), Instant(START + days * DAY))
    at = Instant(START + 7 * DAY)
    if is_summed:
        with database.write() as link:
            figure_days.sum_up(link, at)
    with database.read() as link:
        for scope in (Scope(), Scope(repository=RepositoryId(world.repository))):
            rows = {row.severity: row for row in figures.figures(link, scope, at).rows}
            assert (rows[Severity.HIGH].fixed, rows[Severity.HIGH].mean_days) == (1, 5.0)
            if is_summed:
                assert figure_trends.trend(link, scope, at, span_days=30).points[-1].mean_days == 5.0


@pytest.mark.parametrize("days", [1, 30])
def test_what_is_summed_up_is_what_is_counted(database: Database, days: int) -> None:
    world = World(database)
    for number in range(12):
        world.now = START + number * days * DAY + 5
        world.go(("tell", number % 4, [seen("x"), seen(f"n{number % 5}", severity=Severity.CRITICAL)][: number % 3], Outcome.PASS))
    at = Instant(world.now + 3 * DAY)
    with database.read() as link:
        counted = msgspec.json.encode([figures.figures(link, scope, at) for scope in world.scopes()])
    with database.write() as link:
        while figure_days.sum_up(link, at + figure_days.SETTLED, most=100):
            pass
    with database.read() as link:
        assert figure_days.last_day(link) == at // DAY - 1
        assert msgspec.json.encode([figures.figures(link, scope, at) for scope in world.scopes()]) == counted


def test_a_day_is_summed_up_once_and_not_before_it_has_settled(database: Database) -> None:
    world = World(database)
    world.go(("tell", 0, [seen("x")], Outcome.PASS))
    end = (START // DAY + 1) * DAY
    with database.write() as link:
        figure_days.sum_up(link, end + figure_days.SETTLED - 1)
        assert figure_days.last_day(link) is None
        assert figure_days.sum_up(link, end + figure_days.SETTLED) == 0
        assert figure_days.last_day(link) == START // DAY
        rows = link.execute(sa.select(figure_day)).all()
        figure_days.sum_up(link, end + figure_days.SETTLED)
        assert link.execute(sa.select(figure_day)).all() == rows
