"""Items: one for what one repair removes, open as long as anything of it stands, and as it was on any day."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from tests.store.recording_samples import add_subject, add_team, gap, seen, tell, verdict

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.model.verdict import State, WaiverRef
from assaymark.store import items, people, repositories
from assaymark.store.database import Database
from assaymark.store.departures import depart
from assaymark.store.item_keeping import Owner, own
from assaymark.store.items import Filter, ItemRow, ItemState, OwnerSource, Part
from assaymark.store.tables import item, item_span, occurrence, repository, subject


def listed(database: Database, asked: Filter | None = None, teams: frozenset[TeamId] | None = None) -> list[ItemRow]:
    with database.read() as link:
        return items.page(link, teams, asked or Filter())[0]


def test_fifty_findings_of_one_cause_are_one_item(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(*(seen(f"x{n}", f"src/f{n}.py", line=n + 1) for n in range(50))), 10)
    (row,) = listed(database)
    assert (row.findings, row.subjects, row.state, row.cause) == (50, 1, ItemState.OPEN, CauseKind.RULE)
    assert (row.severity, row.since, row.owner_source) == (Severity.HIGH, 10, OwnerSource.TEAM)


def test_what_stands_in_another_folder_or_is_of_another_family_is_another_item(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py"), seen("b", "lib/a.py"), seen("c", "src/a.py", rule_class="weak-hash")), 10)
    assert len(listed(database)) == 3


def test_one_secret_is_one_item_wherever_it_lies(database: Database) -> None:
    for number in range(3):
        tell(
            database, add_subject(database, f"s{number}"), verdict(seen("key", f"{number}.env", kind=Kind.SECRET, rule_class="secret")), 10
        )
    (row,) = listed(database)
    assert (row.findings, row.subjects, row.cause) == (3, 3, CauseKind.SECRET)


def test_an_item_closes_with_its_last_finding_and_opens_again(database: Database) -> None:
    main = add_subject(database)
    both = verdict(seen("a", "src/a.py"), seen("b", "src/b.py"))
    tell(database, main, both, 10)
    tell(database, main, verdict(seen("a", "src/a.py")), 20)
    tell(database, main, verdict(), 30)
    assert listed(database) == []
    (closed,) = listed(database, Filter(state=ItemState.CLOSED))
    assert (closed.closed_at, closed.since, closed.findings) == (30, 10, 1)
    tell(database, main, both, 40)
    (again,) = listed(database)
    assert (again.id, again.since, again.findings) == (closed.id, 40, 2)
    assert listed(database, Filter(state=ItemState.CLOSED)) == []


def test_as_of_a_day_items_are_as_they_were(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py"), seen("b", "src/b.py", severity=Severity.CRITICAL)), 10)
    tell(database, main, verdict(seen("a", "src/a.py")), 20)
    tell(database, main, verdict(), 30)
    told = {at: [(r.findings, r.severity, r.state) for r in listed(database, Filter(at=Instant(at)))] for at in (5, 10, 19, 20, 29, 30)}
    assert told == {
        5: [], 10: [(2, "critical", "open")], 19: [(2, "critical", "open")], 20: [(1, "high", "open")], 29: [(1, "high", "open")], 30: [],
    }  # fmt: skip
    assert [r.closed_at for r in listed(database, Filter(state=ItemState.CLOSED, at=Instant(30)))] == [30]
    assert listed(database, Filter(state=ItemState.CLOSED, at=Instant(29))) == []


def test_the_same_verdict_twice_writes_no_row(database: Database) -> None:
    main = add_subject(database)
    for at in (10, 20):
        tell(database, main, verdict(seen("a", "src/a.py")), at)
    with database.read() as link:
        assert link.execute(sa.select(sa.func.count()).select_from(item_span)).scalar() == 1


def test_what_was_is_never_changed(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py")), 10)
    for change in (item_span.update().values(findings=9), item_span.update().values(since=1), item_span.delete()):
        with pytest.raises(DBAPIError), database.write() as link:
            link.execute(change)


def test_what_is_let_through_counts_for_no_item(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py")), 10)
    tell(database, main, verdict(seen("a", "src/a.py", waiver=WaiverRef("policy", "why", "ada", "2030-01-01"))), 20)
    assert listed(database) == []
    tell(database, main, verdict(seen("a", "src/a.py")), 30)
    assert [row.since for row in listed(database)] == [30]


@pytest.mark.parametrize("kind", ["merge-request", "tag", "release"])
def test_what_nobody_can_repair_there_makes_no_item(database: Database, kind: str) -> None:
    tell(database, add_subject(database, kind=kind), verdict(seen("a", state=State.NEW)), 10)
    assert listed(database) == []


def test_a_gap_is_no_item(database: Database) -> None:
    tell(database, add_subject(database), verdict(gap("a.py")), 10)
    assert listed(database) == []


def test_of_a_repository_the_default_branch_counts_and_all_branches_share_items(database: Database) -> None:
    with database.write() as link:
        link.execute(repository.insert().values(id=1, name="r", clone_url="u", default_branch="main", created_at=0))
    one, other = add_subject(database, "main"), add_subject(database, "topic")
    with database.write() as link:
        for number, name in ((one, "main"), (other, "topic")):
            link.execute(subject.update().where(subject.c.id == number).values(repository=1, ref=f"refs/heads/{name}"))
    tell(database, other, verdict(seen("a", "src/a.py")), 10)
    assert listed(database) == []
    tell(database, one, verdict(seen("a", "src/a.py")), 20)
    (row,) = listed(database)
    assert (row.findings, row.subjects, row.since, row.repository) == (1, 1, 20, 1)
    with database.read() as link:
        assert link.execute(sa.select(sa.func.count(occurrence.c.item.distinct()))).scalar() == 1


def test_another_default_branch_is_another_one_that_counts(database: Database) -> None:
    with database.write() as link:
        link.execute(repository.insert().values(id=1, name="r", clone_url="u", default_branch="main", created_at=0))
    for number, name in enumerate(("main", "trunk"), 1):
        assert add_subject(database, name) == number
        with database.write() as link:
            link.execute(subject.update().where(subject.c.id == number).values(repository=1, ref=f"refs/heads/{name}"))
    tell(database, SubjectId(1), verdict(seen("a", "src/a.py")), 10)
    tell(database, SubjectId(2), verdict(seen("b", "lib/b.py")), 10)
    assert [row.title.rpartition(" in ")[2] for row in listed(database)] == ["src"]
    with database.write() as link:
        repositories.describe(link, RepositoryId(1), Instant(20), default_branch="trunk")
    assert [row.title.rpartition(" in ")[2] for row in listed(database)] == ["lib"]


def test_what_is_given_to_another_team_is_that_teams_and_a_shared_secret_is_split(database: Database) -> None:
    red, blue = (TeamId(add_team(database, slug)) for slug in ("red", "blue"))
    with database.write() as link:
        for number in (1, 2):
            link.execute(repository.insert().values(id=number, name=f"r{number}", clone_url=f"u{number}", team=red, created_at=0))
    for number in (1, 2):
        add_subject(database, f"s{number}", team=red)
        with database.write() as link:
            link.execute(subject.update().where(subject.c.id == number).values(repository=number, ref="refs/heads/main"))
        tell(database, SubjectId(number), verdict(seen("key", "a.env", kind=Kind.SECRET, rule_class="s"), seen("x", f"d{number}/x.py")), 10)
    with database.write() as link:
        repositories.give_to(link, RepositoryId(2), blue, Instant(20))
    told = {team: sorted((row.cause, row.findings) for row in listed(database, teams=frozenset({team}))) for team in (red, blue)}
    assert told == {red: [("rule", 1), ("secret", 1)], blue: [("rule", 1), ("secret", 1)]}
    then = listed(database, Filter(at=Instant(15)), frozenset({red}))
    assert sorted((row.cause, row.findings) for row in then) == [("rule", 1), ("rule", 1), ("secret", 2)]
    assert listed(database, Filter(at=Instant(15)), frozenset({blue})) == []


def test_a_subject_that_departs_takes_its_part_along(database: Database) -> None:
    one, other = add_subject(database, "one"), add_subject(database, "other")
    for number in (one, other):
        tell(database, number, verdict(seen("key", "a.env", kind=Kind.SECRET, rule_class="secret")), 10)
    with database.write() as link:
        depart(link, subject.c.id == one, Instant(20))
    assert [(row.findings, row.subjects) for row in listed(database)] == [(1, 1)]
    with database.write() as link:
        depart(link, subject.c.id == other, Instant(30))
    assert listed(database) == []


def test_teams_see_their_own_and_of_a_shared_secret_each_its_own(database: Database) -> None:
    red, blue = add_team(database, "red"), add_team(database, "blue")
    for number, name in ((red, "one"), (blue, "other")):
        tell(database, add_subject(database, name, team=number), verdict(seen("key", "a.env", kind=Kind.SECRET, rule_class="secret")), 10)
    assert len(listed(database)) == 2
    (mine,) = listed(database, teams=frozenset({TeamId(red)}))
    assert (mine.team, mine.findings) == (red, 1)
    assert listed(database, teams=frozenset()) == []


def test_an_owner_by_hand_stays_and_the_past_keeps_the_former(database: Database, ada: PersonId) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py")), 10)
    (row,) = listed(database)
    with database.write() as link:
        own(link, row.id, Owner("codeowners", "@org/web"), Instant(20), basis="x")
        own(link, row.id, Owner("hand", "ada", ada), Instant(30))
        own(link, row.id, Owner("blame", "bob@example.org"), Instant(40), basis="y")
    told = {at: [(r.owner, r.owner_source) for r in listed(database, Filter(at=Instant(at)))] for at in (15, 25, 35, 45)}
    assert told == {15: [("", "team")], 25: [("@org/web", "codeowners")], 35: [("ada", "hand")], 45: [("ada", "hand")]}
    assert len(listed(database, Filter(person=ada))) == 1
    assert listed(database, Filter(unowned=True)) == []


@pytest.fixture
def ada(database: Database) -> PersonId:

    with database.write() as link:
        made = people.add(link, people.Draft("ada", email="ada@example.org"), at=Instant(0))
    assert made is not None
    return made


def test_pages_go_through_the_whole_list_once(database: Database) -> None:
    main = add_subject(database)
    rows = [seen(f"a{n}", f"d{n}/a.py", severity=list(Severity)[n % 5]) for n in range(23)]
    tell(database, main, verdict(*rows), 10)
    found: list[ItemRow] = []
    after = None
    while True:
        with database.read() as link:
            part, after = items.page(link, None, Filter(), Part(after, 7))
        found += part
        if after is None:
            break
    assert len({row.id for row in found}) == len(found) == 23
    assert [row.severity.rank for row in found] == sorted((row.severity.rank for row in found), reverse=True)
    with database.read() as link:
        assert items.count(link, None, Filter(least=Severity.HIGH)) == sum(row.severity.rank >= Severity.HIGH.rank for row in found)
        assert link.execute(sa.select(sa.func.count()).select_from(item).where(item.c.untold == 1)).scalar() == 23


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "asked",
    [Filter(), Filter(at=Instant(15)), Filter(team=TeamId(1)), Filter(person=PersonId(1)), Filter(state=ItemState.CLOSED)],
    ids=["all", "as of", "of a team", "of a person", "closed"],
)
def test_a_list_of_items_is_a_walk_along_an_index(database: Database, asked: Filter) -> None:
    add_team(database, "blue")
    tell(database, add_subject(database, team=1), verdict(*(seen(f"f{n}", f"d{n}/f.py") for n in range(50))), 10)
    plans: list[str] = []
    with database.read() as link:

        def explain(connection: sa.Connection, _cursor: object, text: str, values: Any, *_: object) -> None:
            if text.startswith("SELECT item_span.since"):
                cursor = connection.connection.cursor()
                plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall())
                cursor.close()

        event.listen(link, "before_cursor_execute", explain)
        items.page(link, None, asked)
    assert plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan or plan.startswith("SCAN")], plans


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_settling_a_subject_reads_what_stands_open_by_an_index(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("a", "src/a.py")), 10)
    with database.read() as link:
        asked = (
            "EXPLAIN QUERY PLAN SELECT item, count(*), max(severity) FROM occurrence "
            "WHERE subject = 1 AND closed_at IS NULL AND waived = 0 AND item IS NOT NULL GROUP BY item"
        )
        plans = [row[3] for row in link.execute(sa.text(asked))]
    assert any("INDEX ix_occurrence_subject_item" in plan for plan in plans), plans
