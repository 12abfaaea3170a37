"""Verdicts by a call: in time, later, in every format, and for nobody who may not see them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.jobs.job import Priority
from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.trigger import Trigger, TriggerKind
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.server.work import call as calling
from assaymark.store import tables
from assaymark.views.formats import FORMATS

PEOPLE = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),)),
    "viewer": Principal(PersonId(1), "viewer", (Grant(Role.VIEWER),)),
    "other": Principal(PersonId(1), "other", (Grant(Role.DEVELOPER, TeamId(77)),)),
}


def identify(_service: Service, request: Request) -> Principal | None:
    return PEOPLE[request.headers.get("authorization", "").removeprefix("Bearer ")]


class Caller:
    """A client of the API, with a worker that begins when it is told to."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        settings = msgspec.structs.replace(shop.service.settings, rate=1_000_000, public_rate=1_000_000)
        self.service = msgspec.structs.replace(shop.service, settings=settings)
        self.http = TestClient(make_app(self.service, identify=identify), base_url="http://127.0.0.1:8750")

    def ask(self, who: str = "admin", **body: Any) -> Any:
        return self.http.post("/api/v1/verdicts", json=body, headers={"Authorization": f"Bearer {who}"})

    def get(self, path: str, who: str = "admin", **headers: str) -> Any:
        return self.http.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {who}", **headers})

    def post(self, path: str, who: str = "admin") -> Any:
        return self.http.post(f"/api/v1{path}", headers={"Authorization": f"Bearer {who}"})

    def work(self, seconds: float = 0.3) -> threading.Thread:
        """A worker that takes up the newest assessment after a while."""

        def run() -> None:
            time.sleep(seconds)
            self.shop.assess(self.newest())

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def newest(self) -> int:
        with self.service.database.read() as link:
            return int(link.execute(sa.select(sa.func.max(tables.assessment.c.id))).scalar_one())


@pytest.fixture
def caller(shop: Any) -> Iterator[Caller]:
    shop.first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(shop.first))
    with shop.service.database.write() as link:
        row = {"id": 1, "login": "admin", "handle": b"1", "created_at": 0}
        link.execute(tables.person.insert(), row)
    made = Caller(shop)
    with made.http:
        yield made


def test_a_verdict_that_is_ready_in_time_is_the_answer(caller: Caller) -> None:
    head = caller.shop.origin.commit(b=caller.shop.bad)
    worker = caller.work()
    answer = caller.ask(repository=1, head=head, base=caller.shop.first, wait=30)
    worker.join()
    assert answer.status_code == 200
    assert answer.headers["assay-outcome"] == "fail"
    assert answer.json()["outcome"] == "fail"
    row = caller.shop.row(caller.newest())
    assert (row.base, row.head, row.trigger, row.actor) == (caller.shop.first, head, "call", "admin")
    with caller.service.database.read() as link:
        branch = link.execute(sa.select(tables.subject).where(tables.subject.c.kind == "branch")).one()
    assert branch.head == caller.shop.first, "a call about a commit moves no branch"


def test_a_verdict_that_is_not_ready_has_a_place_where_it_will_be(caller: Caller) -> None:
    head = caller.shop.origin.commit(b=caller.shop.bad)
    started = time.monotonic()
    answer = caller.ask(repository=caller.shop.origin.url, head=head, base=caller.shop.first, wait=0)
    assert time.monotonic() - started < 5
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    place = answer.headers["location"].removeprefix("/api/v1")
    assert caller.get(place).status_code == 202
    assert [job.priority for job in caller.shop.jobs("assess") if job.arguments["assessment"] == caller.newest()] == [Priority.CALL]
    caller.work(0).join()
    again = caller.get(place)
    assert again.status_code == 200
    assert caller.get(place, **{"If-None-Match": again.headers["etag"]}).status_code == 304


def test_a_merge_request_by_number_is_the_same_subject_as_the_forges(caller: Caller) -> None:
    caller.shop.origin.git("checkout", "-q", "-b", "feature")
    head = caller.shop.origin.commit(b=caller.shop.bad)
    number = caller.shop.request(head, 5, caller.shop.first)
    caller.ask(repository=1, head=head, merge_request=5, base=caller.shop.first, wait=0)
    assert caller.shop.row(caller.newest()).subject == caller.shop.row(number).subject
    caller.ask(repository=1, head=head, merge_request=5, wait=0)
    caller.work(0).join()
    row = caller.shop.row(caller.newest())
    assert (row.state, row.base) == ("fail", caller.shop.first), "the target is the default branch"


def test_a_branch_by_name_is_judged_as_after_a_push(caller: Caller) -> None:
    head = caller.shop.origin.commit(b=caller.shop.bad)
    worker = caller.work()
    answer = caller.ask(repository=1, ref="main", wait=30)
    worker.join()
    assert answer.json()["outcome"] == "fail"
    assert caller.shop.row(caller.newest()).head == head


def test_who_is_superseded_gets_the_verdict_that_covers_it(caller: Caller) -> None:
    head = caller.shop.origin.commit(b=caller.shop.bad)
    place = caller.ask(repository=1, ref="main", head=head, wait=0).headers["location"].removeprefix("/api/v1")
    caller.shop.push(caller.shop.origin.commit(c=caller.shop.fine), before=head)
    caller.work(0).join()
    answer = caller.get(place)
    assert answer.status_code == 200
    assert answer.headers["content-location"].endswith(f"/assessments/{caller.newest()}/verdict")


@pytest.mark.parametrize("form", ["", *FORMATS])
def test_every_format_of_reports_is_served(caller: Caller, form: str) -> None:
    first = caller.newest()
    answer = caller.get(f"/assessments/{first}/verdict?format={form}")
    assert answer.status_code == 200
    if answer.headers["content-type"].startswith("application/") and "json" in answer.headers["content-type"]:
        json.loads(answer.content)
    if form == "html":
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]


def test_what_ended_without_a_verdict_says_why(caller: Caller) -> None:
    worker = caller.work()
    answer = caller.ask(repository=1, head="1" * 40, base=caller.shop.first, wait=30)
    worker.join()
    assert answer.status_code == 409
    assert "1" * 40 in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"repository": 99, "head": "1" * 40}, 404),
        ({"repository": "https://nowhere.example/x", "head": "1" * 40}, 404),
        ({"repository": "--upload-pack=x", "head": "1" * 40}, 400),
        ({"repository": 1}, 400),
        ({"repository": 1, "merge_request": 5}, 400),
        ({"repository": 1, "head": "1" * 40, "wait": 61}, 400),
        ({"repository": 1, "head": "1" * 40, "wait": -1}, 400),
        ({"repository": 1, "head": "1" * 40, "format": "exe"}, 400),
        ({"repository": 1, "head": "1" * 40, "other": 1}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(caller: Caller, body: dict[str, Any], code: int) -> None:
    assert caller.ask(**body).status_code == code


def test_heads_that_are_no_commits_end_unproven_and_reach_no_command_line(caller: Caller) -> None:
    for head in ("--upload-pack=touch", "HEAD", "main"):
        worker = caller.work()
        answer = caller.ask(repository=1, head=head, base=caller.shop.first, wait=30)
        worker.join()
        assert answer.status_code == 409


def test_nobody_asks_about_what_he_may_not_see(caller: Caller) -> None:
    number = caller.newest()
    body = {"repository": 1, "head": caller.shop.first, "wait": 0}
    assert caller.ask("other", **body).status_code == 404
    assert caller.get(f"/assessments/{number}/verdict", "other").status_code == 404
    assert caller.post(f"/assessments/{number}/cancel", "other").status_code == 404
    assert caller.ask("viewer", **body).status_code == 403
    assert caller.get(f"/assessments/{number}/verdict", "viewer").status_code == 200
    assert caller.post(f"/assessments/{number}/cancel", "viewer").status_code == 403


def test_what_waits_is_cancelled_once_and_the_trail_says_by_whom(caller: Caller) -> None:
    head = caller.shop.origin.commit(b=caller.shop.bad)
    number = caller.shop.push(head, before=caller.shop.first)
    assert caller.post(f"/assessments/{number}/cancel").status_code == 204
    assert caller.shop.row(number).state == "cancelled"
    assert not [job for job in caller.shop.jobs("assess") if job.arguments["assessment"] == number]
    assert caller.post(f"/assessments/{number}/cancel").status_code == 409
    assert caller.get(f"/assessments/{number}/verdict").status_code == 409
    caller.shop.assess(number)
    assert caller.shop.row(number).state == "cancelled"
    with caller.service.database.read() as link:
        assert "assessment.cancelled" in link.execute(sa.select(tables.audit_event.c.action)).scalars().all()


def test_those_who_wait_are_bounded(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "_waiting", threading.BoundedSemaphore(1))
    number = caller.shop.accept(Trigger(TriggerKind.CALL, caller.shop.remote, ref="refs/heads/main"))
    first = threading.Thread(target=calling.wait_for, args=(caller.service, number, 3.0))
    first.start()
    time.sleep(0.2)
    started = time.monotonic()
    found = calling.wait_for(caller.service, number, 3.0)
    assert time.monotonic() - started < 1
    assert found is not None
    assert not found.has_ended
    first.join()
