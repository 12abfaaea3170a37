from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.jobs import clock
from assaymark.jobs.clock import Schedule
from assaymark.jobs.job import Job, JobId
from assaymark.jobs.open import open_queue
from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.store.tables import audit_event, person, team

PEOPLE = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),)),
    "auditor": Principal(PersonId(1), "admin", (Grant(Role.AUDITOR),)),
    "security": Principal(PersonId(1), "admin", (Grant(Role.SECURITY, TeamId(1)),)),
}


def identify(_service: Service, request: Request) -> Principal | None:
    return PEOPLE.get(request.headers.get("authorization", ""))


class Api:
    def __init__(self, service: Service, client: TestClient) -> None:
        self.service, self.client = service, client

    def ask(self, method: str, path: str, who: str = "admin", **more: Any) -> Any:
        return self.client.request(method, f"/api/v1{path}", headers={"authorization": who}, **more)

    def dead(self, *, key: str = "") -> JobId:
        """A job that was given up."""
        queue = open_queue(self.service.database)
        with self.service.database.write() as connection:
            made = queue.put(connection, Job("look", {"n": 1}, key=key, most_attempts=1))
        claim = queue.claim(queue.enter())
        assert made is not None
        assert claim is not None
        queue.fail(claim, "no good")
        return made

    def trail(self) -> list[tuple[str, str]]:
        with self.service.database.read() as connection:
            rows = connection.execute(sa.select(audit_event.c.action, audit_event.c.object).order_by(audit_event.c.id))
            return [(row.action, row.object) for row in rows]


@pytest.fixture
def api(service: Service) -> Iterator[Api]:
    with service.database.write() as connection:
        connection.execute(person.insert(), {"id": 1, "login": "admin", "handle": b"h", "created_at": 0})
        connection.execute(team.insert(), {"id": 1, "slug": "t", "name": "t", "created_at": 0})
        clock.ensure(connection, [Schedule("clean-jobs", "clean-jobs", 21600)], service.now(), random.Random(1))
    with TestClient(make_app(service, identify=identify), base_url="http://127.0.0.1:8750") as client:
        yield Api(service, client)


def test_the_dead_are_listed_first_with_their_reasons_page_by_page(api: Api) -> None:
    made = [api.dead() for _ in range(3)]
    first = api.ask("GET", "/jobs?limit=2").json()
    assert [row["id"] for row in first["items"]] == [made[2], made[1]]
    assert first["items"][0]["error"] == "no good"
    second = api.ask("GET", f"/jobs?limit=2&after={first['next']}").json()
    assert ([row["id"] for row in second["items"]], second["next"]) == ([made[0]], None)
    assert api.ask("GET", "/jobs?state=waiting").json()["items"] == []


def test_a_dead_job_is_replayed_once_and_the_trail_knows(api: Api) -> None:
    made = api.dead()
    replayed = api.ask("POST", f"/jobs/{made}/replay")
    assert (replayed.status_code, replayed.json()["state"], replayed.json()["attempts"]) == (200, "waiting", 0)
    assert api.ask("POST", f"/jobs/{made}/replay").status_code == 409
    assert api.trail() == [("job.replayed", str(made))]


def test_a_waiting_job_is_cancelled_once_and_the_trail_knows(api: Api) -> None:
    made = api.dead()
    assert api.ask("POST", f"/jobs/{made}/cancel").status_code == 409
    api.ask("POST", f"/jobs/{made}/replay")
    assert api.ask("POST", f"/jobs/{made}/cancel").json()["state"] == "cancelled"
    assert api.trail()[-1] == ("job.cancelled", str(made))


@pytest.mark.parametrize("path", ["/jobs/999999", "/jobs/-1", "/jobs/99999999999999999999"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert api.ask("GET", path).status_code in (400, 404)
    assert api.ask("POST", f"{path}/replay").status_code in (400, 404)


def test_schedules_are_listed_changed_and_run(api: Api) -> None:
    assert api.ask("GET", "/schedules").json()["items"][0]["every_seconds"] == 21600
    changed = api.ask("PATCH", "/schedules/clean-jobs", json={"every_seconds": 7200}).json()
    assert (changed["every_seconds"], changed["source"]) == (7200, "person")
    started = api.ask("POST", "/schedules/clean-jobs/run")
    assert started.status_code == 202
    assert api.ask("GET", f"/jobs/{started.json()['job']}").json()["kind"] == "clean-jobs"
    assert api.ask("POST", "/schedules/clean-jobs/run").json()["job"] is None
    assert [action for action, _ in api.trail()] == ["schedule.changed", "schedule.run", "schedule.run"]


@pytest.mark.parametrize("seconds", [0, 59, -5, 10**12])
def test_an_interval_that_makes_no_sense_is_refused(api: Api, seconds: int) -> None:
    assert api.ask("PATCH", "/schedules/clean-jobs", json={"every_seconds": seconds}).status_code == 400
    assert api.trail() == []


def test_a_schedule_that_is_not_there_is_not_found(api: Api) -> None:
    assert api.ask("PATCH", "/schedules/nothing", json={"every_seconds": 7200}).status_code == 404
    assert api.ask("POST", "/schedules/nothing/run").status_code == 404


def test_who_reads_does_not_change_and_who_has_a_team_sees_none(api: Api) -> None:
    made = api.dead()
    assert api.ask("GET", "/jobs", "auditor").status_code == 200
    for path in (f"/jobs/{made}/replay", f"/jobs/{made}/cancel", "/schedules/clean-jobs/run"):
        assert api.ask("POST", path, "auditor").status_code == 403
    for path in ("/jobs", f"/jobs/{made}", "/schedules"):
        assert api.ask("GET", path, "security").status_code == 403
    assert api.ask("POST", f"/jobs/{made}/replay", "security").status_code == 403
    assert {action for action, _ in api.trail()} == {"request.made"}  # that it was refused, and nothing that was done


def test_health_tells_how_much_waits(api: Api) -> None:
    made = api.dead()
    assert api.ask("GET", "/health").json()["waiting"] == 0
    api.ask("POST", f"/jobs/{made}/replay")
    assert api.ask("GET", "/health").json()["waiting"] == 1
