"""Policies as callers see them: proposed, reviewed, activated by the ratchet, retired, simulated; and their pages."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import Struct
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.store import people, policies, tables
from assaymark.store.people import Draft

API = "/api/v1"
DAY = 86400 * SECOND
POLICY = """\
kind: Policy
metadata: {name: base, version: %s}
floor: {fail_on: %s}
rules:
  - id: no-critical
    when: finding.rank >= rank.critical
    action: stop
    message: nowhere
    advice: repair it
"""


def text(version: str = "1.0.0", fail_on: str = "high") -> str:
    return POLICY % (version, fail_on)


class Moved:
    """A clock that tests move on."""

    def __init__(self, service: Service) -> None:
        self._real, self.ahead = service.now, 0

    def __call__(self) -> Instant:
        return Instant(self._real() + self.ahead)


class Desk(Struct):
    """Callers of an application."""

    client: TestClient
    service: Service
    clock: Moved

    def ask(self, who: str, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.client.request(method, API + path, json=body, headers={"Authorization": f"Bearer {who}"})
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def page(self, who: str, method: str, address: str, status: int = 200, /, **form: str) -> str:
        headers = {"Authorization": f"Bearer {who}", "Sec-Fetch-Site": "same-origin"}
        answer = self.client.request(method, address, data=form or None, headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text) if status != 303 else answer.headers["location"]

    def propose(self, document: str, who: str = "ana") -> Any:
        return self.ask(who, "POST", "/policies", {"document": document}, status=201)

    def activate(self, version: str, who: str = "ana", exception: Any = None, *, status: int = 200) -> Any:
        body = {} if exception is None else {"exception": exception}
        return self.ask(who, "POST", f"/policies/base/versions/{version}/activate", body, status=status)

    def exception(self, days: int = 10) -> dict[str, str]:
        today = dt.datetime.fromtimestamp(self.clock() / 1e6, dt.UTC).date()
        return {"reason": "moving", "owner": "ana", "until": (today + dt.timedelta(days=days)).isoformat()}

    def force(self) -> str:
        return str(self.ask("vi", "GET", "/policies")["items"][0]["in_force"])


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    import msgspec  # noqa: PLC0415

    clock = Moved(service)
    service = msgspec.structs.replace(service, now=clock)
    roles = {"ana": Role.SECURITY, "bo": Role.SECURITY, "vi": Role.VIEWER}
    known: dict[str, Principal] = {}
    with service.database.write() as link:
        team = TeamId(
            link.execute(tables.team.insert().returning(tables.team.c.id), {"slug": "shop", "name": "Shop", "created_at": 0}).scalar_one()
        )
        for login, role in roles.items():
            number = people.add(link, Draft(login), at=service.now())
            known[login] = Principal(PersonId(number or 0), login, (Grant(role),))
        number = people.add(link, Draft("in"), at=service.now())
        known["in"] = Principal(PersonId(number or 0), "in", (Grant(Role.SECURITY, team),))

    def identify(_service: Service, request: Request) -> Principal | None:
        return known.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    identify_: Callable[[Service, Request], Principal | None] = identify
    with TestClient(make_app(service, identify=identify_), base_url=service.settings.url) as client:
        yield Desk(client, service, clock)


def test_a_version_is_proposed_activated_and_named_in_the_list(desk: Desk) -> None:
    made = desk.propose(text())
    assert (made["in_force"], made["author"], made["document"]) == (False, "ana", text())
    assert desk.force() == ""
    desk.activate("1.0.0")
    assert desk.force() == "1.0.0"
    assert desk.ask("vi", "GET", "/policies/base")["in_force"] is True
    kinds = [each["kind"] for each in desk.ask("vi", "GET", "/policies/base/events")["items"]]
    assert kinds == ["activated", "proposed"]
    with desk.service.database.read() as link:
        actions = [row.action for row in link.execute(tables.audit_event.select())]
    assert actions == ["policy.proposed", "policy.activated"]


def test_a_version_never_changes(desk: Desk) -> None:
    desk.propose(text())
    assert "never changes" in desk.ask("ana", "POST", "/policies", {"document": text()}, status=409)["detail"]
    other = desk.ask("ana", "POST", "/policies", {"document": text(fail_on="low")}, status=409)
    assert "raise metadata.version" in other["advice"]


def test_what_is_wrong_is_said_with_its_line(desk: Desk) -> None:
    problem = desk.ask("ana", "POST", "/policies", {"document": text().replace("stop", "halt")}, status=400)
    assert "line 7" in problem["detail"]
    failing = text() + "    examples: [{holds: true, finding: {severity: low}}]\n"
    assert "should be true" in desk.ask("ana", "POST", "/policies", {"document": failing}, status=409)["detail"]


def test_weaker_needs_an_exception_and_somebody_else(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    desk.propose(text("2.0.0", "critical"))
    problem = desk.activate("2.0.0", "bo", status=409)
    assert "went from high to critical" in problem["detail"]
    assert problem["type"].endswith("/weaker")
    assert "nobody besides its proposer" in desk.activate("2.0.0", "ana", desk.exception(), status=409)["detail"]
    assert "365 days" in desk.activate("2.0.0", "bo", desk.exception(400), status=409)["advice"]
    assert "runs -1 days" in desk.activate("2.0.0", "bo", desk.exception(-1), status=409)["detail"]
    desk.activate("2.0.0", "bo", desk.exception())
    assert desk.force() == "2.0.0"
    event = desk.ask("vi", "GET", "/policies/base/events")["items"][0]
    assert event["exception"] == {"reason": "moving", "owner": "ana", "approver": "bo", "until": desk.exception()["until"]}


def test_the_proposer_may_activate_what_somebody_else_approved_of(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    desk.propose(text("2.0.0", "critical"))
    review = "/policies/base/versions/2.0.0/review"
    desk.ask("ana", "POST", review, {"approves": True}, status=409)
    desk.ask("bo", "POST", review, {"approves": True, "comment": "for a month"}, status=204)
    desk.activate("2.0.0", "ana", desk.exception())
    assert desk.force() == "2.0.0"


def test_an_objection_stands_until_it_is_taken_back(desk: Desk) -> None:
    desk.propose(text())
    review = "/policies/base/versions/1.0.0/review"
    desk.ask("bo", "POST", review, {"approves": False}, status=409)
    desk.ask("bo", "POST", review, {"approves": False, "comment": "too wide"}, status=204)
    assert "bo objects" in desk.activate("1.0.0", status=409)["detail"]
    desk.ask("bo", "POST", review, {"approves": True}, status=204)
    desk.activate("1.0.0")


def test_an_exception_ends_by_itself_and_nothing_hides_behind_it(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    desk.propose(text("2.0.0", "critical"))
    desk.activate("2.0.0", "bo", desk.exception(10))
    trivial = text("3.0.0", "critical").replace("nowhere", "not here")
    desk.propose(trivial)
    assert (
        "went from high to critical" in desk.activate("3.0.0", status=409)["detail"]
    )  # as strict as what is in force, not as what is firm
    desk.clock.ahead += 9 * DAY
    assert desk.force() == "2.0.0"
    desk.clock.ahead += 2 * DAY
    assert desk.force() == "1.0.0"
    desk.activate("2.0.0", "bo", desk.exception(5))
    assert desk.force() == "2.0.0"


def test_what_was_in_force_at_an_instant_stays_so(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    then = desk.clock()
    desk.clock.ahead += DAY
    desk.propose(text("2.0.0", "low"))
    desk.activate("2.0.0")
    with desk.service.database.read() as link:
        assert [row.version for row, _ in policies.in_force(link, then)] == ["1.0.0"]
        assert [row.version for row, _ in policies.in_force(link, desk.clock())] == ["2.0.0"]


def test_a_policy_is_retired_by_two_people_and_comes_back(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    desk.ask("bo", "POST", "/policies/base/retire", {"exception": desk.exception()}, status=409)
    desk.ask("ana", "POST", "/policies/base/retirement", {"comment": "replaced"}, status=204)
    desk.ask("ana", "POST", "/policies/base/retire", {"exception": desk.exception()}, status=409)
    desk.ask("bo", "POST", "/policies/base/retire", {"exception": desk.exception()}, status=204)
    assert desk.force() == ""
    desk.clock.ahead += 12 * DAY
    assert desk.force() == "1.0.0"


def test_who_holds_a_role_in_one_team_reads_and_decides_nothing(desk: Desk) -> None:
    desk.propose(text())
    assert desk.ask("in", "GET", "/policies/base")["version"] == "1.0.0"
    desk.activate("1.0.0", "in", status=403)
    desk.ask("in", "POST", "/policies", {"document": text("2.0.0")}, status=403)
    desk.ask("in", "GET", "/policy-simulations", status=403)
    desk.ask("vi", "POST", "/policies", {"document": text("2.0.0")}, status=403)


def test_a_document_is_looked_at_without_being_kept(desk: Desk) -> None:
    desk.propose(text())
    desk.activate("1.0.0")
    checked = desk.ask("vi", "POST", "/policies/check", {"document": text("2.0.0", "critical")})
    assert checked["weakens"] == ["the floor of fail_on went from high to critical"]
    assert len(desk.ask("vi", "GET", "/policies/base/versions")["items"]) == 1
    assert desk.ask("vi", "GET", "/policies/schema.json")["title"] == "Assaymark policy of an organisation"


def test_a_simulation_is_ordered_watched_and_cancelled(desk: Desk) -> None:
    desk.propose(text())
    body = {"versions": [{"name": "base", "version": "1.0.0"}], "documents": [text("1.0.0").replace("base", "other")], "most": 20}
    made = desk.ask("ana", "POST", "/policy-simulations", body, status=202)
    assert (made["state"], [each["name"] for each in made["policies"]]) == ("waiting", ["base", "other"])
    twice = {"versions": body["versions"], "documents": [text("5.0.0")]}
    assert "one name" in desk.ask("ana", "POST", "/policy-simulations", twice, status=400)["detail"]
    desk.ask("ana", "POST", "/policy-simulations", {"most": 0}, status=400)
    number = made["id"]
    assert desk.ask("vi", "GET", f"/policy-simulations/{number}/outcomes")["items"] == []
    desk.ask("ana", "POST", f"/policy-simulations/{number}/cancel", status=204)
    desk.ask("ana", "POST", f"/policy-simulations/{number}/cancel", status=409)
    assert desk.ask("vi", "GET", f"/policy-simulations/{number}")["state"] == "cancelled"


# --- pages -----------------------------------------------------------------------------------------------------------


def test_the_pages_lead_from_a_draft_to_what_is_in_force(desk: Desk) -> None:
    assert "No policy yet" in desk.page("vi", "GET", "/policies")
    shown = desk.page("ana", "POST", "/policies/new", document=text(), comment="", action="check")
    assert "base 1.0.0 is understood" in shown
    place = desk.page("ana", "POST", "/policies/new", 303, document=text(), comment="first", action="propose")
    assert place == "/policies/base/1.0.0"
    assert "Let it take effect" in desk.page("ana", "GET", place)
    assert "Let it take effect" not in desk.page("vi", "GET", place)
    desk.page("ana", "POST", f"{place}/activate", 303)
    assert "in force" in desk.page("vi", "GET", "/policies/base")
    desk.propose(text("2.0.0", "critical"))
    version = desk.page("bo", "GET", "/policies/base/2.0.0")
    assert "Weaker than what is in force" in version
    assert "-floor: {fail_on: high}" in version
    refused = desk.page("bo", "POST", "/policies/base/2.0.0/activate", 409)
    assert "would be weaker" in refused
    desk.page("bo", "POST", "/policies/base/2.0.0/activate", 303, **desk.exception())
    assert "by an exception" in desk.page("vi", "GET", "/policies")
    desk.page("ana", "POST", "/policies/base/retire", 303, comment="enough")
    assert "ana asked for it: enough" in desk.page("bo", "GET", "/policies/base")
    desk.page("bo", "POST", "/policies/base/retire", 303, **desk.exception())
    assert "Not in force" in desk.page("vi", "GET", "/policies/base")


def test_a_simulation_has_a_page(desk: Desk) -> None:
    from tests.assess.conftest import Once  # noqa: PLC0415

    from assaymark.server.work import simulate  # noqa: PLC0415

    desk.propose(text())
    place = desk.page("ana", "POST", "/policies/simulations", 303, name="base", version="1.0.0", most="7")
    assert "It waits for a worker" in desk.page("vi", "GET", place)
    simulate.simulate(desk.service, {"simulation": int(place.rpartition("/")[2])}, Once())
    assert "Would have stopped 0 of the last 0 changes" in desk.page("vi", "GET", place)
    assert "base 1.0.0" in desk.page("vi", "GET", "/policies/simulations")
    desk.page("in", "GET", place, 403)


def test_what_a_document_says_is_shown_and_not_obeyed(desk: Desk) -> None:
    evil = text().replace("nowhere", "<script>alert(1)</script>").replace("repair it", "</pre><img src=x onerror=alert(1)>")
    desk.propose(evil)
    for path in ("/policies/base", "/policies/base/1.0.0"):
        headers = {"Authorization": "Bearer vi"}
        raw = desk.client.get(path, headers=headers).text
        assert "<script>alert" not in raw
        assert "<img" not in raw
    wrong = desk.client.post(
        "/policies/new",
        data={"document": "<b>", "action": "check"},
        headers={"Authorization": "Bearer ana", "Sec-Fetch-Site": "same-origin"},
    )
    assert wrong.status_code == 400
    assert "<b>" not in wrong.text.partition("Document")[2].partition("</textarea>")[0].partition(">")[2]
    assert "&lt;b&gt;" in wrong.text


def test_sources_in_git_are_added_read_and_ended_on_their_page(desk: Desk) -> None:
    with desk.service.database.write() as link:
        row = {"name": "group/rules", "clone_url": "https://forge.test/rules.git", "created_at": 1}
        number = link.execute(tables.repository.insert().returning(tables.repository.c.id), row).scalar_one()
    assert "../secret" in desk.page("ana", "POST", "/policies/sources", 400, repository=str(number), path="../secret", action="add")
    desk.page("ana", "POST", "/policies/sources", 303, repository=str(number), path="policies", action="add")
    assert "waits for a worker" in desk.page("vi", "GET", "/policies/sources")
    source = desk.ask("vi", "GET", "/policy-sources")["items"][0]["id"]
    desk.page("ana", "POST", "/policies/sources", 303, source=str(source), action="read")
    desk.page("ana", "POST", "/policies/sources", 303, source=str(source), action="end")
    assert "None." in desk.page("vi", "GET", "/policies/sources")


def test_a_head_is_approved_by_somebody_else_than_its_author(desk: Desk) -> None:
    with desk.service.database.write() as link:
        repository = {"name": "r", "clone_url": "https://forge.test/r.git", "created_at": 1, "default_branch": "main"}
        number = link.execute(tables.repository.insert().returning(tables.repository.c.id), repository).scalar_one()
        subject = {
            "kind": "branch",
            "key": f"{number}:refs/heads/main",
            "name": "r main",
            "ref": "refs/heads/main",
            "created_at": 1,
            "repository": number,
        }
        of = link.execute(tables.subject.insert().returning(tables.subject.c.id), subject).scalar_one()
        trigger = (
            '{"kind":"push","repository":{"name":"r","clone_url":"https://forge.test/r.git"},"ref":"refs/heads/main",'
            f'"after":"{"a" * 40}","actor":"ana"}}'
        )
        row = {"subject": of, "trigger": "push", "trigger_details": trigger, "queued_at": 1, "finished_at": 2, "state": "fail"}
        row |= {"head": "a" * 40, "actor": "ana"}
        made = link.execute(tables.assessment.insert().returning(tables.assessment.c.id), row).scalar_one()
    path = f"/assessments/{made}/approvals"
    assert "own change" in desk.ask("ana", "POST", path, {"rule": "base/big", "reason": "mine"}, status=409)["detail"]
    desk.ask("bo", "POST", path, {"rule": "base/big", "reason": " "}, status=400)
    assert desk.ask("bo", "POST", path, {"rule": "base/big", "reason": "read it"}, status=201)["items"][0]["actor"] == "bo"
    desk.ask("bo", "POST", path, {"rule": "base/big", "reason": "again"}, status=409)
    newest = desk.ask("vi", "GET", "/assessments")["items"][0]
    assert (newest["state"], newest["head"], newest["cause"]) == ("queued", "a" * 40, f"approval of assessment {made}")
