"""The page of posture and its lists as a reader gets them: the same bytes when asked again, every number leading to a list as long."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import msgspec
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome, WaiverRef
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.server.work.figures import sum_up_days
from assaymark.store.promises import DAY
from assaymark.store.tables import person

NOW = Instant(20_100 * DAY + 3600 * SECOND)
DAYS = ("2024-12-31", "2025-01-10")


class Desk:
    """A server with a history, and somebody who asks."""

    def __init__(self, service: Service) -> None:
        self.now = NOW
        settings = msgspec.structs.replace(service.settings, rate=10_000_000, public_rate=10_000_000)
        self.service = msgspec.structs.replace(service, settings=settings, now=lambda: self.now)
        self.who = Principal(PersonId(1), "ada", (Grant(Role.ADMIN),))
        self.client = TestClient(make_app(self.service, identify=self.identify), base_url=settings.url, follow_redirects=False)
        with service.database.write() as link:
            link.execute(person.insert(), {"login": "ada", "handle": b"ada", "created_at": 0})
        self.teams = [TeamId(add_team(service.database, slug)) for slug in ("blue", "red")]
        self.subjects = [
            add_subject(service.database, name, kind=kind, team=team, at=20_000 * DAY)
            for name, kind, team in (
                ("shop", "branch", self.teams[0]),
                ("bank", "branch", self.teams[1]),
                ("shop!1", "merge-request", self.teams[0]),
            )
        ]

    def identify(self, _service: Service, _request: Request) -> Principal | None:
        return self.who

    def happen(self, first: int, last: int) -> None:
        """Verdicts on some days since 1970."""
        for day in range(first, last):
            waived = WaiverRef("policy", "known", "ada", "2031-01-01")
            found = [seen(f"n{n}", severity=list(Severity)[n % 5], waiver=waived if n == 4 else None) for n in range(1 + day % 6)]
            outcome = Outcome.FAIL if day % 11 == 0 else Outcome.PASS
            tell(self.service.database, self.subjects[day % 3], verdict(*found, outcome=outcome), day * DAY + day)

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        return answer.text

    def sum_up(self) -> None:
        sum_up_days(self.service, {}, Unstopped())


class Unstopped:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    made = Desk(service)
    made.happen(20_050, 20_100)
    yield made
    made.client.close()


def test_asked_again_after_much_has_happened_a_past_day_is_the_same_to_the_byte(desk: Desk) -> None:
    addresses = [f"/posture?as_of={day}&against=2024-12-01" for day in DAYS]
    addresses += [f"{each}&team={desk.teams[0]}" for each in addresses]
    addresses += [
        "/api/v1/figures?as_of=2024-12-31",
        "/api/v1/figures?as_of=2025-01-02T03:04:05Z",
        "/api/v1/figures/trend?as_of=2025-01-10",
    ]
    desk.sum_up()
    first = [desk.client.get(each).content for each in addresses]
    desk.now = Instant(NOW + 40 * DAY)
    desk.happen(20_101, 20_140)
    desk.client.put("/api/v1/promises", json={"terms": {"critical": 1, "high": 2}}, headers={"origin": desk.service.settings.url})
    desk.sum_up()
    assert [desk.client.get(each).content for each in addresses] == first
    assert b"2024-12-31" in first[0]


def _many(page: str) -> int:
    found = re.search(r"<p>(\d+) ·", page)
    assert found is not None
    return int(found[1])


def test_each_number_leads_to_a_list_of_that_length(desk: Desk) -> None:
    page = desk.get("/posture?as_of=2025-01-08")
    links = {(html.unescape(address), int(text)) for address, text in re.findall(r'href="(/posture/list[^"]*)">(\d+)</a>', page)}
    assert len(links) > 25
    assert sum(many > 0 for _, many in links) > 8
    for address, many in links:
        assert _many(desk.get(address)) == many, address


def test_a_reader_sees_the_figures_of_his_teams_alone(desk: Desk) -> None:
    everything = msgspec.json.decode(desk.get("/api/v1/figures"))["figures"]
    desk.who = Principal(PersonId(1), "ada", (Grant(Role.VIEWER, desk.teams[0]),))
    mine = msgspec.json.decode(desk.get("/api/v1/figures"))["figures"]
    assert sum(row["open"] for row in mine["rows"]) < sum(row["open"] for row in everything["rows"])
    assert mine == msgspec.json.decode(desk.get(f"/api/v1/figures?team={desk.teams[0]}"))["figures"]
    assert desk.client.get(f"/posture?team={desk.teams[1]}").status_code == 404
    assert desk.client.get(f"/api/v1/figures?team={desk.teams[1]}").status_code == 404
    assert "bank" not in desk.get("/posture/list?figure=open")


@pytest.mark.parametrize(
    "path",
    ["/posture?as_of=yesterday", "/posture?team=x", "/posture?days=7", "/posture?against=2999-01-01", "/posture/list",
     "/posture/list?figure=x",
     "/posture/list?figure=open&band=9", "/posture?at=99999999999999999", "/posture?layer=cake"],
)  # fmt: skip
def test_what_makes_no_sense_is_said(desk: Desk, path: str) -> None:
    answer = desk.client.get(path)
    assert answer.status_code == 400
    assert "makes no sense" in answer.text


def test_a_promise_is_kept_with_who_made_it_and_holds_from_then_on(desk: Desk) -> None:
    origin = {"origin": desk.service.settings.url}
    late = msgspec.json.decode(desk.get("/api/v1/figures"))["figures"]["rows"]
    answer = desk.client.put(
        "/api/v1/promises", json={"team": desk.teams[0], "terms": {"critical": 0, "high": 0, "level": "regulated"}}, headers=origin
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["own"]
    stricter = msgspec.json.decode(desk.get("/api/v1/figures"))["figures"]["rows"]
    assert sum(row["late"] for row in stricter) > sum(row["late"] for row in late)
    assert msgspec.json.decode(desk.get("/api/v1/figures?as_of=2025-01-10"))["figures"]["rows"] != stricter
    assert msgspec.json.decode(desk.get("/api/v1/trail"))["items"][0]["action"] == "promise.made"
    assert desk.client.put("/api/v1/promises", json={"team": desk.teams[0]}, headers=origin).json()["own"] is False
    assert desk.client.put("/api/v1/promises", json={"team": 999}, headers=origin).status_code == 404
    assert desk.client.put("/api/v1/promises", json={}, headers=origin).status_code == 400


def test_charts_are_drawn_without_a_script(desk: Desk) -> None:
    desk.sum_up()
    page = desk.get("/posture?as_of=2025-01-10")
    assert page.count("<polyline") >= 3
    assert page.count('role="img"') >= 3
    assert "style=" not in page
