from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from assaymark.server.people.links import setup_link

WORDS = "a few words unheard"


def document(secret: str, **more: str) -> dict[str, Any]:
    return {"secret": secret, "login": "Ada", "password": WORDS} | more


def test_the_first_person_comes_in_by_the_link_and_is_administrator(world: World) -> None:
    visitor = world.visitor()
    answer = visitor.post("/api/v1/setup", json=document(world.setup_secret()))
    assert answer.status_code == 201, answer.text
    me = visitor.get("/api/v1/me").json()
    assert me["login"] == "ada"
    assert me["roles"] == [["admin", None]]


def test_the_link_works_once(world: World) -> None:
    secret = world.setup_secret()
    assert world.visitor().post("/api/v1/setup", json=document(secret)).status_code == 201
    again = world.visitor().post("/api/v1/setup", json=document(secret, login="eve"))
    assert again.status_code == 400
    assert "does not work" in again.json()["title"]


def test_while_somebody_is_there_no_link_is_made(world: World) -> None:
    world.person("ada")
    assert setup_link(world.service) is None


def test_a_link_that_was_printed_before_somebody_came_no_longer_sets_up(world: World) -> None:
    secret = world.setup_secret()
    world.person("ada")
    assert world.visitor().post("/api/v1/setup", json=document(secret, login="eve")).status_code == 400


def test_the_link_of_the_start_before_no_longer_works(world: World) -> None:
    old = world.setup_secret()
    new = world.setup_secret()
    assert world.visitor().post("/api/v1/setup", json=document(old)).status_code == 400
    assert world.visitor().post("/api/v1/setup", json=document(new)).status_code == 201


def test_the_link_ends_after_a_day(world: World) -> None:
    secret = world.setup_secret()
    world.later(86_400)
    assert world.visitor().post("/api/v1/setup", json=document(secret)).status_code == 400


@pytest.mark.parametrize("secret", ["", "a" * 43, "../../etc", "'; --"])
def test_a_guess_sets_nothing_up(world: World, secret: str) -> None:
    world.setup_secret()
    assert world.visitor().post("/api/v1/setup", json=document(secret)).status_code == 400


@pytest.mark.parametrize("password", ["short", "password" + "1234", "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_bad_password_uses_the_link_not_up(world: World, password: str) -> None:
    secret = world.setup_secret()
    visitor = world.visitor()
    assert visitor.post("/api/v1/setup", json=document(secret, password=password)).status_code == 400
    assert visitor.post("/api/v1/setup", json=document(secret)).status_code == 201
