from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from starlette.testclient import TestClient

from assaymark.model.access import Grant, Role, TeamId
from assaymark.server.work.forgetting_people import clean_people
from assaymark.store import teams
from assaymark.store.tables import person as table

WORDS = "a few words unheard"


def team(world: World, slug: str) -> TeamId:
    with world.service.database.write() as connection:
        made = teams.add(connection, slug, slug, at=world.service.now())
    assert made is not None
    return made


def secret_of(link: str) -> str:
    return link.rpartition("/")[2]


def redeem(visitor: TestClient, link: str, words: str = WORDS) -> int:
    return visitor.post("/api/v1/links/redeem", json={"secret": secret_of(link), "password": words}).status_code


def test_somebody_who_is_invited_chooses_a_password_and_is_in(world: World) -> None:
    core = team(world, "core")
    made = world.admin().post("/api/v1/people", json={"login": "Bob", "roles": [{"role": "developer", "team": core}]})
    assert made.status_code == 201
    link = made.json()["link"]
    visitor = world.visitor()
    looked = visitor.post("/api/v1/links/look", json={"secret": secret_of(link)}).json()
    assert (looked["purpose"], looked["login"]) == ("join", "bob")
    assert redeem(visitor, link) == 201
    assert visitor.get("/api/v1/me").json()["roles"] == [["developer", core]]
    world.signed_in("bob", WORDS)


def test_a_one_time_link_works_once(world: World) -> None:
    link = world.admin().post("/api/v1/people", json={"login": "bob"}).json()["link"]
    assert redeem(world.visitor(), link) == 201
    assert redeem(world.visitor(), link, "quite different words") == 400
    world.signed_in("bob", WORDS)


def test_a_one_time_link_ends(world: World) -> None:
    link = world.admin().post("/api/v1/people", json={"login": "bob"}).json()["link"]
    world.later(7 * 86_400)
    assert redeem(world.visitor(), link) == 400


def test_a_reset_makes_older_links_and_sessions_useless(world: World) -> None:
    admin = world.admin()
    bob = admin.post("/api/v1/people", json={"login": "bob"}).json()
    old = bob["link"]
    first = admin.post(f"/api/v1/people/{bob['id']}/link").json()["link"]
    second = admin.post(f"/api/v1/people/{bob['id']}/link").json()["link"]
    assert [redeem(world.visitor(), link) for link in (old, first)] == [400, 400]
    assert redeem(world.visitor(), second) == 201
    session = world.signed_in("bob", WORDS)
    third = admin.post(f"/api/v1/people/{bob['id']}/link").json()["link"]
    assert redeem(world.visitor(), third, "quite different words") == 201
    assert session.get("/api/v1/me").status_code == 401


def test_a_setup_link_is_no_personal_one_and_the_other_way_round(world: World) -> None:
    setup = world.setup_secret()
    assert redeem(world.visitor(), f"x/{setup}") == 400
    link = world.admin().post("/api/v1/people", json={"login": "bob"}).json()["link"]
    document = {"secret": secret_of(link), "login": "eve", "password": WORDS}
    assert world.visitor().post("/api/v1/setup", json=document).status_code == 400


def test_a_password_is_changed_by_whoever_knows_it_and_other_sessions_end(world: World) -> None:
    world.person("ada")
    here, there = world.signed_in("ada"), world.signed_in("ada")
    assert here.post("/api/v1/me/password", json={"present": "wrong words entirely", "new": WORDS}).status_code == 401
    assert there.get("/api/v1/me").status_code == 200
    assert here.post("/api/v1/me/password", json={"present": "four words nobody says", "new": WORDS}).status_code == 204
    assert here.get("/api/v1/me").status_code == 200
    assert there.get("/api/v1/me").status_code == 401
    world.signed_in("ada", WORDS)
    assert ("password.changed", "refused") in world.trail()
    assert ("password.changed", "success") in world.trail()


def test_a_session_that_was_left_open_does_not_give_the_password_away(world: World) -> None:
    world.person("ada")
    here = world.signed_in("ada")
    answers = [here.post("/api/v1/me/password", json={"present": f"guess number {n}", "new": WORDS}).status_code for n in range(12)]
    assert answers == [401] * 10 + [429] * 2


def test_a_closed_account_is_closed_at_once_and_its_tokens_for_good(world: World) -> None:
    admin = world.admin()
    ada = world.person("ada", Grant(Role.VIEWER))
    browser = world.signed_in("ada")
    token = browser.post("/api/v1/tokens", json={"name": "x", "scopes": ["findings:read"], "days": 3}).json()["token"]
    assert admin.post(f"/api/v1/people/{ada}/disable").status_code == 204
    assert browser.get("/api/v1/me").status_code == 401
    refused = world.visitor().post("/api/v1/sessions", json={"login": "ada", "password": "four words nobody says"})
    assert refused.status_code == 401
    assert refused.json()["title"] == "login and password do not belong together"
    assert admin.post(f"/api/v1/people/{ada}/enable").status_code == 204
    assert browser.get("/api/v1/me").status_code == 401
    assert world.visitor(authorization=f"Bearer {token}").get("/api/v1/me").status_code == 401
    world.signed_in("ada")


def test_the_last_administrator_stays(world: World) -> None:
    admin = world.admin()
    me = admin.get("/api/v1/me").json()["person"]
    membership = admin.get("/api/v1/memberships").json()["items"][0]["id"]
    assert admin.delete(f"/api/v1/memberships/{membership}").status_code == 409
    assert admin.post(f"/api/v1/people/{me}/disable").status_code == 409
    assert admin.get("/api/v1/me").json()["roles"] == [["admin", None]]
    world.person("second", Grant(Role.ADMIN))
    assert admin.delete(f"/api/v1/memberships/{membership}").status_code == 204
    assert admin.get("/api/v1/me").json()["roles"] == []


def test_an_administrator_who_is_disabled_does_not_count(world: World) -> None:
    admin = world.admin()
    second = world.person("second", Grant(Role.ADMIN))
    assert admin.post(f"/api/v1/people/{second}/disable").status_code == 204
    membership = admin.get("/api/v1/memberships").json()["items"][0]["id"]
    assert admin.delete(f"/api/v1/memberships/{membership}").status_code == 409


def test_an_administrator_of_a_team_gives_roles_in_it_and_nowhere_else(world: World) -> None:
    core, apps = team(world, "core"), team(world, "apps")
    world.person("lead", Grant(Role.ADMIN, core))
    world.person("bob")
    lead = world.signed_in("lead")

    def give(role: str, where: int | None) -> int:
        return lead.post("/api/v1/memberships", json={"login": "bob", "role": role, "team": where}).status_code

    assert give("security", core) == 201
    assert give("security", core) == 409
    assert give("viewer", apps) == 403
    assert give("viewer", None) == 403
    assert give("admin", None) == 403


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_administrators_touch_accounts(world: World, role: Role) -> None:
    core = team(world, "core")
    victim = world.person("victim", Grant(Role.ADMIN))
    world.person("eve", Grant(role))
    world.person("mallory", Grant(Role.ADMIN, core))
    for login in ("eve", "mallory"):
        browser = world.signed_in(login)
        for what in ("disable", "enable", "link", "end"):
            assert browser.post(f"/api/v1/people/{victim}/{what}").status_code == 403, (login, what)
        assert browser.post("/api/v1/people", json={"login": "new", "roles": [{"role": "admin"}]}).status_code == 403
        assert browser.patch(f"/api/v1/people/{victim}", json={"email": "eve@example.org"}).status_code == 404


def test_a_token_with_people_write_alone_gives_no_role_that_may_more(world: World) -> None:
    admin = world.admin()
    world.person("bob")
    token = admin.post("/api/v1/tokens", json={"name": "x", "scopes": ["people:write"], "days": 3}).json()["token"]
    program = world.visitor(authorization=f"Bearer {token}")
    assert program.post("/api/v1/memberships", json={"login": "bob", "role": "admin"}).status_code == 403
    assert program.post("/api/v1/memberships", json={"login": "bob", "role": "viewer"}).status_code == 403
    root = admin.get("/api/v1/me").json()["person"]
    assert program.post(f"/api/v1/people/{root}/link").status_code == 403


def test_people_of_other_teams_are_not_seen(world: World) -> None:
    core, apps = team(world, "core"), team(world, "apps")
    world.person("ada", Grant(Role.SECURITY, core))
    world.person("bob", Grant(Role.VIEWER, core), Grant(Role.ADMIN, apps))
    carol = world.person("carol", Grant(Role.VIEWER, apps))
    ada = world.signed_in("ada")
    assert [each["login"] for each in ada.get("/api/v1/people").json()["items"]] == ["ada", "bob"]
    assert ada.get(f"/api/v1/people/{carol}").status_code == 404
    bob = next(each["id"] for each in ada.get("/api/v1/people").json()["items"] if each["login"] == "bob")
    assert [(each["role"], each["team"]) for each in ada.get(f"/api/v1/people/{bob}").json()["roles"]] == [("viewer", core)]
    assert [each["slug"] for each in ada.get("/api/v1/teams").json()["items"]] == ["core"]
    assert ada.get(f"/api/v1/teams/{apps}").status_code == 404


@pytest.mark.parametrize("login", ["", "a b", "../x", "a\nda", "\u202eada", "x" * 101, "<b>"])
def test_a_login_that_cannot_be_one_is_refused(world: World, login: str) -> None:
    assert world.admin().post("/api/v1/people", json={"login": login}).status_code == 400


def test_a_login_is_the_same_in_any_writing(world: World) -> None:
    admin = world.admin()
    assert admin.post("/api/v1/people", json={"login": "ada"}).status_code == 201
    assert admin.post("/api/v1/people", json={"login": "ADA"}).status_code == 409
    assert admin.post("/api/v1/people", json={"login": "\uff41da"}).status_code == 409


def test_a_password_is_kept_as_argon2id_and_nowhere_else(world: World) -> None:
    world.visitor().post("/api/v1/setup", json={"secret": world.setup_secret(), "login": "ada", "password": WORDS})
    with world.service.database.read() as connection:
        assert str(connection.execute(sa.select(table.c.password)).scalar()).startswith("$argon2id$")
    assert not any(WORDS in str(row) for row in world.trail("details", "actor", "object"))


def test_whatever_a_person_was_refused_is_recorded(world: World) -> None:
    world.person("eve")
    world.signed_in("eve").get("/api/v1/trail")
    assert ("eve", "request.made", "refused", '{"method":"GET","path":"/api/v1/trail"}') in world.trail(
        "actor", "action", "outcome", "details"
    )


def test_a_link_opens_no_account_that_others_made_powerful_meanwhile(world: World) -> None:
    core = team(world, "core")
    world.person("lead", Grant(Role.ADMIN, core))
    lead, admin = world.signed_in("lead"), world.admin()
    made = lead.post("/api/v1/people", json={"login": "bob", "roles": [{"role": "viewer", "team": core}]}).json()
    assert admin.post("/api/v1/memberships", json={"login": "bob", "role": "security"}).status_code == 201
    assert redeem(world.visitor(), made["link"]) == 400
    fresh = admin.post(f"/api/v1/people/{made['id']}/link").json()["link"]
    assert admin.post("/api/v1/memberships", json={"login": "bob", "role": "auditor"}).status_code == 201
    assert redeem(world.visitor(), fresh) == 201


def test_a_first_password_is_set_in_a_fresh_session_only(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")
    with world.service.database.write() as connection:
        connection.execute(table.update().where(table.c.login == "ada").values(password=None))
    world.later(901)
    assert browser.post("/api/v1/me/password", json={"present": "", "new": WORDS}).status_code == 403


def test_what_ended_long_ago_is_forgotten_and_what_lives_is_not(world: World) -> None:
    admin = world.admin()
    world.person("ada")
    world.signed_in("ada")
    world.visitor().post("/api/v1/sessions", json={"login": "ada", "password": "wrong words entirely"})
    admin.post("/api/v1/people", json={"login": "bob"})
    world.later(38 * 86_400)
    fresh = world.signed_in("root")
    clean_people(world.service, {}, None)  # type: ignore[arg-type]
    assert fresh.get("/api/v1/me").status_code == 200
    with world.service.database.read() as connection:
        counts = {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in ("session", "invitation", "attempt")
        }
    assert counts == {"session": 1, "invitation": 0, "attempt": 0}
