"""Two people or more: who counts, what ends a request, and that nothing is endorsed before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from tests.endorsing.conftest import Endorsing

from assaymark.model.access import PersonId
from assaymark.server.people.accounts import By
from assaymark.server.problem import ApiError
from assaymark.server.work import approving
from assaymark.server.work.approving import Answer
from assaymark.store import approvals, tables
from assaymark.store.approvals import ApprovalRequest, State

YES, NO = Answer(approves=True, reason=""), Answer(approves=False, reason="not like this")


class Court(Endorsing):
    """A shop with people."""

    def person(self, login: str, **values: str) -> By:
        with self.service.database.write() as link:
            row = {"login": login, "handle": login.encode(), "created_at": 1, **values}
            number = link.execute(tables.person.insert().returning(tables.person.c.id), row).scalar_one()
        return By(login, PersonId(number))

    def ask(self, number: Any, by: By) -> Any:
        with self.service.database.write() as link:
            return approving.ask(self.service, link, number, by)

    def answer(self, request: int, said: Answer, by: By) -> ApprovalRequest:
        with self.service.database.write() as link:
            return approving.answer(self.service, link, request, said, by)

    def request(self, number: Any) -> ApprovalRequest:  # type: ignore[override]
        with self.service.database.read() as link:
            found = approvals.last_of(link, number)
        assert found is not None
        return found

    def work(self) -> None:
        from tests.assess.conftest import Once  # noqa: PLC0415

        from assaymark.server.work.handlers import handler  # noqa: PLC0415

        for job in self.jobs("endorse"):
            handler(job.kind)(self.service, job.arguments, Once())


@pytest.fixture
def court(shop: Endorsing) -> Court:
    made = Court(shop.service, shop.origin)
    made.set_terms(people=2, days=7)
    return made


def refused(do: Callable[[], Any]) -> str:
    with pytest.raises(ApiError) as caught:
        do()
    assert caught.value.status == 409
    return caught.value.detail


def test_enough_people_let_it_be_endorsed_and_are_named_in_it(court: Court) -> None:
    number = court.passes()
    asker, one, two = court.person("olga"), court.person("ben"), court.person("cleo")
    assert court.ask(number, asker) is None
    court.work()
    assert court.endorsed(number) is None
    request = court.request(number)
    assert (request.state, request.people, request.asked_by) == (State.WAITING, 2, "olga")
    assert court.answer(request.id, YES, one).state is State.WAITING
    court.work()
    assert court.endorsed(number) is None
    assert court.answer(request.id, YES, two).state is State.APPROVED
    court.work()
    row = court.endorsed(number)
    assert row is not None
    assert (row.approved_by, row.asked_by) == (("ben", "cleo"), "olga")
    assert court.ask(number, asker) == row


def test_who_asked_or_wrote_it_does_not_count(court: Court) -> None:
    number = court.passes()  # by Ada <ada@example.org>, pushed by the login ada
    asker = court.person("olga")
    court.ask(number, asker)
    court.work()
    request = court.request(number).id
    for by in (
        asker, court.person("ADA"), court.person("a.l", email="Ada@Example.org"), court.person("someone", name="ada"),
    ):  # fmt: skip
        assert "you asked for it, or wrote" in refused(partial(court.answer, request, YES, by))
    assert court.request(number).votes == ()
    assert court.request(number).authors


def test_nobody_counts_twice(court: Court) -> None:
    number = court.passes()
    court.ask(number, court.person("olga"))
    court.work()
    ben, request = court.person("ben"), court.request(number).id
    court.answer(request, YES, ben)
    assert "already" in refused(lambda: court.answer(request, YES, ben))
    assert court.request(number).state is State.WAITING


def test_one_who_declines_ends_it_and_only_asking_again_begins_anew(court: Court) -> None:
    number, olga, ben = court.passes(), court.person("olga"), court.person("ben")
    court.ask(number, olga)
    court.work()
    first = court.request(number)
    assert court.answer(first.id, NO, ben).state is State.DECLINED
    assert "declined" in refused(lambda: court.answer(first.id, YES, court.person("cleo")))
    assert court.endorse(number) is None  # by itself nothing is asked again
    assert court.request(number).id == first.id
    court.ask(number, olga)
    from tests.assess.conftest import Once  # noqa: PLC0415

    from assaymark.server.work.endorsing import endorse  # noqa: PLC0415

    endorse(court.service, {"assessment": number, "login": "olga", "person": olga.person}, Once())
    assert court.request(number).id != first.id
    assert court.request(number).state is State.WAITING


def test_what_is_contradicted_meanwhile_lapses(court: Court) -> None:
    number = court.passes()
    court.ask(number, court.person("olga"))
    court.work()
    with court.service.database.write() as link:
        row = link.execute(sa.select(tables.assessment).where(tables.assessment.c.id == number)).one()._asdict()
        link.execute(tables.assessment.insert(), {**row, "id": number + 1, "state": "fail"})
    assert court.endorse(number) is None
    found = court.request(number)
    assert found.state is State.LAPSED
    assert "judged again" in found.reason


def test_an_approved_request_does_not_endorse_what_failed_since(court: Court) -> None:
    number = court.passes()
    court.ask(number, court.person("olga"))
    court.work()
    request = court.request(number).id
    for login in ("ben", "cleo"):
        court.answer(request, YES, court.person(login))
    with court.service.database.write() as link:
        row = link.execute(sa.select(tables.assessment).where(tables.assessment.c.id == number)).one()._asdict()
        link.execute(tables.assessment.insert(), {**row, "id": number + 1, "state": "fail"})
    court.work()
    assert court.endorsed(number) is None


def test_those_who_can_answer_find_it_in_their_queue(court: Court) -> None:
    number = court.passes()
    olga, ben, ada = court.person("olga"), court.person("ben"), court.person("ada")
    court.ask(number, olga)
    court.work()
    request = court.request(number).id

    def waiting(by: By) -> list[int]:
        assert by.person is not None
        with court.service.database.read() as link:
            return [row.id for row in approvals.waiting_for(link, None, by.person, 8)]

    assert (waiting(ben), waiting(olga), waiting(ada)) == ([request], [], [])
    court.answer(request, YES, ben)
    assert waiting(ben) == []


def test_each_step_stands_in_the_trail_and_is_told(court: Court) -> None:
    number = court.passes()
    court.ask(number, court.person("olga"))
    court.work()
    request = court.request(number).id
    for login in ("ben", "cleo"):
        court.answer(request, YES, court.person(login))
    court.work()
    with court.service.database.read() as link:
        a, h = tables.audit_event.c, tables.happening.c
        actions = link.execute(sa.select(a.action, a.actor).order_by(a.id)).all()
        news = link.execute(sa.select(h.kind).order_by(h.id)).scalars().all()
    mine = [tuple(row) for row in actions if row.action.startswith(("endorsement.", "approval."))]
    assert mine == [("endorsement.asked", "olga"), ("approval.given", "ben"), ("approval.given", "cleo"), ("endorsement.made", "olga")]
    assert [each for each in news if each.startswith(("endorsement.", "approval."))] == [
        "approval.asked", "approval.answered", "endorsement.made",
    ]  # fmt: skip
