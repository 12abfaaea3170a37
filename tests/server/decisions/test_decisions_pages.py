"""Pages of decisions, without script: decide from a finding, look at it, withdraw it; ask and be answered."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.server.decisions.test_decisions_api import decide, judged, last_day, new
from tests.server.voices.conftest import House

from assaymark.server.service import Service
from assaymark.store import tables as t


@pytest.fixture
def database_url(make_database: object) -> str:
    """What pages ask, the API's tests ask of both databases."""
    return make_database("sqlite")  # type: ignore[operator, no-any-return]


@pytest.fixture
def house(service: Service) -> House:
    return House(service)


def finding_in(house: House) -> tuple[int, int]:
    """(subject, finding)."""
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    with house.service.database.read() as link:
        return subject, int(link.execute(sa.select(t.occurrence.c.finding)).scalars().first() or 0)


def sent(client: TestClient, house: House, subject: int, finding: int, **more: str) -> tuple[int, str]:
    form = {
        "kind": "accept",
        "reason": "<script>alert(1)</script>",
        "where": f"subject:{subject}",
        "until": last_day(house),
        "do": "decide",
    }
    answer = client.post(f"/findings/{finding}/decide", data={**form, **more}, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", answer.text)


def test_a_decision_is_made_looked_at_and_withdrawn_on_pages(house: House) -> None:
    subject, finding = finding_in(house)
    sec = house.signed_in("sec")
    assert f"/findings/{finding}/decide" in sec.get(f"/findings/{finding}").text
    assert "only subject-" in sec.get(f"/findings/{finding}/decide").text
    status, place = sent(sec, house, subject, finding)
    assert (status, re.fullmatch(r"/decisions/\d+", place) is not None) == (303, True), place
    page = sec.get(place).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "a.py" in page
    listed = sec.get("/decisions")
    assert place in listed.text
    assert "<script>alert" not in listed.text
    refused = sec.post(f"{place}/withdraw", data={"reason": ""})
    assert (refused.status_code, "reason is missing" in refused.text) == (400, True)
    gone = sec.post(f"{place}/withdraw", data={"reason": "over"}, follow_redirects=False)
    assert (gone.status_code, gone.headers["location"]) == (303, place)
    assert "withdrawn" in sec.get(place).text
    assert place not in sec.get("/decisions").text
    assert place in sec.get("/decisions?standing=withdrawn").text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"where": "nowhere"}, "where it holds"), ({"where": "subject:999999"}, "not here"), ({"until": "soon"}, "is no day"),
        ({"until": "2999-01-01"}, "days away"), ({"reason": " "}, "reason is missing"), ({"kind": "perhaps"}, "unknown"),
        ({"kind": "not-affected"}, "justification"), ({"where": "everywhere"}, "not allowed"),
    ],
)  # fmt: skip
def test_a_form_that_makes_no_decision_says_why_and_keeps_what_was_written(house: House, change: dict[str, str], word: str) -> None:
    subject, finding = finding_in(house)
    status, text = sent(house.signed_in("sec"), house, subject, finding, **change)
    assert status in (400, 403, 404)
    assert word in text
    assert "Last day" in text


def test_who_may_not_decide_asks_and_is_answered(house: House) -> None:
    subject, finding = finding_in(house)
    ana, sec = house.signed_in("ana"), house.signed_in("sec")
    assert "Ask for a decision" in ana.get(f"/findings/{finding}/decide").text
    assert sent(ana, house, subject, finding)[0] == 403
    status, place = sent(ana, house, subject, finding, do="ask")
    assert (status, place.startswith("/requests/")) == (303, True), place
    assert "waits for somebody" in ana.get(place).text
    assert "Grant" in sec.get(place).text
    assert "some wait" in sec.get("/decisions").text
    done = sec.post(f"{place}/answer", data={"do": "grant", "reason": "for a week", "until": last_day(house, 7)}, follow_redirects=False)
    assert done.status_code == 303
    assert "for a week" in ana.get(place).text
    assert "for a week" in ana.get("/requests?mine=yes").text


def test_a_second_person_approves_on_the_page(house: House) -> None:
    subject, _ = finding_in(house)
    sec, top = house.signed_in("sec"), house.signed_in("top")
    number = decide(sec, house, {"rule": "sql-injection", "subject": subject}).json()["id"]
    assert "Approve</button>" not in sec.get(f"/decisions/{number}").text
    assert "Approve</button>" in top.get(f"/decisions/{number}").text
    assert top.post(f"/decisions/{number}/approve", follow_redirects=False).status_code == 303
    assert "by top" in sec.get(f"/decisions/{number}").text


def test_an_auditor_looks_and_is_offered_nothing(house: House) -> None:
    subject, finding = finding_in(house)
    sec, aud = house.signed_in("sec"), house.signed_in("aud")
    number = decide(sec, house, {"rule": "sql-injection", "subject": subject}).json()["id"]
    page = aud.get(f"/decisions/{number}")
    assert page.status_code == 200
    assert "Withdraw" not in page.text
    assert aud.get(f"/findings/{finding}/decide").status_code == 403
    assert aud.post(f"/decisions/{number}/withdraw", data={"reason": "x"}).status_code == 403


def test_another_teams_decision_is_not_there(house: House) -> None:
    subject, finding = finding_in(house)
    number = decide(house.signed_in("sec"), house, {"rule": "sql-injection", "subject": subject}).json()["id"]
    rob = house.signed_in("rob")
    assert rob.get(f"/decisions/{number}").status_code == 404
    assert rob.get(f"/findings/{finding}/decide").status_code == 404
    assert f"/decisions/{number}" not in rob.get("/decisions").text


def test_the_list_as_of_a_day_is_the_same_later(house: House) -> None:
    subject, _ = finding_in(house)
    sec = house.signed_in("sec")
    number = decide(sec, house, {"rule": "sql-injection", "subject": subject}).json()["id"]
    day = last_day(house, 0)
    house.at += 2 * 86_400_000_000
    sec = house.signed_in("sec")
    before = sec.get(f"/decisions?as_of={day}").text
    assert f"/decisions/{number}" in before
    assert sec.post(f"/decisions/{number}/withdraw", data={"reason": "over"}, follow_redirects=False).status_code == 303
    assert sec.get(f"/decisions?as_of={day}").text == before
