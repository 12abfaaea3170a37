from __future__ import annotations

import secrets
from typing import Any

import pytest
import sqlalchemy as sa

from assaymark.jobs.job import JobState
from assaymark.server import keyring
from assaymark.server.service import Service
from assaymark.store import connections
from assaymark.store.tables import assessment, audit_event, connection, person, repository, subject, team

TOKEN = "glpat-" + secrets.token_hex(10)


def api(make: Any) -> Any:
    made = make()
    with made.service.database.write() as link:
        for slug in ("blue", "red"):
            link.execute(team.insert(), {"slug": slug, "name": slug, "created_at": 0})
        for login in ("admin", "viewer", "developer"):
            link.execute(person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})

    def call(method: str, path: str, body: Any = None, who: str = "admin", **headers: str) -> Any:
        given = {"Authorization": f"Bearer {who}", **headers}
        return made.client.request(method, f"/api/v1{path}", json=body, headers=given) if body is not None else made.client.request(
            method, f"/api/v1{path}", headers=given
        )  # fmt: skip

    return made, call


def rows(service: Service, table: sa.Table) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(table).order_by(*table.primary_key)))


def jobs(service: Service, kind: str) -> list[Any]:
    with service.database.read() as link:
        return [row.job for row in service.queue.rows(link, JobState.WAITING, before=None, limit=50) if row.job.kind == kind]


NEW = {"kind": "gitlab", "name": "Our GitLab", "web_url": "https://forge.example/", "token": TOKEN}


def test_a_connection_says_where_to_deliver_and_shows_its_secret_once(make: Any) -> None:
    made, call = api(make)
    answer = call("POST", "/connections", NEW)
    assert answer.status_code == 201
    told = answer.json()
    assert told["webhook_url"].endswith(f"/hooks/gitlab/{told['id']}")
    assert len(told["webhook_secret"]) >= 40
    shown = call("GET", f"/connections/{told['id']}")
    assert (shown.json()["has_token"], shown.json()["has_secret"]) == (True, True)
    assert shown.json()["api_url"] == "https://forge.example/api/v4"
    for text in (shown.text, call("GET", "/connections").text):
        assert TOKEN not in text
        assert told["webhook_secret"] not in text
    with made.service.database.read() as link:
        held = keyring.token(made.service, link, told["id"])
        assert held is not None
        assert held.value.decode() == TOKEN
        kept = connections.keys(link, told["id"])
    assert TOKEN.encode() not in (kept.token or b"")


def test_what_is_sealed_for_one_connection_opens_for_no_other(make: Any) -> None:
    made, call = api(make)
    first, second = (call("POST", "/connections", NEW | {"name": name}).json()["id"] for name in ("a", "b"))
    with made.service.database.write() as link:
        connections.change(link, second, {"token": connections.keys(link, first).token})
    with made.service.database.read() as link, pytest.raises(Exception, match="cannot be opened"):
        keyring.token(made.service, link, second)


def test_nothing_secret_is_in_the_trail(make: Any) -> None:
    made, call = api(make)
    told = call("POST", "/connections", NEW).json()
    call("POST", f"/connections/{told['id']}/secret", {})
    call("PATCH", f"/connections/{told['id']}", {"token": "another-" + TOKEN})
    call("DELETE", f"/connections/{told['id']}")
    trail = rows(made.service, audit_event)
    assert [row.action for row in trail] == ["connection.created", "connection.secret-rotated", "connection.changed", "connection.ended"]
    assert not any(TOKEN in str(row) or told["webhook_secret"] in str(row) for row in trail)


def test_another_host_is_not_told_the_token(make: Any) -> None:
    _made, call = api(make)
    number = call("POST", "/connections", NEW).json()["id"]
    same = call("PATCH", f"/connections/{number}", {"web_url": "https://forge.example/sub"}).json()
    assert (same["has_token"], same["api_url"]) == (True, "https://forge.example/sub/api/v4")
    for change in ({"web_url": "https://evil.example"}, {"api_url": "https://evil.example/api/v4"}):
        call("PATCH", f"/connections/{number}", {"web_url": "https://forge.example", "token": TOKEN})
        assert call("PATCH", f"/connections/{number}", change).json()["has_token"] is False


def test_a_rotated_secret_holds_beside_the_new_one(make: Any) -> None:
    made, call = api(make)
    number = call("POST", "/connections", NEW).json()["id"]
    told = call("POST", f"/connections/{number}/secret", {"overlap_seconds": 60}).json()
    assert told["previous_secret_until"] > 0
    with made.service.database.read() as link:
        assert len(keyring.webhook_secrets(made.service, link, number)) == 2
    call("POST", f"/connections/{number}/secret", {"overlap_seconds": 0})
    with made.service.database.read() as link:
        assert len(keyring.webhook_secrets(made.service, link, number)) == 1


def test_an_ended_connection_is_gone_with_its_keys_and_its_name_is_free(make: Any) -> None:
    made, call = api(make)
    number = call("POST", "/connections", NEW).json()["id"]
    assert call("DELETE", f"/connections/{number}").status_code == 204
    assert call("GET", f"/connections/{number}").status_code == 404
    row = rows(made.service, connection)[0]
    assert (row.token, row.webhook_secret, row.previous_secret) == (None, None, None)
    assert call("POST", "/connections", NEW).status_code == 201


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "svn"}, 400),
        ({"kind": "gitea", "web_url": ""}, 400),
        ({"web_url": "ftp://forge.example"}, 400),
        ({"web_url": "https://user:pw@forge.example"}, 400),
        ({"web_url": "https://forge.example:25"}, 400),
        ({"name": " "}, 400),
        ({"webhook_secret": "short"}, 400),
        ({"options": {"nothing": 1}}, 400),
        ({"extra": 1}, 400),
    ],
)
def test_what_makes_no_connection_is_refused(make: Any, change: dict[str, Any], status: int) -> None:
    _, call = api(make)
    assert call("POST", "/connections", NEW | change).status_code in (status, 422)


def test_a_connection_is_seen_by_its_team_only(make: Any) -> None:
    _, call = api(make)
    number = call("POST", "/connections", NEW | {"team": 1}).json()["id"]
    assert call("GET", f"/connections/{number}", who="viewer").status_code in (403, 404)
    assert call("GET", f"/connections/{number}", who="developer").status_code in (403, 404)
    assert call("POST", "/connections", NEW | {"name": "x", "team": 1}, who="developer").status_code == 403
    assert call("GET", "/connections", who="").status_code == 401


def test_discovery_is_a_job_that_waits_once(make: Any) -> None:
    made, call = api(make)
    number = call("POST", "/connections", NEW | {"options": {"groups": ["orchard"]}}).json()["id"]
    for _ in range(2):
        assert call("POST", f"/connections/{number}/discover").status_code == 202
    assert [job.arguments for job in jobs(made.service, "discover")] == [{"connection": number}]
    bare = call("POST", "/connections", NEW | {"name": "bare"}).json()["id"]
    assert call("POST", f"/connections/{bare}/discover").status_code == 409


# --- repositories ----------------------------------------------------------------------------------------------------

SHOP = {"clone_url": "https://forge.example/orchard/shop.git", "default_branch": "main"}


def test_a_registered_repository_is_judged_at_once(make: Any) -> None:
    made, call = api(make)
    answer = call("POST", "/repositories", SHOP)
    assert (answer.status_code, answer.json()["new"]) == (201, True)
    [row] = rows(made.service, assessment)
    assert answer.json()["assessments"] == [row.id]
    [about] = rows(made.service, subject)
    assert (about.ref, about.name) == ("refs/heads/main", "orchard/shop@main")
    again = call("POST", "/repositories", SHOP)
    assert (again.json()["new"], again.json()["assessments"], again.json()["id"]) == (False, [], answer.json()["id"])
    assert len(rows(made.service, assessment)) == 1


def test_a_repository_whose_default_branch_is_not_known_is_asked(make: Any) -> None:
    made, call = api(make)
    answer = call("POST", "/repositories", {"clone_url": SHOP["clone_url"]}).json()
    assert (answer["new"], answer["assessments"]) == (True, [])
    assert [job.arguments for job in jobs(made.service, "poll-repository")] == [{"repository": answer["id"]}]


def test_a_repository_takes_the_connection_and_its_team(make: Any) -> None:
    _made, call = api(make)
    number = call("POST", "/connections", NEW | {"team": 1}).json()["id"]
    told = call("POST", "/repositories", SHOP | {"connection": number}).json()
    row = call("GET", f"/repositories/{told['id']}").json()
    assert (row["connection"], row["team"]) == (number, 1)
    assert call("GET", f"/repositories/{told['id']}", who="viewer").status_code == 200
    assert call("GET", f"/repositories/{told['id']}", who="developer").status_code == 404
    elsewhere = SHOP | {"clone_url": "https://evil.example/a.git", "connection": number}
    assert call("POST", "/repositories", elsewhere).status_code == 400


@pytest.mark.parametrize(
    "url", ["", "--upload-pack=x", "ext::sh -c x", "https://a:b@forge.example/x", "ftp://forge.example/x", "https://forge.example:25/x"]
)
def test_what_is_no_repository_is_refused(make: Any, url: str) -> None:
    made, call = api(make)
    assert call("POST", "/repositories", {"clone_url": url}).status_code == 400
    assert rows(made.service, repository) == []


@pytest.mark.parametrize("branch", ["a b", "../x", "--x\u0000", "a..b", "x" * 2000])
def test_what_is_no_branch_is_refused(make: Any, branch: str) -> None:
    _, call = api(make)
    assert call("POST", "/repositories", SHOP | {"default_branch": branch}).status_code in (400, 422)


def test_an_ended_repository_is_cancelled_and_can_be_registered_again(make: Any) -> None:
    made, call = api(make)
    number = call("POST", "/repositories", SHOP).json()["id"]
    assert call("DELETE", f"/repositories/{number}").status_code == 204
    assert rows(made.service, assessment)[0].state == "cancelled"
    assert [each["id"] for each in call("GET", "/repositories").json()["items"]] == []
    assert [each["id"] for each in call("GET", "/repositories?ended=true").json()["items"]] == [number]
    assert call("POST", f"/repositories/{number}/poll").status_code == 409
    again = call("POST", "/repositories", SHOP).json()
    assert (again["id"], again["new"], len(again["assessments"])) == (number, True, 1)


def test_a_repository_is_handed_over_with_what_is_open(make: Any) -> None:
    made, call = api(make)
    number = call("POST", "/repositories", SHOP | {"team": 1}).json()["id"]
    assert call("PATCH", f"/repositories/{number}", {"team": 2, "default_branch": "trunk"}).json()["default_branch"] == "trunk"
    assert {row.team for table in (repository, subject, assessment) for row in rows(made.service, table)} == {2}
    assert call("PATCH", f"/repositories/{number}", {"team": 1}, who="developer").status_code in (403, 404)


def test_an_address_of_another_team_is_not_told(make: Any) -> None:
    _, call = api(make)
    call("POST", "/repositories", SHOP | {"team": 1})
    answer = call("POST", "/repositories", SHOP | {"team": 2})
    assert answer.status_code in (400, 409)
    assert "assessment" not in answer.text


def test_lists_go_on_behind_a_cursor(make: Any) -> None:
    _, call = api(make)
    for number in range(5):
        call("POST", "/repositories", {"clone_url": f"https://forge.example/orchard/{number}.git", "default_branch": "main"})
    first = call("GET", "/repositories?limit=2").json()
    second = call("GET", f"/repositories?limit=2&after={first['next']}").json()
    third = call("GET", f"/repositories?limit=2&after={second['next']}").json()
    names = [each["name"] for page in (first, second, third) for each in page["items"]]
    assert names == [f"orchard/{number}" for number in range(5)]
    assert third["next"] is None


def test_deliveries_are_listed_newest_first(make: Any) -> None:
    made, call = api(make)
    told = call("POST", "/connections", NEW).json()
    for number in ("a", "b"):
        headers = {"x-gitlab-token": told["webhook_secret"], "idempotency-key": number}
        assert made.client.post(f"/hooks/gitlab/{told['id']}", json={"object_kind": "issue"}, headers=headers).status_code == 202
    listed = call("GET", f"/connections/{told['id']}/deliveries?limit=1").json()
    assert [each["delivery"] for each in listed["items"]] == ["b"]
    assert listed["items"][0]["outcome"] == "ignored: nothing is judged for issue"
    more = call("GET", f"/connections/{told['id']}/deliveries?after={listed['next']}").json()
    assert [each["delivery"] for each in more["items"]] == ["a"]


def test_only_registries_are_given_what_is_endorsed(make: Any) -> None:
    _, call = api(make)
    hub = {"kind": "registry", "name": "Hub", "web_url": "https://registry.example"}
    assert call("POST", "/connections", hub | {"options": {"attach": True, "attest": True}}).status_code == 201
    assert "attach" in call("POST", "/connections", hub | {"name": "b", "options": {"attest": True}}).text
    refused = call("POST", "/connections", NEW | {"name": "c", "options": {"attach": True}})
    assert (refused.status_code, "for registry" in refused.text) == (400, True)
