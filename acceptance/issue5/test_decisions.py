"""Issue 5, section 2: what is decided never stands open in between, comes back exactly, and reads as of an instant the same for ever."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import sqlalchemy as sa
from tests.store.recording_samples import add_subject, seen, tell, verdict

from assaymark.model.assessment import Instant
from assaymark.model.decision import DecisionId, DecisionKind, Scope
from assaymark.store import deciding, decisions
from assaymark.store.database import Database
from assaymark.store.decisions import By, Draft, Filter, Said, Step
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import occurrence, posture

AT = 20_000 * decisions.DAY


def test_a_decision_over_ten_thousand_findings_is_applied_restored_and_asked_as_of_then(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'assaymark.db'}")
    migrate(database)
    main = add_subject(database)
    tell(database, main, verdict(*(seen(f"n{n}", f"d{n % 50}/f.py") for n in range(10_000))), AT)

    def counts(at: int) -> tuple[int, int]:
        p = posture.c
        query = sa.select(p.high, p.waived).where(p.subject == main, p.at <= at).order_by(p.id.desc()).limit(1)
        with database.read() as link:
            return tuple(link.execute(query).one())

    def listed(at: int) -> bytes:
        with database.read() as link:
            return msgspec.json.encode(decisions.page(link, None, Filter(None), Instant(at))[0])

    def spread(number: DecisionId, at: int) -> int:
        """Transaction by transaction; how many changed."""
        changed, after = 0, 0
        while True:
            with database.write() as link:
                decisions.lock(link)
                done = deciding.spread(link, [number], Instant(at), after=after)
            changed += done.changed
            if done.after is None:
                return changed
            after = done.after

    until = decisions.day_of(AT) + dt.timedelta(days=30)
    with database.write() as link:
        decisions.lock(link)
        draft = Draft(DecisionKind.ACCEPT, Scope(rule="sql-injection", path="d1*/**"), "measured", "ann", until, By("ann"), None)
        made = decisions.add(link, draft, Instant(AT + 1))
        assert made is not None
    covered = 10_000 * 11 // 50
    assert spread(made, AT + 1) == covered
    assert counts(AT + 1) == (10_000 - covered, covered)
    tell(database, main, verdict(*(seen(f"n{n}", f"d{n % 50}/f.py") for n in range(10_100))), AT + 2)
    assert counts(AT + 2) == (10_100 - covered - 22, covered + 22)  # what came later was covered before it stood open
    before = listed(AT + 2)
    with database.write() as link:
        decisions.lock(link)
        assert decisions.step(link, made, Step.WITHDRAWN, Said(By("bob"), Instant(AT + 3)))
    assert spread(made, AT + 3) == covered + 22
    assert counts(AT + 3) == (10_100, 0)
    assert (counts(AT), counts(AT + 1), listed(AT + 2)) == ((10_000, 0), (10_000 - covered, covered), before)
    with database.read() as link:
        c = occurrence.c
        stood = link.execute(sa.select(sa.func.count()).where(c.since == AT + 2, c.opened_at == AT + 2, c.waived == 0)).scalar()
    assert stood == 100 - 22
    database.close()
