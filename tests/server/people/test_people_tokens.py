from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from starlette.testclient import TestClient

from assaymark.model.access import Grant, Permission, PersonId, Role, TeamId
from assaymark.server.people import credential
from assaymark.store import people, teams
from assaymark.store.tables import token as table

SECOND = 1_000_000


def wish(*scopes: str, **more: Any) -> dict[str, Any]:
    return {"name": "a program", "scopes": list(scopes), "days": 30} | more


def made(browser: TestClient, *scopes: str, **more: Any) -> str:
    answer = browser.post("/api/v1/tokens", json=wish(*scopes, **more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def bearer(world: World, token: str) -> TestClient:
    return world.visitor(authorization=f"Bearer {token}")


def test_a_token_is_known_and_its_hash_is_kept(world: World) -> None:
    token = made(world.admin(), "findings:read")
    me = bearer(world, token).get("/api/v1/me").json()
    assert me["login"] == "root"
    assert me["permissions"] == ["findings:read"]
    with world.service.database.read() as connection:
        row = connection.execute(sa.select(table)).one()
    assert token not in str(row)
    assert row.hash == credential.hashed(token)
    assert token.startswith(row.hint)


def test_tokens_are_known_by_their_form() -> None:
    for _ in range(200):
        token = credential.new_token()
        assert credential.is_token(token)
        assert len(token) == 55
        spot = secrets.randbelow(len(token) - 6) + 6
        other = "a" if token[spot] != "a" else "b"
        assert not credential.is_token(token[:spot] + other + token[spot + 1 :])


@pytest.mark.parametrize(
    "text", ["", "Bearer", "Basic YTpi", "Bearer assay_", "Bearer " + "assay_" + "0" * 49, "Bearer \u00e4", "bearer x y"]
)
def test_a_token_that_is_none_is_refused(world: World, text: str) -> None:
    answer = world.visitor().get("/api/v1/me", headers=[(b"authorization", text.encode())])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_that_nobody_made_is_refused(world: World) -> None:
    assert bearer(world, credential.new_token()).get("/api/v1/me").status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_session(world: World) -> None:
    browser = world.admin()
    assert browser.get("/api/v1/me", headers={"authorization": f"Bearer {credential.new_token()}"}).status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "session", "assay_session"])
def test_a_token_in_the_address_is_nothing(world: World, name: str) -> None:
    token = made(world.admin(), "findings:read")
    assert world.visitor().get(f"/api/v1/me?{name}={token}").status_code == 401


def test_a_token_ends(world: World) -> None:
    token = made(world.admin(), "findings:read", days=1)
    world.later(86_399)
    assert bearer(world, token).get("/api/v1/me").status_code == 200
    world.later(1)
    answer = bearer(world, token).get("/api/v1/me")
    assert answer.status_code == 401
    assert "expired" in answer.json()["title"]


def test_a_revoked_token_is_refused_and_that_is_recorded_once_a_minute(world: World) -> None:
    browser = world.admin()
    token = made(browser, "findings:read")
    number = browser.get("/api/v1/tokens").json()["items"][0]["id"]
    assert browser.delete(f"/api/v1/tokens/{number}").status_code == 204
    for _ in range(5):
        assert bearer(world, token).get("/api/v1/me").status_code == 401
    assert world.trail().count(("token.used", "refused")) == 1
    world.later(61)
    bearer(world, token).get("/api/v1/me")
    assert world.trail().count(("token.used", "refused")) == 2


def test_a_token_may_revoke_itself_and_no_other(world: World) -> None:
    browser = world.admin()
    first, second = made(browser, "findings:read"), made(browser, "findings:read")
    ids = [each["id"] for each in browser.get("/api/v1/tokens").json()["items"]]
    assert bearer(world, first).delete(f"/api/v1/tokens/{ids[0]}").status_code == 404
    assert bearer(world, first).delete(f"/api/v1/tokens/{ids[1]}").status_code == 204
    assert bearer(world, first).get("/api/v1/me").status_code == 401
    assert bearer(world, second).get("/api/v1/me").status_code == 200


def test_a_token_of_somebody_disabled_is_refused(world: World) -> None:
    browser = world.admin()
    token = made(browser, "findings:read")
    with world.service.database.write() as connection:
        people.disable(connection, PersonId(1), world.service.now())
    assert bearer(world, token).get("/api/v1/me").status_code == 401


def test_a_token_loses_what_its_owner_loses(world: World) -> None:
    with world.service.database.write() as connection:
        team = teams.add(connection, "core", "Core", at=world.service.now())
        assert team is not None
    person = world.person("ada", Grant(Role.MAINTAINER, team))
    token = made(world.signed_in("ada"), "subjects:read", "subjects:write")
    assert bearer(world, token).get("/api/v1/me").json()["permissions"] == ["subjects:read", "subjects:write"]
    with world.service.database.write() as connection:
        teams.take(connection, [each.id for each in teams.memberships_of(connection, person)])
        teams.give(connection, person, Grant(Role.VIEWER, team), source="local", at=world.service.now())
    assert bearer(world, token).get("/api/v1/me").json()["permissions"] == ["subjects:read"]


def two_teams(world: World) -> tuple[TeamId, TeamId]:
    with world.service.database.write() as connection:
        ids = [teams.add(connection, slug, slug, at=world.service.now()) for slug in ("core", "apps")]
    assert ids[0] is not None
    assert ids[1] is not None
    return ids[0], ids[1]


def test_a_token_of_one_team_does_nothing_in_another(world: World) -> None:
    core, apps = two_teams(world)
    world.person("ada", Grant(Role.ADMIN, core), Grant(Role.VIEWER, apps))
    browser = world.signed_in("ada")
    token = made(browser, "people:read", team=core)
    me = bearer(world, token).get("/api/v1/me").json()
    assert me["roles"] == [["admin", core]]
    assert bearer(world, token).get(f"/api/v1/memberships?team={core}").status_code == 200
    assert bearer(world, token).get(f"/api/v1/memberships?team={apps}").status_code == 404


def test_a_role_that_holds_everywhere_is_cut_to_the_tokens_team(world: World) -> None:
    core, apps = two_teams(world)
    token = made(world.admin(), "people:read", "people:write", team=core)
    program = bearer(world, token)
    assert program.get(f"/api/v1/memberships?team={core}").status_code == 200
    assert program.get(f"/api/v1/memberships?team={apps}").status_code == 404
    assert program.get("/api/v1/memberships").status_code == 404
    assert program.post("/api/v1/teams", json={"slug": "mine"}).status_code == 403


def test_nobody_makes_a_token_that_may_more_than_he(world: World) -> None:
    core, apps = two_teams(world)
    world.person("ada", Grant(Role.DEVELOPER, core))
    browser = world.signed_in("ada")
    assert browser.post("/api/v1/tokens", json=wish("people:write")).status_code == 403
    assert browser.post("/api/v1/tokens", json=wish("findings:read", team=apps)).status_code == 403
    assert browser.post("/api/v1/tokens", json=wish("findings:read", team=9999)).status_code == 404


def test_a_token_makes_no_token(world: World) -> None:
    token = made(world.admin(), *(each.value for each in Permission))
    answer = bearer(world, token).post("/api/v1/tokens", json=wish("findings:read"))
    assert answer.status_code == 403
    assert "token" in answer.json()["title"]


def test_a_narrow_token_sees_and_ends_nothing_of_its_owners_account(world: World) -> None:
    browser = world.admin()
    program = bearer(world, made(browser, "findings:read"))
    assert program.get("/api/v1/sessions").status_code == 403
    assert program.delete("/api/v1/sessions").status_code == 403
    assert program.get("/api/v1/tokens").status_code == 403
    assert program.post("/api/v1/me/password", json={"present": "", "new": "many words that are new"}).status_code == 403
    assert browser.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    "document", [wish("findings:read", days=0), wish("findings:read", days=367), wish(), wish("no:such"), wish("findings:read", name="")]
)
def test_a_token_that_makes_no_sense_is_refused(world: World, document: dict[str, Any]) -> None:
    assert world.admin().post("/api/v1/tokens", json=document).status_code == 400


def test_when_a_token_was_used_is_written_once_a_minute(world: World) -> None:
    browser = world.admin()
    token = made(browser, "findings:read")

    def used() -> int | None:
        found: int | None = browser.get("/api/v1/tokens").json()["items"][0]["used_at"]
        return found

    assert used() is None
    bearer(world, token).get("/api/v1/me")
    first = used()
    assert first == world.at
    world.later(59)
    bearer(world, token).get("/api/v1/me")
    assert used() == first
    world.later(1)
    bearer(world, token).get("/api/v1/me")
    assert used() == first + 60 * SECOND


def test_tokens_are_listed_in_pages(world: World) -> None:
    browser = world.admin()
    for number in range(5):
        made(browser, "findings:read", name=f"t{number}")
    names, after = [], ""
    while True:
        page = browser.get(f"/api/v1/tokens?limit=2{after}").json()
        names += [each["name"] for each in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert names == ["t4", "t3", "t2", "t1", "t0"]


def test_an_administrator_makes_a_token_for_an_account_that_only_programs_use(world: World) -> None:
    core, _ = two_teams(world)
    browser = world.admin()
    robot = browser.post("/api/v1/people", json={"login": "robot", "roles": [{"role": "developer", "team": core}], "invite": False}).json()
    assert robot["link"] is None
    token = made(browser, "assessments:run", "people:write", person=robot["id"])
    me = bearer(world, token).get("/api/v1/me").json()
    assert (me["login"], me["permissions"]) == ("robot", ["assessments:run"])
