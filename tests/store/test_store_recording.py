from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from tests.store.recording_samples import add_subject, ask, gap, seen, standing, tell, verdict

from assaymark.errors import SubjectNotFound
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome, State, WaiverRef
from assaymark.store import arrivals
from assaymark.store.database import Database
from assaymark.store.recording import Recording, record
from assaymark.store.tables import assessment, finding, occurrence, posture, subject


def _row(database: Database, of: int) -> dict[str, Any]:
    with database.read() as link:
        return dict(link.execute(sa.select(subject).where(subject.c.id == of)).mappings().one())


def _rows(database: Database) -> list[dict[str, Any]]:
    with database.read() as link:
        return [dict(row) for row in link.execute(sa.select(occurrence).order_by(occurrence.c.id)).mappings()]


def test_what_is_seen_opens_and_what_is_no_longer_seen_closes(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x"), seen("y", "b.py")), 10)
    tell(database, main, verdict(seen("y", "b.py"), seen("z")), 20)
    assert standing(database, main) == [("y", "b.py"), ("z", "a.py")]
    assert standing(database, main, 15) == [("x", "a.py"), ("y", "b.py")]
    assert standing(database, main, 5) == []


def test_an_assessment_ends_once(database: Database) -> None:
    main = add_subject(database)
    asked = ask(database, main)
    for at, expected in ((10, True), (20, False)):
        with database.write() as link:
            assert record(link, Recording(asked, main, verdict(seen(f"x{at}")), "", True, Instant(at))) is expected
    assert standing(database, main) == [("x10", "a.py")]
    with database.read() as link:
        assert link.execute(sa.select(assessment.c.state, assessment.c.finished_at)).one() == ("pass", 10)


def test_an_assessment_of_another_subject_is_not_ended(database: Database) -> None:
    main, other = add_subject(database), add_subject(database, "other")
    asked = ask(database, main)
    with database.write() as link:
        assert not record(link, Recording(asked, other, verdict(), "", True, Instant(1)))


def test_a_subject_that_is_not_there_is_said(database: Database) -> None:
    with pytest.raises(SubjectNotFound), database.write() as link:
        record(link, Recording(None, SubjectId(99), None, "", True, Instant(1)))


def test_a_path_that_could_not_be_looked_at_keeps_what_stands_there(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", "d/a.py"), seen("y", "d/b.py"), seen("z", "e.py")), 10)
    tell(database, main, verdict(gap("d/a.py"), outcome=Outcome.UNPROVEN), 20)
    assert standing(database, main) == [("ruff at d/a.py", "d/a.py"), ("x", "d/a.py")]
    tell(database, main, verdict(), 30)
    assert standing(database, main) == []


def test_a_folder_that_could_not_be_looked_at_keeps_what_stands_below(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", "d/e/a.py"), seen("y", "de.py")), 10)
    tell(database, main, verdict(gap("d")), 20)
    assert ("x", "d/e/a.py") in standing(database, main)
    assert ("y", "de.py") not in standing(database, main)


def test_a_check_that_did_not_run_closes_nothing(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x"), seen("s", rule="secrets/token"), checks=("ruff", "secrets")), 10)
    tell(database, main, verdict(checks=("ruff",)), 20)
    assert standing(database, main) == [("s", "a.py")]


def test_what_two_checks_saw_closes_when_neither_sees_it(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", more=("bandit/B608",)), checks=("bandit", "ruff")), 10)
    tell(database, main, verdict(checks=("ruff",)), 20)
    assert standing(database, main) == [("x", "a.py")]
    tell(database, main, verdict(checks=("bandit",)), 30)
    assert standing(database, main) == []


def test_a_verdict_that_could_not_be_made_closes_nothing(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x")), 10)
    tell(database, main, None, 20)
    assert standing(database, main) == [("x", "a.py")]
    assert _row(database, main)["state"] == "unproven"


def test_a_push_leaves_occurrences_to_the_inventory(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x")), 10)
    asked = tell(database, main, verdict(seen("n", state=State.NEW), seen("x", state=State.FIXED), outcome=Outcome.FAIL), 20, whole=False)
    assert standing(database, main) == [("x", "a.py")]
    row = _row(database, main)
    assert (row["state"], row["last_assessment"], row["judged_at"], row["open_high"]) == ("fail", asked, 20, 1)
    with database.read() as link:
        counts = link.execute(sa.select(assessment.c.new_findings, assessment.c.fixed_findings).where(assessment.c.id == asked)).one()
    assert counts == (1, 1)


def test_an_inventory_without_an_assessment_leaves_the_state_alone(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(outcome=Outcome.FAIL), 10, whole=False)
    with database.write() as link:
        assert record(link, Recording(None, main, verdict(seen("x")), "", True, Instant(20)))
    row = _row(database, main)
    assert (row["state"], row["judged_at"], row["open_high"]) == ("fail", 10, 1)


def test_a_merge_request_holds_what_its_change_brings(database: Database) -> None:
    request = add_subject(database, "!1", kind="merge-request")
    tell(database, request, verdict(seen("n", state=State.NEW), seen("k", state=State.KNOWN)), 10, whole=False)
    assert standing(database, request) == [("n", "a.py")]
    tell(database, request, verdict(seen("m", state=State.NEW)), 20, whole=False)
    assert standing(database, request) == [("m", "a.py")]


def test_the_same_finding_stands_as_often_as_it_is_seen(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", line=1), seen("x", line=5), seen("x", "b.py")), 10)
    assert len(standing(database, main)) == 3
    assert sorted(row["ordinal"] for row in _rows(database)) == [0, 1, 2]
    tell(database, main, verdict(seen("x", line=5)), 20)
    assert standing(database, main) == [("x", "a.py")]
    with database.read() as link:
        assert link.execute(sa.select(sa.func.count()).select_from(finding)).scalar() == 1


def test_a_finding_that_moves_to_another_file_goes_on_and_keeps_its_age(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", "old.py")), 10)
    tell(database, main, verdict(seen("x", "new.py")), 20)
    first, second = _rows(database)
    assert (first["closed_at"], first["continued"], second["opened_at"], second["since"]) == (20, 1, 20, 10)
    assert standing(database, main, 15) == [("x", "old.py")]


def test_a_line_that_moves_opens_nothing(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", line=3)), 10)
    tell(database, main, verdict(seen("x", line=7)), 20)
    [row] = _rows(database)
    assert (row["line"], row["line_now"], row["closed_at"]) == (3, 7, None)


def test_severity_and_waiver_are_part_of_the_history(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x")), 10)
    tell(database, main, verdict(seen("x", severity=Severity.CRITICAL)), 20)
    tell(database, main, verdict(seen("x", severity=Severity.CRITICAL, waiver=WaiverRef("policy", "known"))), 30)
    assert [(r["severity"], r["waived"], r["opened_at"], r["closed_at"], r["since"]) for r in _rows(database)] == [
        (3, 0, 10, 20, 10),
        (4, 0, 20, 30, 10),
        (4, 1, 30, None, 10),
    ]
    assert _row(database, main)["open_critical"] == 0


def test_what_an_import_sees_as_well_has_one_row_and_two_witnesses(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x", waiver=WaiverRef("policy", "known"))), 10)
    tell(database, main, verdict(seen("x", rule="bandit/B608", severity=Severity.LOW), checks=("import/bandit",)), 20, trigger="import")
    [row] = _rows(database)
    assert (row["checks"], row["waived"], row["severity"]) == ("bandit ruff", 1, 3)


def test_an_import_is_no_verdict_of_the_subject(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(outcome=Outcome.FAIL), 10)
    tell(database, main, verdict(seen("x")), 20, trigger="import")
    row = _row(database, main)
    assert (row["state"], row["judged_at"], row["open_high"]) == ("fail", 10, 1)


def test_gaps_are_kept_and_not_counted_as_findings(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(gap("a.py")), 10)
    row = _row(database, main)
    assert [row[f"open_{each}"] for each in ("critical", "high", "medium", "low")] == [0, 0, 0, 0]
    assert len(standing(database, main)) == 1


def test_text_that_no_database_takes_is_written_visibly(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x\0", "caf\udce9\0.py")), 10)
    assert standing(database, main) == [("x\\x00", "caf\\xe9\\x00.py")]
    tell(database, main, verdict(), 20)
    assert standing(database, main) == []


def test_what_stood_in_a_subject_ends_with_it(database: Database) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x"), seen("y", severity=Severity.LOW)), 10)
    with database.write() as link:
        arrivals.end(link, main, Instant(20))
    assert standing(database, main) == []
    assert len(standing(database, main, 15)) == 2
    row = _row(database, main)
    assert (row["open_high"], row["open_low"], row["ended_at"]) == (0, 0, 20)
    with database.read() as link:
        assert link.execute(sa.select(posture.c.at, posture.c.high, posture.c.low).order_by(posture.c.id)).all() == [(10, 1, 1), (20, 0, 0)]


@pytest.mark.parametrize("column", ["severity", "path", "waived", "line", "message", "since"])
def test_the_past_of_an_open_occurrence_cannot_be_changed(database: Database, column: str) -> None:
    main = add_subject(database)
    tell(database, main, verdict(seen("x")), 10)
    with pytest.raises(DBAPIError, match="cannot be changed"), database.write() as link:
        link.execute(occurrence.update().values({column: "9"}))
