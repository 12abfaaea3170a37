"""What is endorsed by itself is judged again before its endorsement ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.assess.conftest import Once
from tests.endorsing.conftest import Endorsing

from assaymark.endorsement.verify import Expected
from assaymark.model.assessment import SECOND, AssessmentId, Instant
from assaymark.server.work.approval import approved
from assaymark.server.work.renewing import renew_endorsements
from assaymark.store import approvals, tables
from assaymark.store.approvals import State

DAY = 86_400 * SECOND


def moved(shop: Endorsing, days: float) -> None:
    """So much later."""
    begun = shop.service.now()
    shop.service = msgspec.structs.replace(shop.service, now=lambda: Instant(begun + int(days * DAY)))


def renewed(shop: Endorsing) -> list[AssessmentId]:
    """What is judged again by what the handler does now."""
    a = tables.assessment.c
    known = sa.select(a.id).where(a.trigger == "schedule").order_by(a.id)
    with shop.service.database.read() as link:
        before = set(link.execute(known).scalars())
    renew_endorsements(shop.service, {}, Once())
    with shop.service.database.read() as link:
        return [AssessmentId(number) for number in link.execute(known).scalars() if number not in before]


def ok(shop: Endorsing, head: str) -> bool:
    with shop.service.database.read() as link:
        return approved(shop.service, link, f"gitCommit:{head}", Expected()).ok


def test_what_still_passes_is_endorsed_anew_before_it_ends(shop: Endorsing) -> None:
    shop.set_terms(automatic=True, days=20)
    first = shop.endorsed_one(number := shop.passes())
    moved(shop, 14.9)
    assert renewed(shop) == [], "not before the last quarter"
    moved(shop, 0.2)
    [again] = renewed(shop)
    assert (shop.row(again).head, shop.row(again).subject) == (shop.row(number).head, first.subject)
    assert renewed(shop) == [], "once"
    assert shop.assess(again).state == "pass"
    assert again in [job.arguments["assessment"] for job in shop.jobs("endorse")]
    second = shop.endorsed_one(again)
    assert second.expires_at > first.expires_at
    moved(shop, 5)
    assert ok(shop, first.head), "the first has ended, and the second holds"
    assert renewed(shop) == []


def test_the_same_change_is_judged_from_the_same_base(lite: Endorsing) -> None:
    lite.set_terms(automatic=True, days=20)
    first = lite.passes()
    second = lite.passes("second", before=lite.row(first).head, app=lite.fine + b"\n")
    lite.endorsed_one(second)
    moved(lite, 16)
    [again] = renewed(lite)
    assert lite.assess(again).state == "pass"
    assert (lite.row(again).base, lite.row(again).head) == (lite.row(first).head, lite.row(second).head)


def test_what_does_not_pass_any_more_is_not_endorsed_anew(lite: Endorsing, monkeypatch: pytest.MonkeyPatch) -> None:
    lite.set_terms(automatic=True, days=20)
    first = lite.endorsed_one(lite.passes())
    moved(lite, 16)
    [again] = renewed(lite)
    with lite.service.database.write() as link:
        link.execute(tables.assessment.update().where(tables.assessment.c.id == again).values(state="fail", finished_at=lite.service.now()))
    assert lite.endorse(again) is None
    moved(lite, 5)
    assert not ok(lite, first.head)
    assert renewed(lite) == []


@pytest.mark.parametrize("case", ["people ask", "another is newer", "the branch is gone"])
def test_nothing_is_judged_again_where(lite: Endorsing, case: str) -> None:
    lite.set_terms(automatic=True, days=20)
    first = lite.endorsed_one(number := lite.passes())
    moved(lite, 16)
    values: dict[str, Any] = {}
    if case == "people ask":
        lite.set_terms(automatic=False, days=20)
    elif case == "another is newer":
        lite.passes("second", before=lite.row(number).head, app=lite.fine + b"\n")
    else:
        values = {"ended_at": lite.service.now()}
    if values:
        with lite.service.database.write() as link:
            link.execute(tables.subject.update().where(tables.subject.c.id == first.subject).values(**values))
    assert renewed(lite) == []


def test_where_people_have_to_approve_they_are_asked_once_more(lite: Endorsing) -> None:
    lite.set_terms(automatic=True, days=20)
    lite.endorsed_one(lite.passes())
    lite.set_terms(automatic=True, days=20, people=1)
    moved(lite, 16)
    [again] = renewed(lite)
    assert lite.assess(again).state == "pass"
    assert lite.endorse(again) is None
    with lite.service.database.read() as link:
        request = approvals.last_of(link, again)
    assert request is not None
    assert request.state is State.WAITING
