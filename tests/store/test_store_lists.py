from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.store.recording_samples import add_subject, add_team, ask, gap, seen, tell, verdict

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.finding import Kind
from assaymark.model.identity import SCHEMES
from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome, WaiverRef
from assaymark.store import assessments, findings, fulltext, subjects
from assaymark.store.database import Database
from assaymark.store.facets import facets
from assaymark.store.findings import Filter, Order, Part, Standing
from assaymark.store.tables import repository, subject


def _names(database: Database, asked: Filter, part: Part | None = None, teams: frozenset[TeamId] | None = None) -> list[str]:
    with database.read() as link:
        rows, _ = findings.page(link, teams, asked, part)
    return [row.message.partition(" ")[0] for row in rows]


def _all_pages(database: Database, asked: Filter, order: Order, size: int) -> list[int]:
    found: list[int] = []
    after = None
    while True:
        with database.read() as link:
            rows, after = findings.page(link, None, asked, Part(order, after, size))
        assert len(rows) <= size
        found += [row.id for row in rows]
        if after is None:
            return found


def _sample(database: Database) -> tuple[SubjectId, SubjectId]:
    blue, red = add_team(database, "blue"), add_team(database, "red")
    one, other = add_subject(database, "one", team=blue), add_subject(database, "other", team=red)
    tell(
        database, one, verdict(seen("a", "src/order/mail.py"), seen("b", severity=Severity.CRITICAL), seen("c", severity=Severity.LOW)), 10
    )
    tell(
        database, other, verdict(seen("a"), seen("d", kind=Kind.SECRET, rule="secrets/token"), gap("x.py"), checks=("ruff", "secrets")), 20
    )
    tell(database, one, verdict(seen("b", severity=Severity.CRITICAL), seen("e")), 30)
    return one, other


def test_the_worst_come_first_and_then_the_newest(database: Database) -> None:
    _sample(database)
    assert _names(database, Filter())[0] == "b"
    assert _names(database, Filter(kinds=(Kind.CODE,))) == ["b", "e", "a"]
    assert _names(database, Filter(kinds=(Kind.CODE,)), Part(Order.NEWEST)) == ["e", "a", "b"]


def test_the_past_is_asked_as_it_was(database: Database) -> None:
    _sample(database)
    assert _names(database, Filter(at=Instant(15))) == ["b", "a", "c"]
    assert _names(database, Filter(at=Instant(5))) == []
    assert _names(database, Filter(state=Standing.CLOSED)) == ["a", "c"]
    assert _names(database, Filter(state=Standing.CLOSED, at=Instant(25))) == []


def test_pages_join_to_the_whole_without_gap_or_repetition(database: Database) -> None:
    main = add_subject(database)
    ranks = list(Severity)
    rows = [seen(f"f{n}", f"p{n}.py", severity=ranks[n % 5]) for n in range(23)]
    tell(database, main, verdict(*rows[:11]), 10)
    tell(database, main, verdict(*rows), 20)
    for order in Order:
        for asked in (Filter(), Filter(at=Instant(25)), Filter(subject=main), Filter(text="wrong")):
            whole = _all_pages(database, asked, order, 100)
            assert len(whole) == len(set(whole)) == 23
            assert _all_pages(database, asked, order, 4) == whole


def test_filters_narrow(database: Database) -> None:
    one, other = _sample(database)
    assert _names(database, Filter(subject=one)) == ["b", "e"]
    assert _names(database, Filter(kinds=(Kind.SECRET,))) == ["d"]
    assert _names(database, Filter(severities=(Severity.CRITICAL,))) == ["b"]
    assert _names(database, Filter(rule="secrets/token")) == ["d"]
    assert _names(database, Filter(rule_class="sql-injection", severities=(Severity.CRITICAL, Severity.LOW))) == ["b"]
    assert _names(database, Filter(kinds=(Kind.UNCHECKED,))) == ["ruff"]
    del other


def test_a_repository_holds_what_its_subjects_hold(database: Database) -> None:
    one, _ = _sample(database)
    with database.write() as link:
        values = {"name": "r", "clone_url": "https://r.example", "created_at": 0}
        number = link.execute(repository.insert().values(values).returning(repository.c.id)).scalar_one()
        link.execute(subject.update().where(subject.c.id == one).values(repository=number))
    assert _names(database, Filter(repository=number)) == ["b", "e"]
    assert _names(database, Filter(repository=number), Part(Order.NEWEST)) == ["e", "b"]
    assert _names(database, Filter(repository=number + 1)) == []


def test_waived_ones_are_listed_apart(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("w", waiver=WaiverRef("policy", "known")), seen("x")), 10)
    assert _names(database, Filter(waived=True)) == ["w"]
    assert _names(database, Filter(waived=False)) == ["x"]


def test_nobody_sees_what_belongs_to_others(database: Database) -> None:
    one, _ = _sample(database)
    blue = TeamId(1)
    assert _names(database, Filter(), teams=frozenset({blue})) == ["b", "e"]
    assert _names(database, Filter(), teams=frozenset()) == []
    assert set(_names(database, Filter(), teams=frozenset({blue, TeamId(2)}))) == {"a", "b", "d", "e", "ruff"}
    assert _names(database, Filter(team=TeamId(2)), teams=frozenset({blue})) == []
    with database.read() as link:
        assert facets(link, frozenset(), Filter(), now=Instant(0)).severity["high"] == 0
        assert findings.count(link, frozenset({blue}), Filter()) == 2
        assert subjects.page(link, frozenset({blue}), subjects.Filter())[0][0].id == one
        assert assessments.page(link, frozenset(), assessments.Filter()) == ([], None)
        assert subjects.summed(link, frozenset({blue}), subjects.Filter()).critical == 1


@pytest.mark.parametrize("text", ["mail order", "MAIL", "src mai", "order/mail.py", "s608 mail"])
def test_words_find_what_holds_them_all(database: Database, text: str) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/order/mail.py"), seen("b", "src/border.py")), 10)
    assert _names(database, Filter(text=text)) == ["a"]


@pytest.mark.parametrize(
    "text", ["%", "_", "m%l", "*", '"', "' OR 1=1 --", "mail OR border", "mail NOT x", "(q+)+$", "NEAR(", "ma*l", "^x", "\\"]
)
def test_there_is_no_pattern_to_write(database: Database, text: str) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/order/mail.py"), seen("b", "src/border.py")), 10)
    assert _names(database, Filter(text=text)) == []
    with database.read() as link:
        assert subjects.page(link, None, subjects.Filter(name=text)) == ([], None)


def test_words_that_many_hold_are_found_by_walking(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    main = add_subject(database)
    rows = [seen(f"f{n}", f"src/{'odd' if n % 2 else 'even'}/p{n}.py") for n in range(40)]
    tell(database, main, verdict(*rows), 10)
    expected = _names(database, Filter(text="odd"), Part(limit=200))
    assert len(expected) == 20
    monkeypatch.setattr(fulltext, "FEW", 0)
    for stride, strides in ((500, 10), (3, 2)):
        monkeypatch.setattr(findings, "_STRIDE", stride)
        monkeypatch.setattr(findings, "_STRIDES", strides)
        assert _names(database, Filter(text="odd"), Part(limit=200)) == expected


def test_counts_go_on_to_their_bound(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(*(seen(f"f{n}", severity=list(Severity)[n % 5]) for n in range(30))), 10)
    with database.read() as link:
        assert findings.count(link, None, Filter()) == 30
        assert findings.count(link, None, Filter(), 7) == 7
        counted = facets(link, None, Filter(), now=Instant(0))
    assert counted.severity == dict.fromkeys(["critical", "high", "medium", "low", "info"], 6)
    assert (counted.kind, counted.complete) == ({"code": 30}, True)


def test_a_weakness_is_shown_with_everywhere_that_it_stands(database: Database) -> None:
    _sample(database)
    fingerprint = seen("a").finding.fingerprint
    with database.read() as link:
        [number] = findings.by_fingerprint(link, fingerprint, sorted(SCHEMES))
        assert findings.by_fingerprint(link, seen("a").finding.short_id, sorted(SCHEMES)) == [number]
        now, _ = findings.everywhere(link, None, Filter(finding=number))
        then, _ = findings.everywhere(link, None, Filter(finding=number, at=Instant(25)))
        info = findings.by_id(link, number)
        detail = findings.occurrence_of(link, now[0].id)
        assert not findings.may_see(link, frozenset(), number)
    assert [row.subject.name for row in now] == ["other"]
    assert [row.subject.name for row in then] == ["one", "other"]
    assert info is not None
    assert info.fingerprint == fingerprint
    assert detail is not None
    assert detail.detail.statement == "run(a)"


def test_subjects_are_listed_as_they_were(database: Database) -> None:
    one, other = _sample(database)
    tell(database, one, verdict(outcome=Outcome.FAIL), 40)
    with database.write() as link:
        link.execute(subject.update().where(subject.c.id == other).values(ended_at=50))
    with database.read() as link:
        now, _ = subjects.page(link, None, subjects.Filter())
        then, _ = subjects.page(link, None, subjects.Filter(at=Instant(35)))
        assert [(row.name, row.state) for row in now] == [("one", "fail")]
        assert [(row.name, row.state, row.open.critical, row.ended_at) for row in then] == [
            ("one", "pass", 1, None),
            ("other", "pass", 0, None),
        ]
        assert [row.name for row in subjects.page(link, None, subjects.Filter(at=Instant(35), state="fail"))[0]] == []
        assert subjects.summed(link, None, subjects.Filter(at=Instant(15))).low == 1
        assert subjects.summed(link, None, subjects.Filter(at=Instant(35))) == subjects.Posture(critical=1, high=3, unchecked=1)
        assert subjects.one(link, one, Instant(1)) is not None
        points, _ = subjects.series(link, one)
    assert [(point.at, point.open.critical) for point in points] == [(40, 0), (30, 1), (10, 1)]


@pytest.mark.parametrize("order", list(subjects.Order))
def test_pages_of_subjects_join_to_the_whole(database: Database, order: subjects.Order) -> None:
    for n in range(9):
        tell(database, add_subject(database, f"s{n}"), verdict(*(seen(f"f{m}", severity=Severity.CRITICAL) for m in range(n % 3))), 10 + n)
    found: list[int] = []
    after = None
    while True:
        with database.read() as link:
            rows, after = subjects.page(link, None, subjects.Filter(), subjects.Part(order, after, 2))
        found += [row.id for row in rows]
        if after is None:
            break
    assert sorted(found) == list(range(1, 10))
    assert len(set(found)) == 9


def test_an_assessment_is_in_the_state_in_which_it_was(database: Database) -> None:
    main = add_subject(database)
    first = tell(database, main, verdict(), 10)
    waiting = ask(database, main, at=20)
    with database.read() as link:
        now, _ = assessments.page(link, None, assessments.Filter())
        then, _ = assessments.page(link, None, assessments.Filter(at=Instant(9)))
        before, _ = assessments.page(link, None, assessments.Filter(at=Instant(15)))
        page = assessments.one(link, first)
        by_head = assessments.newest_of_head(link, None, "c" * 40)
    assert [row.id for row in now] == [waiting, first]
    assert then == []
    assert [(row.id, row.state, row.finished_at) for row in before] == [(first, "pass", 10)]
    assert page is not None
    assert page.is_latest
    assert page.before is None
    assert by_head is not None
    assert by_head.id == first


def test_what_is_closed_stays_as_it_is_told(database: Database) -> None:
    """The line and the witnesses of now are not part of the past."""
    main = add_subject(database)
    tell(database, main, verdict(seen("x", line=3)), 10)

    def then() -> list[findings.FindingRow]:
        with database.read() as link:
            return findings.page(link, None, Filter(at=Instant(15)))[0]

    before = then()
    tell(database, main, verdict(seen("x", line=9, more=("bandit/B608",)), checks=("ruff", "bandit")), 20)
    assert then() == before
    tell(database, main, verdict(checks=("ruff", "bandit")), 30)
    assert then() == before
    with database.read() as link:
        assert link.execute(sa.text("SELECT count(*) FROM occurrence")).scalar() == 1
