"""Decisions over what stands open: applied when it is recorded, when it is decided, and taken back when that ends."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.decision import DecisionId, DecisionKind, Scope
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, PolicyTerms, WaiverRef
from assaymark.store import deciding, decisions, findings
from assaymark.store.database import Database
from assaymark.store.decisions import By, Draft, Filter, Said, Standing, Step
from assaymark.store.findings import Part
from assaymark.store.tables import finding, occurrence, subject

DAY = decisions.DAY
T0 = 100 * DAY
ANN = By("ann")


def decide(database: Database, at: int, *, days: int = 30, **scope: Any) -> DecisionId:
    until = decisions.day_of(at) + dt.timedelta(days=days)
    with database.write() as link:
        decisions.lock(link)
        draft = Draft(DecisionKind.ACCEPT, Scope(**scope), "it is behind the wall", "ann", until, ANN, None)
        made = decisions.add(link, draft, Instant(at))
        assert made is not None
        deciding.spread(link, [made], Instant(at))
    return made


def step(database: Database, number: DecisionId, what: Step, at: int) -> None:
    with database.write() as link:
        decisions.lock(link)
        assert decisions.step(link, number, what, Said(By("bob"), Instant(at)))
        deciding.spread(link, [number], Instant(at))


def let_through(database: Database, at: int | None = None) -> list[tuple[str, str]]:
    """(name of the finding, path) of what is waived."""
    c = occurrence.c
    when = [c.closed_at.is_(None)] if at is None else [c.opened_at <= at, sa.or_(c.closed_at.is_(None), c.closed_at > at)]
    query = sa.select(finding.c.core, c.path).join(finding, finding.c.id == c.finding).where(*when, c.waived == 1)
    with database.read() as link:
        return sorted((msgspec.json.decode(core)[2][0], path) for core, path in link.execute(query))


def fingerprint_of(judged: Judged) -> str:
    return judged.finding.fingerprint


def test_what_is_decided_does_not_stand_open_when_it_comes(database: Database) -> None:
    main = add_subject(database)
    decide(database, T0, rule="sql-injection")
    tell(database, main, verdict(seen("x"), seen("y", rule_class="other", rule="ruff/S1")), T0 + 5)
    assert let_through(database) == [("x", "a.py")]
    with database.read() as link:
        row = link.execute(sa.select(subject).where(subject.c.id == main)).one()
        history = link.execute(sa.select(sa.func.count()).select_from(occurrence)).scalar()
    assert (row.open_high, row.waived) == (1, 1)
    assert history == 2  # it never stood open in between


def test_an_import_is_decided_about_as_well(database: Database) -> None:
    main = add_subject(database)
    decide(database, T0, rule="ruff/S608")
    tell(database, main, verdict(seen("x")), T0 + 5, trigger="import")
    assert let_through(database) == [("x", "a.py")]


def test_a_decision_changes_what_stands_open_and_withdrawing_it_restores_it(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", line=3), seen("x", "b.py"), seen("y")), T0)
    made = decide(database, T0 + 10, finding=fingerprint_of(seen("x")), path="a.py")
    assert let_through(database) == [("x", "a.py")]
    step(database, made, Step.WITHDRAWN, T0 + 20)
    assert let_through(database) == []
    assert let_through(database, T0 + 10) == let_through(database, T0 + 19) == [("x", "a.py")]
    assert let_through(database, T0 + 9) == []
    with database.read() as link:
        rows, _ = findings.page(link, None, findings.Filter(), Part())
        row = link.execute(sa.select(subject).where(subject.c.id == main)).one()
    assert {each.since for each in rows} == {T0}
    assert (row.open_high, row.waived) == (3, 0)


def test_a_decision_that_is_over_lets_nothing_through(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x")), T0)
    made = decide(database, T0 + 1, days=2, rule="sql-injection")
    with database.read() as link:
        assert decisions.over(link, Instant(T0 + 3 * DAY - 1), 10) == []
        assert decisions.ending(link, Instant(T0 + 5), 10) == [made]
        assert decisions.over(link, Instant(T0 + 3 * DAY), 10) == [made]
    step(database, made, Step.ENDED, T0 + 3 * DAY)
    assert let_through(database) == []
    tell(database, main, verdict(seen("x"), seen("z")), T0 + 4 * DAY)
    assert let_through(database) == []
    with database.read() as link:
        assert decisions.over(link, Instant(T0 + 9 * DAY), 10) == []
        assert [row.standing for row in decisions.page(link, None, Filter(None), Instant(T0 + 9 * DAY))[0]] == [Standing.ENDED]


def test_recording_ends_what_is_over_before_the_clock_does(database: Database) -> None:
    main = add_subject(database)
    decide(database, T0, days=1, rule="sql-injection")
    tell(database, main, verdict(seen("x")), T0 + 1)
    tell(database, main, verdict(seen("x")), T0 + 3 * DAY)
    assert let_through(database) == []
    assert let_through(database, T0 + 2 * DAY) == [("x", "a.py")]


def test_a_policy_that_asks_for_a_second_person_gets_one(database: Database) -> None:
    strict, other = add_subject(database, "strict"), add_subject(database, "other")
    asks = msgspec.structs.replace(verdict(seen("x")), terms=PolicyTerms(unproven_stops=True, waiver_days=90, approver_required=True))
    tell(database, strict, asks, T0)
    tell(database, other, verdict(seen("x", "b.py")), T0)
    made = decide(database, T0 + 1, rule="sql-injection")
    assert let_through(database) == [("x", "b.py")]
    tell(database, strict, asks, T0 + 2)
    assert let_through(database) == [("x", "b.py")]
    step(database, made, Step.APPROVED, T0 + 3)
    assert let_through(database) == [("x", "a.py"), ("x", "b.py")]


def test_a_policy_that_allows_less_time_does_not_honour_more(database: Database) -> None:
    strict = add_subject(database)
    asks = msgspec.structs.replace(verdict(seen("x")), terms=PolicyTerms(unproven_stops=True, waiver_days=20, approver_required=False))
    tell(database, strict, asks, T0)
    decide(database, T0 + 1, days=30, rule="sql-injection")
    assert let_through(database) == []
    decide(database, T0 + 2, days=20, rule="sql-injection")
    assert let_through(database) == [("x", "a.py")]


def test_what_becomes_worse_than_was_decided_stands_open(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", severity=Severity.MEDIUM)), T0)
    decide(database, T0 + 1, rule="sql-injection", severity=Severity.MEDIUM)
    assert let_through(database) == [("x", "a.py")]
    tell(database, main, verdict(seen("x", severity=Severity.CRITICAL)), T0 + 2)
    assert let_through(database) == []


def test_the_repositorys_own_waiver_stays_when_a_decision_is_withdrawn(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", waiver=WaiverRef("inline", "# nosec"))), T0)
    made = decide(database, T0 + 1, rule="sql-injection")
    step(database, made, Step.WITHDRAWN, T0 + 2)
    assert let_through(database) == [("x", "a.py")]
    tell(database, main, verdict(seen("x")), T0 + 3)
    assert let_through(database) == []


def test_only_the_subjects_of_the_scope_are_covered(database: Database) -> None:
    red = TeamId(add_team(database, "red"))
    ours, theirs = add_subject(database, "ours", team=red), add_subject(database, "theirs")
    tell(database, ours, verdict(seen("x", "ours.py")), T0)
    decide(database, T0 + 1, rule="sql-injection", team=red)
    tell(database, theirs, verdict(seen("x", "theirs.py")), T0 + 2)
    assert let_through(database) == [("x", "ours.py")]
    decide(database, T0 + 3, rule="sql-injection", subject=theirs)
    tell(database, ours, verdict(seen("x", "ours.py"), seen("z", "ours.py", rule_class="c", rule="r")), T0 + 4)
    assert let_through(database) == [("x", "ours.py"), ("x", "theirs.py")]


def test_more_than_one_transaction_can_hold_goes_on_where_it_stopped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "AT_ONCE", 6)
    monkeypatch.setattr(deciding, "_PORTION", 2)
    main = add_subject(database)
    tell(database, main, verdict(*(seen(f"n{n}") for n in range(15))), T0)
    with database.write() as link:
        until = decisions.day_of(T0 + DAY)
        made = decisions.add(link, Draft(DecisionKind.WAIVE, Scope(rule="sql-injection"), "why", "ann", until, ANN, None), Instant(T0 + 1))
        assert made is not None
        first = deciding.spread(link, [made], Instant(T0 + 1))
    assert (first.changed, first.after is not None) == (6, True)
    after, turns = first.after, 0
    while after is not None and turns < 10:
        with database.write() as link:
            done = deciding.spread(link, [made], Instant(T0 + 2), after=after)
        after, turns = done.after, turns + 1
    assert len(let_through(database)) == 15


def test_the_same_origin_is_decided_once(database: Database) -> None:
    until = decisions.day_of(T0 + DAY)
    draft = Draft(DecisionKind.WAIVE, Scope(rule="r"), "why", "ann", until, ANN, None, origin="vex:1")
    with database.write() as link:
        assert decisions.add(link, draft, Instant(T0)) is not None
        assert decisions.add(link, draft, Instant(T0)) is None


def test_a_step_is_written_once_and_a_list_as_of_then_stays(database: Database) -> None:
    made = decide(database, T0, rule="r")

    def said(at: int) -> bytes:
        with database.read() as link:
            return msgspec.json.encode([decisions.page(link, None, Filter(None), Instant(at))[0], decisions.one(link, made, Instant(at))])

    before = [said(T0 + n) for n in (0, 5, 9)]
    step(database, made, Step.APPROVED, T0 + 10)
    step(database, made, Step.WITHDRAWN, T0 + 20)
    with database.write() as link:
        assert not decisions.step(link, made, Step.WITHDRAWN, Said(ANN, Instant(T0 + 30)))
    assert [said(T0 + n) for n in (0, 5, 9)] == before
    with database.read() as link:
        row = decisions.one(link, made, Instant(T0 + 25))
        assert row is not None
        assert (row.standing, row.approved_by, row.withdrawn_by) == (Standing.WITHDRAWN, "bob", "bob")
        assert decisions.page(link, frozenset(), Filter(None), Instant(T0 + 25))[0] == []


# --- laws ------------------------------------------------------------------------------------------------------------

_marks = itertools.count()
scopes = st.sampled_from(
    [
        {"rule": "sql-injection"}, {"rule": "ruff/S608", "path": "a.py"}, {"finding": "x"}, {"finding": "x", "path": "b/**"},
        {"finding": "y", "severity": Severity.LOW}, {"rule": "other"}, {"rule": "sql-injection", "severity": Severity.HIGH},
    ]
)  # fmt: skip
sights = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["a.py", "b/c.py"]), st.sampled_from([Severity.LOW, Severity.CRITICAL])),
    min_size=1, max_size=5, unique=True,
)  # fmt: skip


def _scope(of: SubjectId, given_: dict[str, Any]) -> dict[str, Any]:
    made = dict(given_)
    if "finding" in made:
        made["finding"] = fingerprint_of(seen(made["finding"]))
    return made | {"subject": of}


def _state(database: Database, of: SubjectId) -> list[tuple[Any, ...]]:
    c = occurrence.c
    query = sa.select(finding.c.fingerprint, c.path, c.severity, c.waived, c.own).join(finding, finding.c.id == c.finding)
    with database.read() as link:
        return sorted(tuple(row) for row in link.execute(query.where(c.subject == of, c.closed_at.is_(None))))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sights, st.lists(scopes, min_size=1, max_size=3), st.permutations([0, 1, 2, 3]))
def test_the_order_of_decisions_and_findings_does_not_matter(
    database: Database, found: list[tuple[str, str, Severity]], chosen: list[dict[str, Any]], order: list[int]
) -> None:
    told = verdict(*(seen(name, path, severity=severity) for name, path, severity in found))
    states = []
    for turn in (list(range(len(chosen) + 1)), [n for n in order if n <= len(chosen)]):
        of = add_subject(database, f"s{next(_marks)}")
        for at, n in enumerate(turn):
            if n == len(chosen):
                tell(database, of, told, T0 + at)
            else:
                decide(database, T0 + at, **_scope(of, chosen[n]))
        states.append(_state(database, of))
    assert states[0] == states[1]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sights, st.lists(scopes, min_size=1, max_size=3), scopes)
def test_withdrawing_restores_exactly(
    database: Database, found: list[tuple[str, str, Severity]], chosen: list[dict[str, Any]], one_more: dict[str, Any]
) -> None:
    of = add_subject(database, f"s{next(_marks)}")
    tell(database, of, verdict(*(seen(name, path, severity=severity) for name, path, severity in found)), T0)
    for at, each in enumerate(chosen):
        decide(database, T0 + 1 + at, **_scope(of, each))
    before = _state(database, of)
    made = decide(database, T0 + 10, **_scope(of, one_more))
    with_it = _state(database, of)
    step(database, made, Step.WITHDRAWN, T0 + 20)
    assert _state(database, of) == before
    assert {row[:3] for row in with_it} == {row[:3] for row in before}
