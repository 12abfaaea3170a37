"""What the settings' pages do is what the API does: each action once, and who may not is refused."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from tests.server.voices.conftest import House

from assaymark.jobs.job import Job
from assaymark.server.people import credential
from assaymark.server.web.screens import screens
from assaymark.store import tables as t

Form = dict[str, Any]


def number_of(house: House, login: str) -> int:
    return int(house.people[login])


def test_an_administrator_invites_somebody_who_then_comes_in(house: House) -> None:
    top = house.signed_in("top")
    made = top.post("/settings/people", data={"login": "new", "role": "viewer", "team": house.blue})
    link = re.search(r"/link/[0-9A-Za-z]{43}", made.text)
    assert link
    joined = house.visitor().post(link[0], data={"password": "four words nobody says"})
    assert joined.status_code == 303
    assert "new" in top.get("/settings/people").text


def test_roles_are_given_and_taken_and_accounts_closed_and_opened(house: House) -> None:
    top, page = house.signed_in("top"), f"/settings/people/{number_of(house, 'ana')}"
    assert top.post(page, data={"do": "give", "role": "security", "team": house.red}).status_code == 303
    shown = top.get(page).text
    assert "Red" in shown
    membership = re.findall(r'name="membership" value="(\d+)"', shown)[-1]
    assert top.post(page, data={"do": "take", "membership": membership}).status_code == 303
    assert top.post(page, data={"do": "describe", "name": "Ana", "email": "ana@example.org"}).status_code == 303
    assert "/link/" in top.post(page, data={"do": "link"}).text
    ana = house.signed_in("ana")
    for do in ("end", "disable"):
        assert top.post(page, data={"do": do}).status_code == 303
    assert ana.get("/settings/profile").status_code == 303, "she is sent to sign in"
    assert top.post(page, data={"do": "enable"}).status_code == 303
    refused = top.post(page, data={"do": "give", "role": "security", "team": "999"})
    assert refused.status_code == 404
    mine = f"/settings/people/{number_of(house, 'top')}"
    assert "nobody would be administrator" in top.post(mine, data={"do": "disable"}).text


def test_teams_are_made_and_named_and_filled(house: House) -> None:
    top = house.signed_in("top")
    assert top.post("/settings/teams", data={"slug": "green", "name": "Green"}).status_code == 303
    assert "Not a slug" not in top.get("/settings/teams").text
    assert top.post("/settings/teams", data={"slug": "Not a slug"}).status_code == 400
    page = f"/settings/teams/{house.blue}"
    assert top.post(page, data={"do": "rename", "name": "Navy"}).status_code == 303
    assert top.post(page, data={"do": "give", "login": "rob", "role": "viewer"}).status_code == 303
    assert "rob" in top.get(page).text
    assert "Members" not in house.signed_in("val").get(page).text, "a viewer does not see who else is there"


def test_a_connection_is_made_renewed_tried_and_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_arguments: Any, **_more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    top = house.signed_in("top")
    wish = {"kind": "gitlab", "name": "forge", "web_url": "https://forge.example", "token": "only-for-this-test", "groups": "harbour docks"}
    made = top.post("/settings/connections", data=wish)
    assert made.status_code == 200
    assert "shown this once" in made.text
    page = re.search(r"/settings/connections/\d+", made.text)
    assert page
    assert "harbour, docks" in top.get(page[0]).text
    assert "only-for-this-test" not in top.get(page[0]).text
    renewed = top.post(page[0], data={"do": "rotate", "hours": "2"})
    assert "new webhook secret" in renewed.text
    tried = top.post(page[0], data={"do": "test"})
    assert tried.status_code == 200
    assert "It does not work" in tried.text, "its name leads nowhere"
    assert top.post(page[0], data={"do": "discover"}).status_code == 303
    assert top.post(page[0], data={"do": "rename", "name": "old forge"}).status_code == 303
    assert top.post(page[0], data={"do": "end"}).status_code == 303
    assert "old forge" not in top.get("/settings/connections").text
    assert top.post("/settings/connections", data=wish | {"kind": "x"}).status_code == 400


def test_a_repository_is_handed_over_looked_at_and_ended(house: House) -> None:
    number = house.write(t.repository, name="r", clone_url="https://forge.example/r.git", team=house.blue, created_at=1)
    top, page = house.signed_in("top"), f"/settings/repositories/{number}"
    assert top.post(page, data={"do": "hand-over", "team": house.red}).status_code == 303
    assert top.post(page, data={"do": "branch", "default_branch": "trunk"}).status_code == 303
    assert "trunk" in top.get(page).text
    assert top.post(page, data={"do": "poll"}).status_code == 303
    assert top.post(page, data={"do": "end"}).status_code == 303
    assert "forge.example" in top.get("/settings/repositories?ended=1").text
    assert house.signed_in("sec").get(page).status_code == 404


def test_a_job_that_was_given_up_is_tried_again(house: House) -> None:
    with house.service.database.write() as link:
        job = house.service.queue.put(link, Job("probe", {}))
    top = house.signed_in("top")
    assert f"probe {job}" in top.get("/settings/jobs?state=waiting").text
    assert top.post("/settings/jobs", data={"do": "cancel", "job": str(job)}).status_code == 303
    assert top.post("/settings/jobs", data={"do": "replay", "job": str(job)}).status_code in {303, 409}
    assert house.signed_in("sec").get("/settings/jobs").status_code == 403, "a job belongs to no team"


def test_the_trail_is_searched_and_its_chain_computed(house: House) -> None:
    top = house.signed_in("top")
    top.post("/settings/teams", data={"slug": "green"})
    page = top.get("/settings/trail?actor=top&action=team.").text
    assert "team.created" in page
    assert "role.given" not in page
    assert "It holds" in top.get("/settings/trail/verification").text
    assert top.get("/settings/trail?since=x").status_code == 400
    assert top.get("/settings/trail?since=2027-01-15&until=2027-01-15").status_code == 200


def test_the_servers_page_sets_security_txt_and_sources(house: House) -> None:
    top = house.signed_in("top")
    wish: Form = {"do": "security-txt", "contact": "mailto:security@example.org", "days": "90", "languages": "en, de"}
    assert top.post("/settings/server", data=wish).status_code == 303
    assert "security@example.org" in house.visitor().get("/.well-known/security.txt").text
    assert top.post("/settings/server", data=wish | {"contact": "x"}).status_code == 400
    assert top.post("/settings/server", data={"do": "sources", "origin": "folder", "ecosystems": "PyPI, npm"}).status_code == 303
    assert top.post("/settings/server", data={"do": "update"}).status_code == 303
    assert top.post("/settings/server", data={"do": "no-security-txt"}).status_code == 303
    assert "PyPI, npm" in top.get("/settings/server").text


def test_the_profile_changes_what_is_ones_own(house: House) -> None:
    ana = house.signed_in("ana")
    assert ana.post("/settings/profile", data={"do": "describe", "name": "Ana", "email": ""}).status_code == 303
    made = ana.post("/settings/profile", data={"do": "token", "name": "build", "days": "30", "scope findings:read": "on"})
    shown = re.search(r"assay_[0-9A-Za-z]{49}", made.text)
    assert shown
    assert credential.is_token(shown[0])
    page = ana.get("/settings/profile").text
    assert shown[0] not in page
    number = re.search(r'name="token" value="(\d+)"', page)
    assert number
    assert ana.post("/settings/profile", data={"do": "revoke", "token": number[1]}).status_code == 303
    assert ana.post("/settings/profile", data={"do": "token", "name": "x", "days": "30", "scope people:write": "on"}).status_code == 403
    assert ana.post("/settings/profile", data={"do": "token", "name": "x", "days": "many"}).status_code == 400
    assert ana.post("/settings/profile", data={"do": "password", "present": "wrong", "new": "four other words here"}).status_code >= 400
    assert ana.post("/settings/profile", data={"do": "end-sessions"}).headers["location"] == "/sign-in"


SETTINGS = [screen for screen in screens() if screen.path.startswith(("/settings/", "/reports")) and screen.method == "POST"]


@pytest.mark.parametrize("screen", SETTINGS, ids=lambda screen: screen.path)
def test_who_may_nothing_there_changes_nothing(house: House, screen: Any) -> None:
    """Whatever page is added: a viewer is refused unless it is his own profile, and a stranger is sent away."""
    path = re.sub(r"\{[a-z_]+\}", "1", screen.path)
    answer = house.visitor().post(path, data={"do": "end"})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in")
    assert house.signed_in("val").post(path, data={"do": "end", "name": "x", "login": "x"}).status_code in {400, 403, 404}
    assert [row for row in house.trail("actor", "outcome", "action") if row[:2] == ("val", "success") and row[2] != "session.begun"] == []


@pytest.mark.parametrize("screen", SETTINGS, ids=lambda screen: screen.path)
def test_a_form_without_sense_gets_a_reason_and_no_defect(house: House, screen: Any) -> None:
    path = re.sub(r"\{[a-z_]+\}", str(house.blue), screen.path)
    top = house.signed_in("top")
    for form in (
        {},
        {"do": "no-such-thing"},
        {"do": "give", "role": "x", "team": "\u0661"},
        {"login": "\0", "name": "x" * 1000, "kind": "\n"},
    ):
        assert top.post(path, data=form).status_code in {400, 404, 409, 422}, (path, form)
