"""Two at the same moment, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from assaymark.model.access import Grant, Role
from assaymark.store import teams

WORDS = "a few words unheard"


def at_once(*calls: Callable[[], int]) -> list[int]:
    """Answers of calls that begin together."""
    barrier, answers = threading.Barrier(len(calls)), []

    def run(call: Callable[[], int]) -> None:
        barrier.wait()
        answers.append(call())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


def test_two_administrators_who_remove_each_other_leave_one(world: World) -> None:
    world.person("ada", Grant(Role.ADMIN))
    world.person("bob", Grant(Role.ADMIN))
    browsers = [world.signed_in("ada"), world.signed_in("bob")]
    ids = [each["id"] for each in browsers[0].get("/api/v1/memberships").json()["items"]]
    answers = at_once(
        lambda: browsers[0].delete(f"/api/v1/memberships/{ids[1]}").status_code,
        lambda: browsers[1].delete(f"/api/v1/memberships/{ids[0]}").status_code,
    )
    assert answers[0] == 204
    assert answers[1] in {403, 409}
    with world.service.database.read() as connection:
        assert teams.has_admin(connection)


def test_two_administrators_who_close_each_other_leave_one(world: World) -> None:
    people = [world.person("ada", Grant(Role.ADMIN)), world.person("bob", Grant(Role.ADMIN))]
    browsers = [world.signed_in("ada"), world.signed_in("bob")]
    at_once(
        lambda: browsers[0].post(f"/api/v1/people/{people[1]}/disable").status_code,
        lambda: browsers[1].post(f"/api/v1/people/{people[0]}/disable").status_code,
    )
    with world.service.database.read() as connection:
        assert teams.has_admin(connection)


def test_of_many_who_use_a_link_one_gets_it(world: World) -> None:
    link = world.admin().post("/api/v1/people", json={"login": "bob"}).json()["link"]
    document = {"secret": link.rpartition("/")[2], "password": WORDS}
    visitors = [world.visitor() for _ in range(6)]
    answers = at_once(*[lambda each=each: each.post("/api/v1/links/redeem", json=document).status_code for each in visitors])
    assert answers == [201] + [400] * 5


def test_of_many_who_set_up_one_is_the_first(world: World) -> None:
    secret = world.setup_secret()
    visitors = [(world.visitor(), f"p{number}") for number in range(6)]
    answers = at_once(
        *[
            lambda each=each, login=login: (
                each.post("/api/v1/setup", json={"secret": secret, "login": login, "password": WORDS}).status_code
            )
            for each, login in visitors
        ]
    )
    assert answers == [201] + [400] * 5


def test_the_trail_is_one_chain_when_many_write_it(world: World) -> None:
    admin = world.admin()
    browsers = [world.signed_in("root") for _ in range(6)]
    at_once(
        *[lambda each=each, slug=f"t{n}": each.post("/api/v1/teams", json={"slug": slug}).status_code for n, each in enumerate(browsers)]
    )
    said = admin.get("/api/v1/trail/verification").json()
    assert said["holds"] is True
    assert said["entries"] == len(world.trail())
