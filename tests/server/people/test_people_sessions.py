from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from assaymark.model.access import Grant, Role
from assaymark.server.people import credential
from assaymark.server.people.session import IDLE, LONGEST
from assaymark.store import people
from assaymark.store.tables import session as table

PASSWORD = "four words nobody says"
SECOND = 1_000_000


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(world: World) -> None:
    world.person("ada")
    answer = world.visitor().post("/api/v1/sessions", json={"login": "ada", "password": PASSWORD})
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("assay_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert answer.headers["cache-control"] == "no-store"


def test_over_https_the_cookie_is_bound_to_this_host(world: World) -> None:
    world.service = msgspec.structs.replace(
        world.service, settings=msgspec.structs.replace(world.service.settings, url="https://assay.example.org")
    )
    world.__init__(world.service)  # type: ignore[misc]
    world.person("ada")
    answer = world.visitor().post("/api/v1/sessions", json={"login": "ada", "password": PASSWORD})
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-assay_")
        assert "; Secure" in cookie
        assert "Domain" not in cookie
        assert "Path=/" in cookie


def test_the_cookie_is_not_in_the_database(world: World) -> None:
    world.person("ada")
    secret = world.signed_in("ada").cookies["assay_session"]
    with world.service.database.read() as connection:
        kept = connection.execute(sa.select(table.c.hash)).scalar_one()
    assert secret not in kept
    assert kept == credential.hashed(secret)


def test_what_was_planted_before_signing_in_is_nobody_afterwards(world: World) -> None:
    world.person("eve")
    world.person("ada")
    planted = world.signed_in("eve").cookies["assay_session"]
    victim = world.visitor()
    victim.cookies.set("assay_session", planted)
    assert victim.post("/api/v1/sessions", json={"login": "ada", "password": PASSWORD}).status_code == 201
    attacker = world.visitor()
    attacker.cookies.set("assay_session", planted)
    assert attacker.get("/api/v1/me").status_code == 401


def test_a_value_that_the_browser_chose_is_never_a_session(world: World) -> None:
    world.person("ada")
    chosen = credential.new_secret()
    victim = world.visitor()
    victim.cookies.set("assay_session", chosen)
    answer = victim.post("/api/v1/sessions", json={"login": "ada", "password": PASSWORD})
    assert chosen not in "".join(answer.headers.get_list("set-cookie"))
    attacker = world.visitor()
    attacker.cookies.set("assay_session", chosen)
    assert attacker.get("/api/v1/me").status_code == 401


def test_signing_in_again_ends_the_session_before(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")
    old = browser.cookies["assay_session"]
    browser.post("/api/v1/sessions", json={"login": "ada", "password": PASSWORD})
    thief = world.visitor()
    thief.cookies.set("assay_session", old)
    assert thief.get("/api/v1/me").status_code == 401
    assert browser.get("/api/v1/me").status_code == 200


def test_a_session_ends_when_it_is_idle(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")
    world.later(IDLE / SECOND - 1)
    assert browser.get("/api/v1/me").status_code == 200
    world.later(IDLE / SECOND - 1)
    assert browser.get("/api/v1/me").status_code == 200
    world.later(IDLE / SECOND)
    assert browser.get("/api/v1/me").status_code == 401


def test_a_session_ends_in_any_case(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")
    step = IDLE / SECOND - 60
    for _ in range(int(LONGEST / SECOND // step)):
        world.later(step)
        assert browser.get("/api/v1/me").status_code == 200
    world.later(step)
    assert browser.get("/api/v1/me").status_code == 401


def test_signing_out_ends_it_and_takes_the_cookie_away(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")
    secret = browser.cookies["assay_session"]
    answer = browser.delete("/api/v1/sessions/present")
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["set-cookie"]
    thief = world.visitor()
    thief.cookies.set("assay_session", secret)
    assert thief.get("/api/v1/me").status_code == 401


def test_signing_out_everywhere_ends_all(world: World) -> None:
    world.person("ada")
    browsers = [world.signed_in("ada") for _ in range(3)]
    assert browsers[0].delete("/api/v1/sessions").json() == {"sessions": 3}
    assert [browser.get("/api/v1/me").status_code for browser in browsers] == [401, 401, 401]


def test_one_session_is_ended_from_another(world: World) -> None:
    world.person("ada")
    lost, here = world.signed_in("ada"), world.signed_in("ada")
    listed = here.get("/api/v1/sessions").json()
    assert [each["is_present"] for each in listed] == [True, False]
    assert here.delete(f"/api/v1/sessions/{listed[1]['id']}").status_code == 204
    assert lost.get("/api/v1/me").status_code == 401
    assert here.get("/api/v1/me").status_code == 200


def test_somebody_elses_session_is_not_here(world: World) -> None:
    world.person("ada")
    world.person("eve", Grant(Role.SECURITY))
    ada, eve = world.signed_in("ada"), world.signed_in("eve")
    number = ada.get("/api/v1/sessions").json()[0]["id"]
    assert eve.delete(f"/api/v1/sessions/{number}").status_code == 404
    assert ada.get("/api/v1/me").status_code == 200


def test_a_disabled_person_is_nobody_at_once(world: World) -> None:
    person = world.person("ada")
    browser = world.signed_in("ada")
    with world.service.database.write() as connection:
        people.disable(connection, person, world.service.now())
    assert browser.get("/api/v1/me").status_code == 401


def test_when_a_session_was_seen_is_written_once_a_minute(world: World) -> None:
    world.person("ada")
    browser = world.signed_in("ada")

    def seen() -> int:
        with world.service.database.read() as connection:
            found: int = connection.execute(sa.select(table.c.seen_at)).scalar_one()
            return found

    first = seen()
    world.later(59)
    browser.get("/api/v1/me")
    assert seen() == first
    world.later(1)
    browser.get("/api/v1/me")
    assert seen() == first + 60 * SECOND


@pytest.mark.parametrize("value", ["", "x", "a" * 43, "a" * 5000, "' OR 1=1 --", "\x00" * 43])
def test_a_cookie_that_is_none_is_nobody(world: World, value: str) -> None:
    browser = world.visitor(cookie=f"assay_session={value}")
    assert browser.get("/api/v1/me").status_code == 401
