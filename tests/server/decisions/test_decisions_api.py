"""Decisions by the API: who may, what follows in the verdicts, many at once, requests and their answers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.server.voices.conftest import House
from tests.store.recording_samples import seen, verdict

from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, Outcome, PolicyTerms, Reason, ReasonKind, State, Verdict
from assaymark.server.service import Service
from assaymark.server.work import deciding as work
from assaymark.store import decisions, trail
from assaymark.store import tables as t
from assaymark.store.recording import Recording, record
from assaymark.views.encoding import packed

DAY = decisions.DAY


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


@pytest.fixture
def house(service: Service) -> House:
    return House(service)


def last_day(house: House, days: int = 30) -> str:
    return (decisions.day_of(house.service.now()) + dt.timedelta(days=days)).isoformat()


def judged(house: House, subject: int, *findings: Judged, kind: str = "branch") -> AssessmentId:
    """Record a verdict that fails for every new one."""
    stopping = [one for one in findings if one.gates]
    reasons = tuple(
        Reason(ReasonKind.NEW_FINDING, one.finding.message, "mend it", stops=True, finding=one.finding.fingerprint,
               path=one.finding.place.path, line=one.finding.place.line)
        for one in stopping
    )  # fmt: skip
    made: Verdict = msgspec.structs.replace(
        verdict(*findings, outcome=Outcome.FAIL if stopping else Outcome.PASS), reasons=reasons,
        terms=PolicyTerms(unproven_stops=True, waiver_days=365, approver_required=False),
    )  # fmt: skip
    service = house.service
    blob = service.blobs.put(packed(made))
    with service.database.write() as link:
        team = link.execute(sa.select(t.subject.c.team).where(t.subject.c.id == subject)).scalar()
        row = {"subject": subject, "team": team, "state": "running", "trigger": "push", "queued_at": service.now(), "head": "c" * 40}
        row["trigger_details"] = '{"kind":"push"}'
        number = AssessmentId(link.execute(t.assessment.insert().values(row).returning(t.assessment.c.id)).scalar_one())
        assert record(link, Recording(number, SubjectId(subject), made, blob, whole=True, at=service.now()))
    return number


def new(name: str, path: str = "a.py", severity: Severity = Severity.HIGH) -> Judged:
    return msgspec.structs.replace(seen(name, path, severity=severity, state=State.NEW), gates=True)


def decide(client: TestClient, house: House, scope: dict[str, Any], **more: Any) -> Any:
    body = {"kind": "accept", "scope": scope, "reason": "behind the wall", "until": last_day(house), **more}
    return client.post("/api/v1/decisions", json=body)


def open_of(house: House, subject: int) -> tuple[int, int, str]:
    s = t.subject.c
    with house.service.database.read() as link:
        row = link.execute(sa.select(s.open_high, s.waived, s.state).where(s.id == subject)).one()
    return (row.open_high, row.waived, row.state)


def work_off(house: House) -> None:
    """Run what a decision left to do."""
    for _ in range(10):
        with house.service.database.read() as link:
            rows = link.execute(sa.select(t.subject.c.id)).scalars().all()
        before = _assessments(house)
        for number in rows:
            work.judge_decided(house.service, {"subject": number}, Attempt())
        if _assessments(house) == before:
            return


def _assessments(house: House) -> int:
    with house.service.database.read() as link:
        return int(link.execute(sa.select(sa.func.count()).select_from(t.assessment)).scalar_one())


def test_a_decision_lets_through_at_once_and_the_verdict_of_the_head_follows(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"), new("y", "b.py"))
    sec = house.signed_in("sec")
    answer = decide(sec, house, {"rule": "sql-injection", "subject": subject})
    assert (answer.status_code, answer.json()["changed"]) == (201, 2), answer.text
    assert open_of(house, subject) == (0, 2, "fail")
    work_off(house)
    assert open_of(house, subject) == (0, 2, "pass")
    number = answer.json()["id"]
    assert [row["path"] for row in sec.get(f"/api/v1/decisions/{number}/covered").json()["items"]] == ["a.py", "b.py"]
    with house.service.database.read() as link:
        last = link.execute(sa.select(t.assessment).order_by(t.assessment.c.id.desc()).limit(1)).one()
    said = msgspec.json.decode(house.service.blobs.get(Digest(last.verdict)), type=Verdict)
    assert (last.trigger, last.cause, said.outcome) == ("decision", f"decision {number}", Outcome.PASS)
    assert [reason.kind for reason in said.reasons] == [ReasonKind.DECIDED, ReasonKind.DECIDED]
    assert sec.post(f"/api/v1/decisions/{number}/withdraw", json={"reason": "the wall is gone"}).json() == {"changed": 2}
    work_off(house)
    assert open_of(house, subject) == (2, 0, "fail")
    assert sec.post(f"/api/v1/decisions/{number}/withdraw", json={"reason": "again"}).status_code == 400


def test_a_decision_that_changes_nothing_of_a_verdict_makes_no_other(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    before = _assessments(house)
    decide(house.signed_in("sec"), house, {"rule": "another", "subject": subject})
    work_off(house)
    assert _assessments(house) == before


def test_what_is_over_ends_by_the_clock_and_is_told(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    assert (
        decide(house.signed_in("sec"), house, {"rule": "sql-injection", "subject": subject}, until=last_day(house, 10)).status_code == 201
    )
    work_off(house)
    now = house.service.now()
    work.end_decisions(house.service, {}, Attempt())
    later = msgspec.structs.replace(house.service, now=lambda: Instant(now + 12 * DAY))
    work.end_decisions(later, {}, Attempt())
    work.end_decisions(later, {}, Attempt())
    assert open_of(house, subject)[:2] == (1, 0)
    work.judge_decided(later, {"subject": subject}, Attempt())
    assert open_of(house, subject) == (1, 0, "fail")
    with house.service.database.read() as link:
        kinds = link.execute(sa.text("SELECT kind FROM happening ORDER BY id")).scalars().all()
    assert [kind for kind in kinds if kind.startswith("decision")] == ["decision.made", "decision.ending", "decision.ended"]


def test_nobody_approves_his_own(house: House) -> None:
    subject = house.subject(house.blue)
    sec, top = house.signed_in("sec"), house.signed_in("top")
    number = decide(sec, house, {"rule": "sql-injection", "subject": subject}, owner="top").json()["id"]
    for client in (sec, top):  # one made it, the other answers for it
        refused = client.post(f"/api/v1/decisions/{number}/approve")
        assert (refused.status_code, "nobody approves his own" in refused.text) == (400, True)
    other = decide(sec, house, {"rule": "sql-injection", "subject": subject}).json()["id"]
    assert top.post(f"/api/v1/decisions/{other}/approve").status_code == 200
    row = sec.get(f"/api/v1/decisions/{other}").json()
    assert (row["approved_by"], row["made_by"]) == ("top", "sec")


def test_only_who_may_decide_there_decides(house: House) -> None:
    ours, theirs = house.subject(house.blue), house.subject(house.red)
    sec = house.signed_in("sec")
    assert decide(sec, house, {"rule": "r", "subject": theirs}).status_code == 404
    assert (
        decide(sec, house, {"rule": "r", "subject": theirs}).json()["title"]
        == decide(sec, house, {"rule": "r", "subject": 99}).json()["title"]
    )
    assert decide(sec, house, {"rule": "r"}).status_code == 403
    assert decide(sec, house, {"rule": "r", "team": house.blue}).status_code == 201
    assert decide(house.signed_in("ana"), house, {"rule": "r", "subject": ours}).status_code == 403
    assert decide(house.signed_in("top"), house, {"rule": "r"}).status_code == 201
    listed = house.signed_in("rob").get("/api/v1/decisions").json()["items"]
    assert [row["about"] for row in listed] == ["rule r"]  # what is about everybody's is for everybody
    assert [row["team"] for row in listed] == [None]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"scope": {}}, "names nothing"),
        ({"until": "2020-01-01"}, "is over"),
        ({"until": "2999-01-01"}, "days away"),
        ({"reason": "  "}, "reason"),
        ({"kind": "not-affected"}, "justification"),
        ({"justification": "component_not_present"}, "only not-affected"),
        ({"scope": {"path": "**"}}, "path alone"),
        ({"scope": {"rule": "r", "colour": "red"}}, "colour"),
        ({"owner": "a\u202eb"}, "owner"),
    ],
)
def test_what_makes_no_decision_is_said(house: House, change: dict[str, Any], word: str) -> None:
    body = {"kind": "accept", "scope": {"rule": "r"}, "reason": "because", "until": last_day(house), **change}
    answer = house.signed_in("top").post("/api/v1/decisions", json=body)
    assert answer.status_code == 400, answer.text
    assert word in answer.text


def test_each_step_is_in_the_trail(house: House) -> None:
    sec, top = house.signed_in("sec"), house.signed_in("top")
    number = decide(sec, house, {"rule": "r", "team": house.blue}).json()["id"]
    top.post(f"/api/v1/decisions/{number}/approve")
    sec.post(f"/api/v1/decisions/{number}/withdraw", json={"reason": "over"})
    with house.service.database.read() as link:
        events = trail.page(link, trail.Filter(object_kind="decision"), before=None, limit=10)
        assert trail.verify(link, after=0, most=1000).broken_at is None
    assert [(event.action, event.actor) for event in reversed(events)] == [
        ("decision.made", "sec"), ("decision.approved", "top"), ("decision.withdrawn", "sec"),
    ]  # fmt: skip


def test_a_list_says_what_ends_soon_and_is_the_same_as_of_then(house: House) -> None:
    sec = house.signed_in("sec")
    soon = decide(sec, house, {"rule": "r", "team": house.blue}, until=last_day(house, 5)).json()["id"]
    later = decide(sec, house, {"rule": "s", "team": house.blue}, until=last_day(house, 50)).json()["id"]
    assert [row["id"] for row in sec.get("/api/v1/decisions", params={"ends_within": 14}).json()["items"]] == [soon]
    assert [row["id"] for row in sec.get("/api/v1/decisions").json()["items"]] == [later, soon]
    stamp = dt.datetime.fromtimestamp(house.service.now() / 1e6, dt.UTC).isoformat()
    first = sec.get("/api/v1/decisions", params={"as_of": stamp}).content
    house.at += 1_000_000
    sec.post(f"/api/v1/decisions/{soon}/withdraw", json={"reason": "over"})
    assert sec.get("/api/v1/decisions", params={"as_of": stamp}).content == first
    assert [row["id"] for row in sec.get("/api/v1/decisions", params={"standing": "withdrawn"}).json()["items"]] == [soon]


def test_a_renewal_is_another_decision_that_names_the_first(house: House) -> None:
    sec = house.signed_in("sec")
    first = decide(sec, house, {"rule": "r", "team": house.blue}).json()["id"]
    body = {"until": last_day(house, 100), "reason": "looked again"}
    second = sec.post(f"/api/v1/decisions/{first}/renew", json=body).json()["id"]
    row = sec.get(f"/api/v1/decisions/{second}").json()
    assert (row["renews"], row["until"], row["scope"]) == (first, body["until"], {"rule": "r", "team": house.blue})


# --- many at once ----------------------------------------------------------------------------------------------------


def test_many_are_decided_about_and_sent_again_nothing_twice(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, *(new(f"n{n}", f"{n}.py") for n in range(7)), new("other", "z.py", Severity.LOW))
    sec = house.signed_in("sec")
    body = {"kind": "false-positive", "reason": "a test", "until": last_day(house), "name": "first", "query": "severity=high"}
    done = sec.post("/api/v1/decisions/bulk", json=body).json()
    assert (done["made"], done["already"], done["refused"], done["changed"], done["more"]) == (7, 0, 0, 7, False)
    assert open_of(house, subject)[:2] == (0, 7)
    assert sec.post("/api/v1/decisions/bulk", json=body).json()["made"] == 0
    rows = sec.get("/api/v1/findings").json()["items"]
    again = sec.post("/api/v1/decisions/bulk", json={**body, "query": "", "ids": [row["id"] for row in rows] + [987654]}).json()
    assert (again["made"], again["already"], again["refused"]) == (1, 7, 1)
    assert again["why"] == [{"id": 987654, "why": "it is not here"}]


def test_of_many_only_those_are_decided_about_where_one_may(house: House) -> None:
    ours, theirs = house.subject(house.blue), house.subject(house.red)
    judged(house, ours, new("x"))
    judged(house, theirs, new("x"))
    with house.service.database.read() as link:
        ids = list(link.execute(sa.select(t.occurrence.c.id).order_by(t.occurrence.c.id)).scalars())
    body = {"kind": "waive", "reason": "later", "until": last_day(house), "name": "n", "ids": ids}
    done = house.signed_in("sec").post("/api/v1/decisions/bulk", json=body).json()
    assert (done["made"], done["refused"]) == (1, 1)
    assert (open_of(house, ours)[:2], open_of(house, theirs)[:2]) == ((0, 1), (1, 0))


@pytest.mark.parametrize("change", [{"ids": [1], "query": "a=b"}, {"ids": []}, {"query": "as_of=2026-01-01"}, {"query": "nonsense=1"}])
def test_a_triage_that_makes_no_sense_changes_nothing(house: House, change: dict[str, Any]) -> None:
    body = {"kind": "waive", "reason": "later", "until": last_day(house), "name": "n", **change}
    assert house.signed_in("top").post("/api/v1/decisions/bulk", json=body).status_code == 400


# --- requests --------------------------------------------------------------------------------------------------------


def asked(house: House, subject: int) -> tuple[int, int]:
    """(finding, request) of ana."""
    with house.service.database.read() as link:
        finding = link.execute(sa.select(t.occurrence.c.finding).where(t.occurrence.c.subject == subject)).scalars().first()
    body = {"kind": "waive", "reason": "the release is on Friday", "until": last_day(house), "subject": subject}
    answer = house.signed_in("ana").post(f"/api/v1/findings/{finding}/requests", json=body)
    assert answer.status_code == 201, answer.text
    return int(finding or 0), int(answer.json()["id"])


def test_a_request_is_granted_with_other_terms_and_the_asker_sees_it(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    finding, request = asked(house, subject)
    ana, sec = house.signed_in("ana"), house.signed_in("sec")
    assert ana.post(f"/api/v1/requests/{request}/answer", json={"grant": True, "reason": "yes"}).status_code == 403
    assert [row["id"] for row in sec.get("/api/v1/requests", params={"state": "waiting"}).json()["items"]] == [request]
    answer = sec.post(f"/api/v1/requests/{request}/answer", json={"grant": True, "reason": "one week", "until": last_day(house, 7)})
    assert (answer.status_code, answer.json()["state"]) == (200, "granted"), answer.text
    assert open_of(house, subject)[:2] == (0, 1)
    mine = ana.get("/api/v1/requests", params={"mine": True}).json()["items"]
    assert [(row["state"], row["answer"], row["answered_by"]) for row in mine] == [("granted", "one week", "sec")]
    made = ana.get(f"/api/v1/decisions/{mine[0]['decision']}").json()
    assert (made["owner"], made["approved_by"], made["until"], made["source"]) == ("ana", "sec", last_day(house, 7), "request")
    assert sec.post(f"/api/v1/requests/{request}/answer", json={"grant": False, "reason": "no"}).status_code == 409
    assert ana.get("/api/v1/requests", params={"finding": finding}).json()["items"][0]["id"] == request


def test_a_request_is_refused_with_a_reason_and_nothing_is_let_through(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    _, request = asked(house, subject)
    sec = house.signed_in("sec")
    assert sec.post(f"/api/v1/requests/{request}/answer", json={"grant": False, "reason": ""}).status_code == 400
    assert sec.post(f"/api/v1/requests/{request}/answer", json={"grant": False, "reason": "mend it"}).json()["state"] == "refused"
    assert open_of(house, subject)[:2] == (1, 0)
    with house.service.database.read() as link:
        kinds = link.execute(sa.text("SELECT kind FROM happening ORDER BY id")).scalars().all()
    assert [kind for kind in kinds if kind.startswith("request")] == ["request.asked", "request.answered"]


def test_nobody_answers_his_own_request(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    with house.service.database.read() as link:
        finding = link.execute(sa.select(t.occurrence.c.finding)).scalar()
    sec = house.signed_in("sec")
    body = {"kind": "waive", "reason": "not now", "until": last_day(house), "subject": subject}
    request = sec.post(f"/api/v1/findings/{finding}/requests", json=body).json()["id"]
    answer = sec.post(f"/api/v1/requests/{request}/answer", json={"grant": True, "reason": "yes"})
    assert (answer.status_code, answer.json()["title"]) == (403, "nobody answers his own request")


def test_a_finding_of_another_team_cannot_be_asked_about(house: House) -> None:
    subject = house.subject(house.blue)
    judged(house, subject, new("x"))
    finding, request = asked(house, subject)
    rob = house.signed_in("rob")
    body = {"kind": "waive", "reason": "let me", "until": last_day(house), "subject": subject}
    assert rob.post(f"/api/v1/findings/{finding}/requests", json=body).status_code == 404
    assert rob.get(f"/api/v1/requests/{request}").status_code == 404
    assert house.signed_in("aud").post(f"/api/v1/findings/{finding}/requests", json=body).status_code == 403
