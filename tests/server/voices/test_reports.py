"""Reports from anyone: the way of a report from a stranger's form to a finding, and what stops those who would abuse it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.server.voices.conftest import House

from assaymark.server.api import outside
from assaymark.store import reports


def address(house: House, login: str = "sec", team: int | None = None) -> str:
    answer = house.signed_in(login).post("/api/v1/report-links", json={"name": "Harbour", "team": house.blue if team is None else team})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["address"]).removeprefix(house.service.settings.url)


def send(client: TestClient, where: str, **fields: str) -> str:
    """By the page; gives where it can be followed."""
    answer = client.post(where, data={"what": "The search page shows other people's ships", "place": "/search?q=", **fields})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).partition("?")[0]


def sent(house: House, where: str, **fields: str) -> tuple[str, int]:
    follow = send(house.visitor("198.51.100.7"), where, **fields)
    rows = house.signed_in("sec").get("/api/v1/reports").json()["items"]
    return follow, int(rows[0]["id"])


def test_a_stranger_reports_something_and_follows_it_without_an_account(house: House) -> None:
    stranger = house.visitor("198.51.100.7")
    where = address(house)
    form = stranger.get(where)
    assert "Harbour" in form.text
    assert "Blue" in form.text
    follow = send(stranger, where, steps="Open it with `q=%`.", contact="ada@example.org")
    page = stranger.get(follow + "?new=1").text
    assert house.service.settings.url + follow in page, "the address to keep is shown"
    assert "waits for somebody" in page
    row = house.signed_in("sec").get("/api/v1/reports").json()["items"][0]
    assert (row["what"], row["place"], row["contact"], row["state"]) == (
        "The search page shows other people's ships", "/search?q=", "ada@example.org", "open",
    )  # fmt: skip


def test_it_becomes_a_finding_of_the_kind_that_fits_through_the_one_way_of_recording(house: House) -> None:
    follow, number = sent(house, address(house))
    subject, sec = house.subject(house.blue), house.signed_in("sec")
    wish = {"subject": subject, "rule_class": "missing-authorisation", "severity": "high", "kind": "endpoint", "path": "GET /search"}
    answer = sec.post(f"/api/v1/reports/{number}/accept", json={**wish, "part": "q", "text": "Thank you."})
    assert answer.status_code == 200, answer.text
    finding = answer.json()["report"]["finding"]
    rows = sec.get("/api/v1/findings", params={"subject": subject}).json()["items"]
    assert [(row["finding"], row["kind"], row["rule_class"], row["severity"], row["path"], row["checks"]) for row in rows] == [
        (finding, "endpoint", "missing-authorisation", "high", "GET /search", [f"report/{number}"])
    ]
    assert sec.get(f"/api/v1/subjects/{subject}").json()["subject"]["open"]["high"] == 1
    told = house.visitor().get(f"/api/v1{follow}").json()
    assert (told["state"], told["is_repaired"]) == ("accepted", False)
    assert told["messages"][-1] | {"at": 0} == {"at": 0, "is_yours": False, "state": "accepted", "text": "Thank you."}
    assert sec.post(f"/api/v1/reports/{number}/repaired").status_code == 200
    assert sec.get("/api/v1/findings", params={"subject": subject}).json()["items"] == []
    assert house.visitor().get(f"/api/v1{follow}").json()["is_repaired"]


@pytest.mark.parametrize(
    ("kind", "layer"), [("code", "application"), ("configuration", "platform"), ("host", "infrastructure"), ("endpoint", "application")]
)
def test_each_kind_stands_in_its_layer_and_closes_nothing_else(house: House, kind: str, layer: str) -> None:
    _, number = sent(house, address(house))
    sec, finding = house.signed_in("sec"), house.finding(house.blue)
    before = sec.get(f"/api/v1/findings/{finding}/places").json()["items"][0]
    subject = before["subject"]["id"]
    wish = {"subject": subject, "rule_class": "data-exposure", "severity": "low", "kind": kind, "path": "a.py", "line": 3}
    assert sec.post(f"/api/v1/reports/{number}/accept", json=wish).status_code == 200
    rows = sec.get("/api/v1/findings", params={"subject": subject}).json()["items"]
    assert [(row["kind"], row["layer"]) for row in rows if row["rule_class"] == "data-exposure"] == [(kind, layer)]
    assert len(rows) == 2


def test_what_is_known_already_is_merged(house: House) -> None:
    follow, number = sent(house, address(house))
    finding, hidden, sec = house.finding(house.blue), house.finding(house.red), house.signed_in("sec")
    assert sec.post(f"/api/v1/reports/{number}/merge", json={"finding": hidden}).status_code == 404
    assert sec.post(f"/api/v1/reports/{number}/merge", json={"finding": finding}).json()["report"]["finding"] == finding
    assert house.visitor().get(f"/api/v1{follow}").json()["state"] == "merged"


def test_a_refusal_has_a_reason_and_ends_it(house: House) -> None:
    follow, number = sent(house, address(house))
    sec = house.signed_in("sec")
    assert sec.post(f"/api/v1/reports/{number}/refuse", json={"text": " "}).status_code == 400
    assert sec.post(f"/api/v1/reports/{number}/refuse", json={"text": "These are public ships."}).status_code == 200
    assert "These are public ships." in house.visitor().get(follow).text
    wish = {"subject": house.subject(house.blue), "rule_class": "data-exposure", "severity": "low"}
    assert sec.post(f"/api/v1/reports/{number}/accept", json=wish).status_code == 409


def test_both_sides_write_and_the_stranger_does_not_learn_who(house: House) -> None:
    follow, number = sent(house, address(house))
    sec, stranger = house.signed_in("sec"), house.visitor("198.51.100.7")
    sec.post(f"/api/v1/reports/{number}/messages", json={"text": "Which browser?"})
    assert stranger.post(follow, data={"text": "All of them."}).status_code == 303
    page = stranger.get(follow).text
    assert "Which browser?" in page
    assert "All of them." in page
    assert "sec" not in re.sub(r"<[^>]+>|security|second|section", "", page)
    entries = sec.get(f"/api/v1/reports/{number}").json()["entries"]
    assert [(each["login"], each["text"]) for each in entries] == [("sec", "Which browser?"), (None, "All of them.")]


def test_reports_are_for_those_who_decide_in_their_team(house: House) -> None:
    _, number = sent(house, address(house))
    for login in ("ana", "val", "aud"):
        assert house.signed_in(login).get("/api/v1/reports").status_code == 403
        assert house.signed_in(login).get("/reports").status_code == 403
    assert house.signed_in("rob").get(f"/api/v1/reports/{number}").status_code == 403
    assert house.signed_in("top").get(f"/api/v1/reports/{number}").status_code == 200
    assert house.signed_in("sec").post("/api/v1/report-links", json={"name": "x", "team": house.red}).status_code == 403
    assert house.signed_in("sec").post("/api/v1/report-links", json={"name": "x"}).status_code == 403, "the organisation's is for all"


def test_the_same_on_pages(house: House) -> None:
    _, number = sent(house, address(house))
    sec, subject = house.signed_in("sec"), house.subject(house.blue)
    assert "other people&#39;s ships" in sec.get("/reports").text
    page = sec.get(f"/reports/{number}").text
    assert f'value="{subject}"' in page
    wrong = sec.post(f"/reports/{number}", data={"do": "accept", "subject": "x"})
    assert wrong.status_code == 400
    assert "subject=" in wrong.text
    form = {"do": "accept", "subject": subject, "kind": "code", "rule_class": "data-exposure", "severity": "medium", "path": "search.py"}
    assert sec.post(f"/reports/{number}", data=form).status_code == 303
    assert "It is repaired" in sec.get(f"/reports/{number}").text
    assert sec.post(f"/reports/{number}", data={"do": "repaired"}).status_code == 303
    assert sec.post(f"/reports/{number}", data={"do": "answer", "text": "Gone."}).status_code == 303
    made = sec.post("/reports/links", data={"do": "make", "name": "Second", "team": house.blue})
    assert re.search(r"/report/[0-9A-Za-z]{43}<", made.text), "the link is shown once"
    assert not re.search(r"/report/[0-9A-Za-z]{43}<", sec.get("/reports/links").text)


def test_it_is_told_that_something_came_and_not_what(house: House) -> None:
    _, number = sent(house, address(house))
    with house.service.database.read() as link:
        rows = link.exec_driver_sql("SELECT kind, title, path, team FROM happening").all()
    told = "Somebody reported something by the link Harbour"
    assert [tuple(row) for row in rows] == [("report.received", told, f"/reports/{number}", house.blue)]


# --- against abuse ---------------------------------------------------------------------------------------------------


def test_a_revoked_link_takes_nothing_and_what_came_by_it_stays(house: House) -> None:
    where = address(house)
    follow, _ = sent(house, where)
    sec = house.signed_in("sec")
    sec.delete(f"/api/v1/report-links/{sec.get('/api/v1/report-links').json()['items'][0]['id']}")
    assert house.visitor().get(where).status_code == 404
    assert house.visitor().post(where, data={"what": "x"}).status_code == 404
    assert house.visitor().get(follow).status_code == 200


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "../follow", "%00", "A" * 5000])
def test_a_guessed_link_is_not_there(house: House, secret: str) -> None:
    for room in ("report", "follow"):
        assert house.visitor().get(f"/{room}/{secret}").status_code in {404, 414}


def test_of_secrets_only_digests_are_kept(house: House) -> None:
    where = address(house)
    follow, _ = sent(house, where)
    with house.service.database.read() as link:
        kept = str(link.exec_driver_sql("SELECT * FROM report_link").all()) + str(link.exec_driver_sql("SELECT * FROM report").all())
        kept += str(link.exec_driver_sql("SELECT * FROM audit_event").all())
    for secret in (where, follow):
        assert secret.rpartition("/")[2] not in kept


def test_one_address_sends_six_an_hour_and_others_are_not_held_up(house: House) -> None:
    where = address(house)
    spammer = house.visitor("203.0.113.9")
    for _ in range(outside.PER_ADDRESS):
        send(spammer, where)
    answer = spammer.post(where, data={"what": "again"})
    assert answer.status_code == 429
    assert "minutes" in answer.text
    assert 'value="again"' in answer.text, "what was typed is not lost"
    send(house.visitor("203.0.113.10"), where)
    house.later(3601)
    send(spammer, where)


def test_addresses_of_one_subscriber_count_as_one(house: House) -> None:
    where = address(house)
    for each in range(outside.PER_ADDRESS):
        send(house.visitor(f"2001:4860:0:1::{each + 1:x}"), where)
    assert house.visitor("2001:4860:0:1::ffff").post(where, data={"what": "x"}).status_code == 429


def test_many_addresses_together_are_stopped_at_the_link(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PER_LINK", 5)
    where = address(house)
    for each in range(5):
        send(house.visitor(f"203.0.113.{each + 1}"), where)
    assert house.visitor("203.0.113.99").post(where, data={"what": "x"}).status_code == 429
    send(house.visitor("203.0.113.99"), address(house))


def test_a_heap_that_nobody_looks_at_does_not_grow_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_OPEN", 2)
    where = address(house)
    for each in range(2):
        send(house.visitor(f"203.0.113.{each + 1}"), where)
    answer = house.visitor("203.0.113.9").post(where, data={"what": "x"})
    assert answer.status_code == 503


def test_a_program_that_fills_every_field_is_told_and_a_person_can_mend_it(house: House) -> None:
    where = address(house)
    answer = house.visitor().post(where, data={"what": "cheap pills", "website": "https://pills.example"})
    assert answer.status_code == 400
    assert "stay empty" in answer.text
    assert house.signed_in("sec").get("/api/v1/reports").json()["items"] == []


def test_answers_are_bounded_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    follow, _ = sent(house, address(house))
    stranger = house.visitor("203.0.113.9")
    for _ in range(outside.ANSWERS):
        assert stranger.post(follow, data={"text": "still there?"}).status_code == 303
    assert stranger.post(follow, data={"text": "still there?"}).status_code == 429
    house.later(3601)
    monkeypatch.setattr(reports, "MOST_ENTRIES", outside.ANSWERS)
    assert stranger.post(follow, data={"text": "still there?"}).status_code == 409


@pytest.mark.parametrize("field", ["what", "place", "steps", "contact"])
def test_what_is_too_long_is_refused_with_the_field(house: House, field: str) -> None:
    fields: dict[str, Any] = {"what": "x", field: "x" * (outside.LONGEST[field] + 1)}
    answer = house.visitor().post(f"/api/v1{address(house)}", json=fields)
    assert answer.status_code == 400
    assert f"`{field}`" in answer.json()["detail"]


def test_a_file_is_not_taken(house: House) -> None:
    where = address(house)
    answer = house.visitor().post(where, data={"what": "x"}, files={"file": ("a.svg", b"<svg onload=alert(1)>")})
    assert answer.status_code >= 400
    answer = house.visitor().post(where, content=b"x" * (70 << 10), headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413


def test_the_trail_says_what_happened_and_not_from_where_a_stranger_came(house: House) -> None:
    sent(house, address(house))
    rows = house.trail("action", "actor", "origin")
    assert ("report.received", "reporter", "") in rows
    assert any(row[0] == "report-link.created" and row[1] == "sec" for row in rows)


# --- security.txt ----------------------------------------------------------------------------------------------------


def test_security_txt_says_what_was_set_and_expires(house: House) -> None:
    top, anybody = house.signed_in("top"), house.visitor()
    assert anybody.get("/.well-known/security.txt").status_code == 404
    wish = {"contact": ["https://assay.example/report/x", "mailto:security@example.org"], "days": 30, "languages": ["en", "pt-BR"]}
    assert top.put("/api/v1/security-txt", json=wish | {"policy": "https://example.org/policy"}).status_code == 200
    answer = anybody.get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "Contact: https://assay.example/report/x",
        "Contact: mailto:security@example.org",
        "Expires: 2027-02-14T08:00:00Z",
        "Policy: https://example.org/policy",
        "Preferred-Languages: en, pt-BR",
    ]
    house.later(31 * 86400)
    assert anybody.get("/.well-known/security.txt").status_code == 404, "what has expired sends nobody anywhere"
    assert house.signed_in("sec").put("/api/v1/security-txt", json=wish).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"contact": []},
        {"contact": ["http://example.org"]},
        {"contact": ["javascript:alert(1)"]},
        {"contact": ["mailto:a@example.org\nContact: mailto:evil@example.org"]},
        {"policy": "https://"},
        {"days": 0},
        {"days": 400},
        {"languages": ["en\nHiring: x"]},
    ],
)
def test_what_would_be_no_security_txt_is_refused(house: House, change: dict[str, object]) -> None:
    wish = {"contact": ["mailto:security@example.org"]} | change
    assert house.signed_in("top").put("/api/v1/security-txt", json=wish).status_code == 400
