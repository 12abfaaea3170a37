"""Comments: who may say and read what, what happens to words that are changed, and who is called."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.server.voices.conftest import House, said


def say(client: TestClient, on: str, number: int, text: str, **more: object) -> int:
    answer = client.post("/api/v1/comments", json={"on": on, "number": number, "text": text, **more})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_whoever_may_see_a_thing_reads_and_says(house: House) -> None:
    number = house.subject(house.blue)
    ana, val = house.signed_in("ana"), house.signed_in("val")
    say(ana, "subject", number, "Is this still **used**?")
    say(val, "subject", number, "Until May.")
    rows = said(ana, "subject", number)
    assert [(row["login"], row["text"], row["is_yours"]) for row in rows] == [
        ("ana", "Is this still **used**?", True),
        ("val", "Until May.", False),
    ]
    assert rows[0]["html"] == "<p>Is this still <strong>used</strong>?</p>"


def test_an_auditor_reads_and_says_nothing(house: House) -> None:
    number = house.subject(house.blue)
    say(house.signed_in("ana"), "subject", number, "a word")
    auditor = house.signed_in("aud")
    assert len(said(auditor, "subject", number)) == 1
    assert auditor.post("/api/v1/comments", json={"on": "subject", "number": number, "text": "x"}).status_code == 403


def test_a_thing_of_another_team_is_not_there(house: House) -> None:
    number = house.subject(house.blue)
    made = say(house.signed_in("ana"), "subject", number, "ours")
    rob = house.signed_in("rob")
    for answer in (
        rob.get("/api/v1/comments", params={"on": "subject", "number": number}),
        rob.post("/api/v1/comments", json={"on": "subject", "number": number, "text": "x"}),
        rob.patch(f"/api/v1/comments/{made}", json={"text": "x"}),
        rob.delete(f"/api/v1/comments/{made}"),
        rob.get(f"/api/v1/comments/{made}/versions"),
    ):
        assert answer.status_code == 404, answer.text


def test_what_one_team_says_of_a_finding_that_both_have_the_other_does_not_read(house: House) -> None:
    number = house.finding(house.blue, house.red)
    ana, rob, top = house.signed_in("ana"), house.signed_in("rob"), house.signed_in("top")
    made = say(ana, "finding", number, "of blue alone")
    assert said(rob, "finding", number) == []
    assert rob.get(f"/api/v1/comments/{made}/versions").status_code == 404
    assert [row["team"] for row in said(top, "finding", number)] == [house.blue]
    answer = top.post("/api/v1/comments", json={"on": "finding", "number": number, "text": "to whom?"})
    assert answer.status_code == 400
    assert "several teams" in answer.json()["detail"]
    say(top, "finding", number, "to red", team=house.red)
    assert [row["text"] for row in said(rob, "finding", number)] == ["to red"]
    assert ana.post("/api/v1/comments", json={"on": "finding", "number": number, "text": "x", "team": house.red}).status_code == 404


def test_an_edit_is_another_row_and_nothing_is_lost(house: House) -> None:
    number = house.subject(house.blue)
    ana, val = house.signed_in("ana"), house.signed_in("val")
    made = say(ana, "subject", number, "first")
    say(val, "subject", number, "answer")
    house.later(60)
    assert ana.patch(f"/api/v1/comments/{made}", json={"text": "second"}).json()["text"] == "second"
    assert ana.delete(f"/api/v1/comments/{made}").status_code == 204
    rows = said(val, "subject", number)
    assert [row["text"] for row in rows] == ["", "answer"], "a comment keeps its place"
    assert rows[0]["edited_at"] == rows[0]["at"] + 60_000_000
    assert [each["text"] for each in val.get(f"/api/v1/comments/{made}/versions").json()] == ["first", "second", ""]
    assert ana.patch(f"/api/v1/comments/{made}", json={"text": "third"}).status_code == 409


def test_nobody_changes_what_somebody_else_said(house: House) -> None:
    made = say(house.signed_in("ana"), "subject", house.subject(house.blue), "mine")
    for login in ("val", "sec", "top"):
        answer = house.signed_in(login).patch(f"/api/v1/comments/{made}", json={"text": "changed"})
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "not-yours")


def test_who_is_called_may_read_it(house: House) -> None:
    number = house.subject(house.blue)
    say(house.signed_in("ana"), "subject", number, "@val @rob @top @nobody @ana `@sec` look")
    assert [row["login"] for row in house.signed_in("val").get("/api/v1/mentions").json()["items"]] == ["ana"]
    assert len(house.signed_in("top").get("/api/v1/mentions").json()["items"]) == 1
    for login in ("rob", "ana", "sec"):
        assert house.signed_in(login).get("/api/v1/mentions").json()["items"] == []


def test_an_edit_calls_nobody_twice(house: House) -> None:
    ana, val, sec = (house.signed_in(login) for login in ("ana", "val", "sec"))
    made = say(ana, "subject", house.subject(house.blue), "@val look")
    ana.patch(f"/api/v1/comments/{made}", json={"text": "@val and @sec look"})
    assert len(val.get("/api/v1/mentions").json()["items"]) == 1
    assert len(sec.get("/api/v1/mentions").json()["items"]) == 1


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 10_001])
def test_no_words_and_too_many_are_refused_with_the_reason(house: House, text: str) -> None:
    answer = house.signed_in("ana").post("/api/v1/comments", json={"on": "subject", "number": house.subject(house.blue), "text": text})
    assert answer.status_code == 400
    assert "`text`" in answer.json()["detail"]


def test_every_change_is_in_the_trail(house: House) -> None:
    ana = house.signed_in("ana")
    made = say(ana, "subject", house.subject(house.blue), "a")
    ana.patch(f"/api/v1/comments/{made}", json={"text": "b"})
    ana.delete(f"/api/v1/comments/{made}")
    actions = [row[0] for row in house.trail("action") if row[0].startswith("comment.")]
    assert actions == ["comment.said", "comment.edited", "comment.taken-back"]


def test_a_long_thread_is_read_in_parts(house: House) -> None:
    number = house.subject(house.blue)
    ana = house.signed_in("ana")
    for each in range(5):
        say(ana, "subject", number, f"word {each}")
    first = ana.get("/api/v1/comments", params={"on": "subject", "number": number, "limit": 3}).json()
    rest = ana.get("/api/v1/comments", params={"on": "subject", "number": number, "limit": 3, "after": first["next"]}).json()
    assert [row["text"] for row in first["items"] + rest["items"]] == [f"word {each}" for each in range(5)]
    assert rest["next"] is None


def test_what_is_said_is_told_once_and_an_edit_only_to_whom_it_calls(house: House) -> None:
    number = house.subject(house.blue)
    ana = house.signed_in("ana")
    made = say(ana, "subject", number, "look")
    ana.patch(f"/api/v1/comments/{made}", json={"text": "look here"})
    ana.patch(f"/api/v1/comments/{made}", json={"text": "look here @val"})
    with house.service.database.read() as link:
        rows = link.exec_driver_sql("SELECT kind, actor, path, data FROM happening ORDER BY id").all()
    assert [row[:3] for row in rows] == [("comment.made", "ana", f"/subjects/{number}#comment-{made}")] * 2
    assert '"mentioned":"val"' in rows[1][3]


# --- the same on pages -----------------------------------------------------------------------------------------------


def test_a_page_shows_what_was_said_and_takes_more(house: House) -> None:
    number = house.finding(house.blue)
    ana = house.signed_in("ana")
    answer = ana.post("/comments", data={"on": "finding", "number": number, "text": "<b>bold?</b>", "do": "say"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/findings/{number}#comment-")
    page = ana.get(f"/findings/{number}").text
    assert "&lt;b&gt;bold?&lt;/b&gt;" in page
    assert "<b>bold?" not in page
    assert 'action="/comments"' in page
    assert 'action="/comments"' not in house.signed_in("aud").get(f"/findings/{number}").text


def test_a_preview_keeps_nothing(house: House) -> None:
    number = house.subject(house.blue)
    ana = house.signed_in("ana")
    answer = ana.post("/comments", data={"on": "subject", "number": number, "text": "**so**", "do": "preview"})
    assert "<strong>so</strong>" in answer.text
    assert "**so**" in answer.text
    assert said(ana, "subject", number) == []


def test_an_edit_on_the_page_is_for_its_author(house: House) -> None:
    number = house.subject(house.blue)
    ana = house.signed_in("ana")
    made = say(ana, "subject", number, "first")
    assert "first" in ana.get(f"/comments/{made}/edit").text
    assert ana.post(f"/comments/{made}/edit", data={"text": "second", "do": "edit"}).status_code == 303
    assert house.signed_in("val").get(f"/comments/{made}/edit").status_code == 404
    assert "first" in house.signed_in("val").get(f"/comments/{made}/versions").text
    assert ana.post(f"/comments/{made}/edit", data={"do": "take-back"}).status_code == 303
    assert "taken back" in ana.get(f"/subjects/{number}").text


@pytest.mark.parametrize("form", [{"on": "table", "number": "1"}, {"on": "subject", "number": "x"}, {}])
def test_a_form_that_names_nothing_is_refused(house: House, form: dict[str, str]) -> None:
    assert house.signed_in("ana").post("/comments", data={**form, "text": "x"}).status_code == 400
