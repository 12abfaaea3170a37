"""What keeps lists fast at any size: they walk along an index in its order, and read no row that they do not show."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.severity import Severity
from assaymark.store import assessments, findings, subjects
from assaymark.store.database import Database
from assaymark.store.findings import Filter, Order, Part

LISTS = {
    "open": (Filter(), Order.WORST),
    "as of": (Filter(at=Instant(15)), Order.WORST),
    "of a team": (Filter(team=TeamId(1)), Order.WORST),
    "of a subject": (Filter(subject=SubjectId(1)), Order.WORST),
    "of a family": (Filter(rule_class="sql-injection"), Order.WORST),
    "of a rule as of": (Filter(rule="ruff/S608", at=Instant(15)), Order.WORST),
    "newest": (Filter(), Order.NEWEST),
    "newest as of": (Filter(at=Instant(15)), Order.NEWEST),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_findings_is_a_walk_along_an_index(database: Database, name: str) -> None:
    asked, order = LISTS[name]
    add_team(database, "blue")
    tell(database, add_subject(database, team=1), verdict(*(seen(f"f{n}", severity=list(Severity)[n % 5]) for n in range(50))), 10)
    plans: list[str] = []
    with database.read() as link:

        def explain(connection: sa.Connection, _cursor: object, text: str, values: Any, *_: object) -> None:
            if text.startswith(("SELECT occurrence.since", "SELECT occurrence.severity")):
                cursor = connection.connection.cursor()
                plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall())
                cursor.close()

        event.listen(link, "before_cursor_execute", explain)
        rows, _ = findings.page(link, None, asked, Part(order))
    assert len(rows) == 50
    assert plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan], plans
    assert all("COVERING INDEX" in plan or "USING INDEX" in plan for plan in plans), plans


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_lists_of_subjects_and_assessments_ask_a_bounded_number_of_questions(database: Database) -> None:
    for n in range(30):
        tell(database, add_subject(database, f"s{n}"), verdict(seen(f"x{n}")), 10)
    asked = []
    with database.read() as link:
        event.listen(link, "before_cursor_execute", lambda *given: asked.append(given[2]))
        subjects.page(link, None, subjects.Filter(at=Instant(15)))
        assessments.page(link, None, assessments.Filter())
        findings.page(link, None, Filter())
    assert len(asked) <= 13  # whatever the number of rows


def test_ten_thousand_findings_are_recorded_within_seconds(database: Database) -> None:
    main = add_subject(database)
    given = verdict(*(seen(f"f{n}", f"d{n % 90}/f{n % 700}.py", line=n % 300 + 1) for n in range(10_000)))
    started = time.process_time()
    tell(database, main, given, 10)
    tell(database, main, verdict(), 20)
    assert time.process_time() - started < 6
    with database.read() as link:
        assert link.execute(sa.text("SELECT count(*) FROM occurrence WHERE closed_at = 20")).scalar() == 10_000
