from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from assaymark.model.access import Grant, Role
from assaymark.model.assessment import Instant
from assaymark.store import teams, trail
from assaymark.store.trail import Action


def filled(world: World, count: int) -> None:
    with world.service.database.write() as connection:
        for number in range(count):
            kind = "token" if number % 2 else "team"
            action = Action(
                Instant(world.at + number // 3), f"p{number % 4}", f"{kind}.made", "success", object_kind=kind, object=str(number)
            )
            trail.record(connection, action)


def test_the_trail_is_read_in_pages_newest_first(world: World) -> None:
    filled(world, 23)
    world.person("aud", Grant(Role.AUDITOR))
    browser = world.signed_in("aud")
    seen, after = [], ""
    while True:
        page = browser.get(f"/api/v1/trail?limit=5{after}").json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    moments: list[Any] = world.trail("at", "id")
    assert seen == [number for _, number in sorted(moments, reverse=True)]


def test_the_trail_is_asked_by_who_what_and_when(world: World) -> None:
    filled(world, 12)
    browser = world.admin()

    def objects(question: str) -> list[str]:
        return [each["object"] for each in browser.get(f"/api/v1/trail?{question}").json()["items"]]

    assert objects("actor=p1") == ["9", "5", "1"]
    assert objects("action=team.&object_kind=team&object=4") == ["4"]
    assert objects("action=token.made") == ["11", "9", "7", "5", "3", "1"]
    assert objects(f"actor=p1&since={world.at + 1}&until={world.at + 3}") == ["5"]
    assert objects("action=tok.") == []


def test_an_auditor_of_a_team_reads_what_belongs_to_it(world: World) -> None:
    admin = world.admin()
    core = admin.post("/api/v1/teams", json={"slug": "core"}).json()["id"]
    apps = admin.post("/api/v1/teams", json={"slug": "apps"}).json()["id"]
    world.person("aud", Grant(Role.AUDITOR, core))
    browser = world.signed_in("aud")
    assert {each["team"] for each in browser.get("/api/v1/trail").json()["items"]} == {core}
    assert apps != core
    assert browser.get("/api/v1/trail/verification").status_code == 403


def test_the_chain_holds_and_says_its_end(world: World) -> None:
    filled(world, 7)
    browser = world.admin()
    said = browser.get("/api/v1/trail/verification").json()
    assert said["holds"]
    assert said["is_whole"]
    assert said["digest"] == world.trail("digest")[-1][0]
    part = browser.get("/api/v1/trail/verification?most=3").json()
    assert (part["entries"], part["is_whole"]) == (3, False)
    rest = browser.get(f"/api/v1/trail/verification?after={part['last']}").json()
    assert rest["entries"] + 3 == said["entries"]
    assert rest["digest"] == said["digest"]


def unguarded(world: World, words: str) -> None:
    """As somebody with the database in hand, who took the guards away."""
    with world.service.database.write() as connection:
        suffix = "" if world.service.database.is_sqlite else " ON audit_event"
        for name in ("audit_event_only_grows", "audit_event_stays"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}{suffix}")
        connection.exec_driver_sql(words)


def test_an_entry_that_was_changed_is_found(world: World) -> None:
    filled(world, 9)
    unguarded(world, "UPDATE audit_event SET actor = 'somebody else' WHERE id = 4")
    with world.service.database.read() as connection:
        assert trail.verify(connection, after=0, most=100).broken_at == 4


def test_an_entry_that_was_taken_out_is_found(world: World) -> None:
    filled(world, 9)
    unguarded(world, "DELETE FROM audit_event WHERE id = 4")
    with world.service.database.read() as connection:
        assert trail.verify(connection, after=0, most=100).broken_at == 5


def test_every_privileged_action_leaves_an_entry_in_the_same_transaction(world: World) -> None:
    admin = world.admin()
    core = admin.post("/api/v1/teams", json={"slug": "core"}).json()["id"]
    admin.patch(f"/api/v1/teams/{core}", json={"name": "The core"})
    bob = admin.post("/api/v1/people", json={"login": "bob", "roles": [{"role": "viewer", "team": core}]}).json()["id"]
    role = admin.get(f"/api/v1/people/{bob}").json()["roles"][0]["membership"]
    admin.delete(f"/api/v1/memberships/{role}")
    admin.post("/api/v1/memberships", json={"login": "bob", "role": "developer", "team": core})
    admin.post(f"/api/v1/people/{bob}/link")
    admin.post(f"/api/v1/people/{bob}/disable")
    admin.post(f"/api/v1/people/{bob}/enable")
    admin.post(f"/api/v1/people/{bob}/end")
    admin.patch(f"/api/v1/people/{bob}", json={"name": "Bob"})
    token = admin.post("/api/v1/tokens", json={"name": "x", "scopes": ["findings:read"], "days": 1}).json()["id"]
    admin.delete(f"/api/v1/tokens/{token}")
    admin.delete("/api/v1/sessions/present")
    actions = [row[0] for row in world.trail()]
    assert actions[2:] == [
        "session.begun", "team.created", "team.renamed", "person.created", "role.given", "role.taken", "role.given", "link.created",
        "person.disabled", "person.enabled", "sessions.ended", "person.changed", "token.created", "token.revoked", "session.ended",
    ]  # fmt: skip
    assert set(world.trail("actor")[2:]) == {("root",)}


def test_the_time_of_a_team_that_is_renamed_in_vain_leaves_nothing(world: World) -> None:
    before = len(world.trail())
    browser = world.admin()
    browser.post("/api/v1/teams", json={"slug": "core"})
    assert browser.post("/api/v1/teams", json={"slug": "core"}).status_code == 409
    assert len(world.trail()) == before + 4
    with world.service.database.read() as connection:
        assert len(teams.page(connection, after="", limit=10, teams=None)) == 1
