"""Items by the API and on their page: what is listed to whom, as of when, and giving one to somebody."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.server.api.conftest import Made, Make
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.model.access import Grant, Role, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.server.work.items import follow
from assaymark.store import people, teams
from assaymark.store.tables import audit_event, connection, happening, issue, item, job, repository, subject

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
XSS = '"><script>alert(1)</script>'


class Stage:
    def __init__(self, made: Made) -> None:
        self.made = made
        self.database = made.service.database
        for slug in ("blue", "red"):
            add_team(self.database, slug)
        for login, role, team in (("admin", Role.ADMIN, None), ("viewer", Role.VIEWER, 1), ("developer", Role.DEVELOPER, 2)):
            with self.database.write() as link:
                number = people.add(link, people.Draft(login, email=f"{login}@example.org"), at=Instant(0))
                assert number is not None
                teams.give(link, number, Grant(role, None if team is None else TeamId(team)), source="local", at=Instant(0))
        with self.database.write() as link:
            link.execute(repository.insert().values(id=1, name="shop", clone_url="u", team=2, created_at=0))
        self.blue, self.red = (add_subject(self.database, name, team=team) for name, team in (("b", 1), ("r", 2)))
        with self.database.write() as link:
            link.execute(subject.update().where(subject.c.id == self.red).values(repository=1))
        tell(self.database, self.blue, verdict(seen("x", "blue/x.py", severity=Severity.LOW)), 10)
        tell(self.database, self.red, verdict(*(seen(f"y{n}", f"red/{n}.py") for n in range(60)), seen("k", "k.env", kind=Kind.SECRET)), 20)

    def get(self, path: str, who: str = "admin", **query: Any) -> Any:
        return self.made.client.get(f"/api/v1{path}", params=query, headers={"Authorization": f"Bearer {who}"})

    def items(self, who: str = "admin", **query: Any) -> list[dict[str, Any]]:
        answer = self.get("/items", who, **query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def put(self, number: int, body: Any, who: str = "developer") -> Any:
        return self.made.client.put(f"/api/v1/items/{number}/owner", json=body, headers={"Authorization": f"Bearer {who}"})

    def page(self, path: str, who: str = "developer") -> Any:
        return self.made.client.get(path, headers={"Authorization": f"Bearer {who}"})


@pytest.fixture
def stage(make: Make) -> Stage:
    return Stage(make())


def test_items_are_listed_worst_first_and_each_team_sees_its_own(stage: Stage) -> None:
    assert [(each["team"], each["severity"], each["findings"]) for each in stage.items()] == [
        (2, "high", 1),
        (2, "high", 60),
        (1, "low", 1),
    ]
    assert [each["team"] for each in stage.items("viewer")] == [1]
    assert len(stage.items("developer")) == 2


@pytest.mark.parametrize(
    ("query", "many"),
    [
        ({"severity": "low"}, 1), ({"severity": ["low", "high"]}, 3), ({"kind": "secret"}, 1), ({"cause": "rule"}, 2), ({"team": 1}, 1),
        ({"repository": 1}, 2), ({"owner": "nobody"}, 3), ({"owner": "me"}, 0), ({"owner": "1"}, 0), ({"state": "closed"}, 0),
        ({"as_of": "1970-01-01T00:00:00.000015Z"}, 1),
    ],
)  # fmt: skip
def test_lists_are_narrowed(stage: Stage, query: dict[str, Any], many: int) -> None:
    assert len(stage.items(**query)) == many


def test_pages_follow_each_other_and_are_counted(stage: Stage) -> None:
    first = stage.get("/items", limit=2, count=True).json()
    assert first["at_least"] == 3
    second = stage.get("/items", limit=2, after=first["next"]).json()
    assert len({each["id"] for each in [*first["items"], *second["items"]]}) == 3
    assert second["next"] is None


@pytest.mark.parametrize("query", [{"owner": "you"}, {"as_of": "2999-01-01"}, {"after": "x"}, {"severity": "worst"}, {"limit": 0}])
def test_what_makes_no_sense_is_said(stage: Stage, query: dict[str, Any]) -> None:
    assert stage.get("/items", **query).status_code == 400


def test_an_item_tells_where_it_stands_its_issues_and_its_history(stage: Stage) -> None:
    number = stage.items("developer")[1]["id"]
    with stage.database.write() as link:
        link.execute(connection.insert().values(id=1, kind="github", name="hub", created_at=0))
        link.execute(issue.insert().values(item=number, connection=1, remote="7", url="https://hub.example/7", state="open"))
    found = stage.get(f"/items/{number}", "developer").json()
    assert [(each["name"], each["findings"]) for each in found["subjects"]] == [("r", 60)]
    assert found["issues"] == [{"connection": 1, "remote": "7", "url": "https://hub.example/7", "state": "open"}]
    assert [(each["opened_at"], each["closed_at"]) for each in found["history"]] == [(20, None)]
    first = stage.get(f"/items/{number}/findings", "developer").json()
    rest = stage.get(f"/items/{number}/findings", "developer", after=first["next"]).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (50, 10, None)


def test_what_may_not_be_seen_is_not_there(stage: Stage) -> None:
    number = stage.items("developer")[0]["id"]
    for path in (f"/items/{number}", f"/items/{number}/findings", "/items/999"):
        assert stage.get(path, "viewer").status_code == 404
    assert stage.page(f"/items/{number}", "viewer").status_code == 404
    assert stage.put(number, {"name": "x"}, "viewer").status_code in {403, 404}


def test_giving_an_item_to_somebody_is_recorded_told_and_taken_back(stage: Stage) -> None:
    number = stage.items("developer")[0]["id"]
    with stage.database.write() as link:
        follow(stage.made.service, link)
    given = stage.put(number, {"person": 3})
    assert given.status_code == 200, given.text
    assert (given.json()["owner"], given.json()["owner_source"]) == ("developer", "hand")
    assert [each["id"] for each in stage.items("developer", owner="me")] == [number]
    back = stage.put(number, {})
    assert (back.json()["owner"], back.json()["owner_source"]) == ("", "team")
    with stage.database.read() as link:
        events = link.execute(sa.select(audit_event.c.action, audit_event.c.actor).where(audit_event.c.object_kind == "item")).all()
        assert events == [("item.assigned", "developer")] * 2
        told = link.execute(sa.select(happening.c.kind, happening.c.actor).where(happening.c.actor != "")).all()
        assert told == [("item.assigned", "developer")] * 2
        assert link.execute(sa.select(job.c.kind).where(job.c.kind == "own-items")).all() == [("own-items",)]


@pytest.mark.parametrize("body", [{"person": 2}, {"person": 99}, {"name": "a\u0007b"}])
def test_an_item_is_for_somebody_who_may_see_it(stage: Stage, body: dict[str, Any]) -> None:
    answer = stage.put(stage.items("developer")[0]["id"], body)
    assert answer.status_code == 400, answer.text
    assert [each["owner"] for each in stage.items("developer")] == ["", ""]


def test_somebody_without_an_account_can_be_named(stage: Stage) -> None:
    assert stage.put(stage.items("developer")[0]["id"], {"name": " Grace  Hopper "}).json()["owner"] == "Grace Hopper"


def test_the_page_shows_the_item_and_gives_it_away(stage: Stage) -> None:
    number = stage.items("developer")[1]["id"]
    shown = stage.page(f"/items/{number}")
    assert shown.status_code == 200
    assert "One repair removes 60 findings in 1 subject" in shown.text
    assert "Take it" in shown.text
    assert 'rel="next"' in shown.text
    headers = {"Authorization": "Bearer developer", "Sec-Fetch-Site": "same-origin"}
    taken = stage.made.client.post(f"/items/{number}/owner", data={"to": "me"}, headers=headers, follow_redirects=False)
    assert (taken.status_code, taken.headers["location"]) == (303, f"/items/{number}")
    shown = stage.page(f"/items/{number}")
    assert "Take it" not in shown.text
    assert "Let the repository say whose it is" in shown.text
    for form, owner in (({"to": "other", "name": "@Admin"}, "admin"), ({"to": "other", "name": XSS}, XSS), ({"to": "nobody"}, "")):
        stage.made.client.post(f"/items/{number}/owner", data=form, headers=headers, follow_redirects=False)
        assert stage.get(f"/items/{number}").json()["item"]["owner"] == owner
        assert XSS not in stage.page(f"/items/{number}").text


def test_the_list_is_narrowed_and_leads_to_each(stage: Stage) -> None:
    shown = stage.page("/items", "admin").text
    assert shown.count('<a href="/items/') == 3
    assert "3 open" in shown
    assert stage.page("/items", "viewer").text.count('<a href="/items/') == 1
    for query, many in (("whose=mine", 0), ("severity=low", 1), ("cause=secret", 1), ("state=closed", 0), ("as_of=1970-01-01", 3)):
        assert stage.page(f"/items?{query}", "admin").text.count('<a href="/items/') == many, query
    assert stage.page("/items?cause=x", "admin").status_code == 400


def test_the_page_escapes_what_was_found_and_links_only_to_pages(stage: Stage) -> None:
    number = stage.items("developer")[0]["id"]
    with stage.database.write() as link:
        link.execute(item.update().where(item.c.id == number).values(title=XSS, advice=XSS, owner=XSS))
        link.execute(connection.insert().values(id=1, kind="github", name="hub", created_at=0))
        link.execute(issue.insert().values(item=number, connection=1, remote=XSS, url="javascript:alert(1)", state="open"))
    shown = stage.page(f"/items/{number}").text
    assert "<script>alert" not in shown
    assert "javascript:" not in shown


def test_as_of_a_day_the_page_gives_the_same_bytes_again(stage: Stage) -> None:
    number = stage.items("developer")[1]["id"]
    before = stage.page(f"/items/{number}?as_of=1970-01-02").content
    listed = stage.get("/items", as_of="1970-01-01").content
    tell(stage.database, stage.red, verdict(), 200_000_000_000)
    assert stage.page(f"/items/{number}?as_of=1970-01-02").content == before
    assert stage.get("/items", as_of="1970-01-01").content == listed
    assert "Nothing of this stands open" in stage.page(f"/items/{number}").text
