"""Endorsements by the API and on pages: found, taken along, verified, asked for, approved; each only for those who may."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.assess.conftest import Once
from tests.endorsing.conftest import WITH_LOCK, Endorsing
from tests.server.api.conftest import BLUE, PEOPLE, identify

from assaymark.endorsement import bundle, dsse, keys, statement
from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.server.app import make_app
from assaymark.server.work.handlers import handler
from assaymark.store import tables

API = "/api/v1"
_CASES = b'<testcase classname="a" name="one"/><testcase name="two"/>'
JUNIT = b'<?xml version="1.0"?><testsuites><testsuite name="s">' + _CASES + b"</testsuite></testsuites>"
_ELSEWHERE = (
    b'{"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "x", "digest": {"sha256": "00"}}],'
    b' "predicateType": "p", "predicate": {}}'
)
FAILING = JUNIT.replace(b'<testcase name="two"/>', b'<testcase name="two"><failure message="no"/></testcase>')
PEOPLE.setdefault("security", Principal(PersonId(4), "security", (Grant(Role.SECURITY),)))
PEOPLE.setdefault("job", Principal(PersonId(5), "job", (Grant(Role.DEVELOPER),)))


class Front:
    """Requests of somebody."""

    def __init__(self, client: TestClient, shop: Endorsing) -> None:
        self.client, self.shop = client, shop

    def ask(self, method: str, path: str, who: str = "admin", **more: Any) -> Any:
        return self.client.request(method, path if path.startswith(("/e", "/t", "/c")) and method == "PAGE" else f"{API}{path}",
                                   headers={"Authorization": f"Bearer {who}", **more.pop("headers", {})}, **more)  # fmt: skip

    def get(self, path: str, who: str = "admin", **params: Any) -> Any:
        answer = self.ask("GET", path, who, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def page(self, path: str, who: str = "admin") -> str:
        answer = self.client.get(path, headers={"Authorization": f"Bearer {who}"})
        assert answer.status_code == 200, (answer.status_code, answer.text[:2000])
        return answer.text

    def work(self) -> None:
        for job in self.shop.jobs("endorse"):
            handler(job.kind)(self.shop.service, job.arguments, Once())
            with self.shop.service.database.write() as link:
                self.shop.service.queue.cancel(link, job.key)


@pytest.fixture
def front(lite: Endorsing) -> Iterator[Front]:
    with lite.service.database.write() as link:
        for number, login in ((1, "admin"), (2, "viewer"), (3, "developer"), (4, "security"), (5, "job")):
            link.execute(tables.person.insert(), {"id": number, "login": login, "handle": login.encode(), "created_at": 1})
        for number, slug in ((1, "blue"), (2, "red")):
            link.execute(tables.team.insert(), {"id": number, "slug": slug, "name": slug, "created_at": 1})
    settings = msgspec.structs.replace(lite.service.settings, rate=10_000_000, public_rate=10_000_000)
    lite.service = msgspec.structs.replace(lite.service, settings=settings)
    with TestClient(make_app(lite.service, identify=identify), base_url="http://127.0.0.1:8750", follow_redirects=False) as client:
        yield Front(client, lite)


def test_a_job_asks_the_server_signs_and_anybody_verifies(front: Front) -> None:
    number = front.shop.passes(**WITH_LOCK)
    head = front.shop.row(number).head
    asked = front.ask("POST", "/endorsements", "job", json={"digest": head})
    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    front.work()
    made = front.ask("POST", "/endorsements", "job", json={"assessment": number}).json()
    assert made["state"] == "endorsed"
    answer = front.get("/verification", digest=f"gitCommit:{head}", level="ORG_SOURCE_QUALITY_APPROVED")
    assert answer["ok"], answer["refused"]
    assert answer["id"] == made["endorsement"]
    assert answer["approval"]["verificationResult"] == "PASSED"
    assert not front.get("/verification", digest=f"gitCommit:{head}", level="SLSA_SOURCE_LEVEL_3")["ok"]
    assert front.get("/verification", digest="sha256:" + "0" * 64)["refused"][0]["reason"] == "no-endorsement"
    assert front.ask("GET", "/verification", params={"digest": head}).status_code == 400


def test_bundles_are_taken_along_in_both_forms(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes())
    answer = front.ask("GET", f"/endorsements/{row.digest}/bundle")
    assert answer.headers["content-type"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    one = json.loads(answer.content)
    assert one["mediaType"] == bundle.MEDIA_TYPE
    assert one["verificationMaterial"]["publicKey"]["hint"].startswith("SHA256:")
    lines = front.ask("GET", f"/endorsements/{row.id}/bundle", params={"form": "intoto"}).content
    assert bundle.read(lines) == bundle.read(answer.content)
    assert lines.count(b"\n") == 1
    assert front.ask("GET", f"/endorsements/{row.id}/bundle", params={"signature": 1}).status_code == 404
    assert statement.read(base64.b64decode(json.loads(lines)["payload"])).subject[0].digest["gitCommit"] == row.head


def test_of_several_signatures_each_has_its_bundle(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes())
    envelope = bundle.read(front.shop.service.blobs.get(row.bundle))
    payload = dsse.payload_of(envelope)
    two = dsse.sign(envelope.payload_type, payload, *(keys.private_key(keys.new_key()[0]) for _ in range(2)))
    blob = front.shop.service.blobs.put(bundle.written(two))
    with front.shop.service.database.write() as link:
        link.execute(tables.endorsement.update().values(bundle=blob))
    found = [front.ask("GET", f"/endorsements/{row.id}/bundle", params={"signature": each}).json() for each in (0, 1)]
    assert [len(each["dsseEnvelope"]["signatures"]) for each in found] == [1, 1]
    assert len(front.get(f"/attestations/gitCommit:{row.head}")["attestations"]) == 2


def test_lists_by_digest_have_the_shape_of_githubs(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes())
    one = front.get(f"/attestations/gitCommit:{row.head}")["attestations"]
    assert one[0]["bundle"]["mediaType"] == bundle.MEDIA_TYPE
    assert one[0]["bundle_url"].endswith(f"/api/v1/endorsements/{row.digest}/bundle")
    none = "sha256:" + "0" * 64
    asked = {"subject_digests": [f"gitCommit:{row.head}", none]}
    many = front.ask("POST", "/attestations/bulk-list", json=asked).json()["attestations_subject_digests"]
    assert [len(many[each]) for each in asked["subject_digests"]] == [1, 0]
    assert front.ask("POST", "/attestations/bulk-list", json={"subject_digests": []}).status_code == 400
    assert front.ask("POST", "/attestations/bulk-list", json={"subject_digests": [none] * 201}).status_code == 400


def test_a_detail_says_what_it_rests_on(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes(**WITH_LOCK))
    found = front.get(f"/endorsements/{row.digest}")
    assert f"gitCommit:{row.head}" in found["digests"]
    assert found["log_number"] == 0
    assert len(found["packages"]) == 1
    assert {each["predicate"] for each in found["evidence"]} == {"https://assaymark.dev/verdict/v1", "https://cyclonedx.org/bom"}
    assert found["verification"]["ok"]
    listed = front.get("/endorsements", digest=row.head, valid=True, package_set=found["packages"][0])["items"]
    assert [each["digest"] for each in listed] == [row.digest]


def test_evidence_that_a_job_brings_is_named(front: Front) -> None:
    number = front.shop.passes()
    digest = f"gitCommit:{front.shop.row(number).head}"
    brought = front.ask("POST", "/evidence", "job", params={"digest": digest, "name": "unit"}, content=JUNIT).json()
    assert (brought["predicate"], brought["failures"]) == ("https://in-toto.io/attestation/test-result/v0.1", 0)
    assert front.ask("POST", "/evidence", "job", params={"digest": digest, "name": "unit"}, content=JUNIT).json()["id"] == brought["id"]
    row = front.shop.endorsed_one(number)
    claims = front.get(f"/endorsements/{row.digest}")["verification"]["approval"]
    named = [each["digest"]["sha256"] for each in claims["inputAttestations"]]
    assert brought["digest"].partition(":")[2] in named
    kept = statement.read(front.ask("GET", f"/evidence/{brought['digest']}").content)
    assert kept.predicate["result"] == "PASSED"
    assert kept.predicate["passedTests"] == ["a.one", "two"]
    assert [each["digest"] for each in front.get("/evidence", digest=digest)["items"]][-1] == brought["digest"]


def test_tests_that_failed_keep_it_from_being_endorsed_until_newer_ones_passed(front: Front) -> None:
    number = front.shop.passes()
    digest = f"gitCommit:{front.shop.row(number).head}"

    def bring(content: bytes, name: str) -> None:
        assert front.ask("POST", "/evidence", "job", params={"digest": digest, "name": name}, content=content).status_code == 201

    bring(JUNIT, "unit")
    bring(FAILING, "end-to-end")
    refused = front.ask("POST", "/endorsements", "job", json={"assessment": number})
    assert refused.status_code == 409
    assert "1 of its tests failed (end-to-end)" in refused.text
    assert front.shop.endorse(number) is None
    bring(JUNIT, "end-to-end")
    assert front.shop.endorse(number) is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no evidence"),
        (b"{", "no evidence"),
        (b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}', "twice"),
        (b'{"some": "json"}', "none that is known"),
        (b"<html/>", "0 test cases"),
        (b"<testsuite>", "no XML"),
        (b"<testsuite/>", "0 test cases"),
        (b'<!DOCTYPE t [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>', "document type"),
        (b"<testsuite>" + b"<testsuite>" * 200 + b"<testcase/>" + b"</testsuite>" * 201, "nested too deep"),
        (_ELSEWHERE, "something else"),
        (b'{"_type": "https://in-toto.io/Statement/v1", "subject": 7}', "no in-toto statement"),
    ],
)  # fmt: skip
def test_what_is_no_evidence_is_refused_with_the_reason(front: Front, content: bytes, why: str) -> None:
    answer = front.ask("POST", "/evidence", "job", params={"digest": "sha256:" + "0" * 64}, content=content)
    assert (answer.status_code, why in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("digest", ["", "0" * 64, "sha256:xyz", "sha256:" + "A" * 64, "md5:" + "0" * 32, "gitCommit:" + "0" * 39, "\x00"])
def test_evidence_is_about_a_whole_digest(front: Front, digest: str) -> None:
    assert front.ask("POST", "/evidence", "job", params={"digest": digest}, content=JUNIT).status_code == 400


def test_what_failed_is_refused_and_what_is_not_there_is_not_there(front: Front) -> None:
    before = front.shop.passes()
    number = front.shop.push(front.shop.origin.commit("bad", app=front.shop.bad), before=front.shop.row(before).head)
    front.shop.assess(number)
    for body in ({"assessment": number}, {"digest": front.shop.row(number).head}):
        answer = front.ask("POST", "/endorsements", json=body)
        assert (answer.status_code, "only a pass is endorsed" in answer.text) == (409, True), answer.text
    assert front.ask("POST", "/endorsements", json={"assessment": 10**9}).status_code == 404
    assert front.ask("POST", "/endorsements", json={"digest": "0" * 40}).status_code == 404
    for body in ({}, {"assessment": number, "digest": "0" * 40}, {"key": "mine"}):
        assert front.ask("POST", "/endorsements", json=body).status_code == 400


def test_another_team_sees_and_asks_nothing(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes())  # of no team
    assert front.get("/endorsements", "viewer")["items"] == []
    assert front.ask("GET", f"/endorsements/{row.digest}", "viewer").status_code == 404
    assert front.ask("GET", f"/endorsements/{row.digest}/bundle", "viewer").status_code == 404
    assert front.get(f"/attestations/gitCommit:{row.head}", "viewer")["attestations"] == []
    assert front.get("/verification", "viewer", digest=f"gitCommit:{row.head}")["refused"][0]["reason"] == "no-endorsement"
    assert front.ask("POST", "/endorsements", "developer", json={"digest": row.head}).status_code == 404
    assert front.get("/trace", "viewer", q=row.head)["endorsements"] == []


def test_people_approve_by_the_api(front: Front) -> None:
    front.ask("PUT", "/endorsing-terms", json={"people": 1, "days": 5})
    number = front.shop.passes()
    front.ask("POST", "/endorsements", "job", json={"assessment": number})
    front.work()
    waiting = front.ask("POST", "/endorsements", "job", json={"assessment": number}).json()
    assert waiting["state"] == "waiting"
    request = waiting["request"]
    assert [each["id"] for each in front.get("/endorsement-requests", state="waiting")["items"]] == [request]
    assert [each["id"] for each in front.get("/queue/manager", "security")["approvals"]] == [request]
    assert front.ask("POST", f"/endorsement-requests/{request}/approve", "job", json={}).status_code == 403
    assert front.ask("POST", f"/endorsement-requests/{request}/decline", "security", json={}).status_code == 400
    done = front.ask("POST", f"/endorsement-requests/{request}/approve", "security", json={"reason": "looked at it"}).json()
    assert done["state"] == "approved"
    front.work()
    assert front.get("/endorsements")["items"][0]["approved_by"] == ["security"]
    assert front.get("/queue/manager", "security")["approvals"] == []


def test_terms_are_of_the_server_or_of_a_team(front: Front) -> None:
    assert front.get("/endorsing-terms") == {
        "terms": {"automatic": False, "days": 30, "environments": [], "people": 0}, "is_own": False,
    }  # fmt: skip
    front.ask("PUT", "/endorsing-terms", params={"team": 1}, json={"automatic": True, "people": 2})
    assert front.get("/endorsing-terms", team=1)["terms"]["people"] == 2
    assert front.get("/endorsing-terms", team=2)["is_own"] is False
    assert front.ask("DELETE", "/endorsing-terms", params={"team": 1}).status_code == 204
    assert front.get("/endorsing-terms", team=1)["terms"]["people"] == 0
    for wrong in ({"days": 0}, {"days": 400}, {"people": -1}, {"people": 10}, {"environments": [""]}, {"other": 1}):
        assert front.ask("PUT", "/endorsing-terms", json=wrong).status_code == 400, wrong
    assert front.ask("PUT", "/endorsing-terms", "security", json={}).status_code == 403
    assert BLUE == 1


def test_the_trace_ends_in_an_endorsement(front: Front) -> None:
    row = front.shop.endorsed_one(front.shop.passes())
    tree = front.shop.origin.git("rev-parse", "HEAD^{tree}")
    for asked in (row.head, row.head[:12], f"gitCommit:{row.head}", row.digest, tree):
        if asked.startswith("gitCommit"):
            continue
        found = front.get("/trace", q=asked)
        assert [each["digest"] for each in found["endorsements"]] == [row.digest], asked
        assert [each["commit"] for each in found["commits"]] == [row.head], asked
        assert found["endorsement"] == "it is endorsed"
        assert found["checks"], asked


def test_pages_show_what_the_api_says(front: Front) -> None:
    assert "Nothing is endorsed yet" in front.page("/endorsements")
    number = front.shop.passes(**WITH_LOCK)
    assert "Have it endorsed" in front.page(f"/changes/{number}")
    token = {"Authorization": "Bearer admin"}
    sent = front.client.post("/endorsements", headers=token, data={"assessment": str(number)})
    assert (sent.status_code, sent.headers["location"]) == (303, "/endorsements?asked=yes")
    front.work()
    row = front.shop.endorsed(number)
    assert row is not None
    assert row.head[:40] in front.page("/endorsements")
    shown = front.page(f"/endorsements/{row.digest}")
    for word in ("approved", row.digest, f"gitCommit:{row.head}", "ORG_SOURCE_QUALITY_APPROVED", "line 0", "https://cyclonedx.org/bom"):
        assert word in shown, word
    assert row.digest in front.page(f"/changes/{number}")
    assert row.digest in front.page(f"/trace?q={row.head}")
    assert front.client.get(f"/endorsements/{row.digest}/bundle", headers=token).json()["mediaType"] == bundle.MEDIA_TYPE
    assert "No endorsement fits" in front.page("/endorsements?standing=ended+or+taken+back")


def test_people_approve_on_pages(front: Front) -> None:
    token = {"Authorization": "Bearer admin"}
    form = {"people": "1", "days": "5", "environments": "staging\nproduction", "team": ""}
    assert front.client.post("/endorsing-terms", headers=token, data=form).status_code == 303
    assert "production" in front.page("/endorsing-terms")
    number = front.shop.passes()
    front.client.post("/endorsements", headers={"Authorization": "Bearer job"}, data={"assessment": str(number)})
    front.work()
    assert "Waits for my approval" in front.page("/?for=manager", "security")
    request = front.get("/endorsement-requests")["items"][0]["id"]
    assert "Approve" in front.page(f"/endorsement-requests/{request}", "security")
    security = {"Authorization": "Bearer security"}
    empty = front.client.post(f"/endorsement-requests/{request}/answer", headers=security, data={"do": "decline"})
    assert (empty.status_code, "the reason is missing" in empty.text or "say why not" in empty.text) == (400, True)
    done = front.client.post(f"/endorsement-requests/{request}/answer", headers=security, data={"do": "approve"})
    assert done.status_code == 303
    front.work()
    assert front.get("/endorsements")["items"][0]["environments"] == ["staging", "production"]
    assert "Endorsed" in front.page(f"/endorsement-requests/{request}", "security")
    for wrong in ({"days": "0"}, {"days": "x"}, {"people": "99"}, {"team": "x"}):
        assert front.client.post("/endorsing-terms", headers=token, data={**form, **wrong}).status_code == 400


def test_posture_tells_how_much_of_what_runs_is_endorsed(front: Front) -> None:
    from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind  # noqa: PLC0415

    assert front.get("/figures")["figures"]["endorsed"] is None
    first = front.shop.endorsed_one(front.shop.passes())
    second = front.shop.row(front.shop.passes("second", app=front.shop.fine + b"\n")).head
    for name, commit in (("production", first.head), ("staging", second)):
        front.shop.accept(Trigger(TriggerKind.DEPLOYMENT, front.shop.remote, SubjectKind.ENVIRONMENT, ref=name, after=commit, actor="ada"))
    assert front.get("/figures")["figures"]["endorsed"] == {"running": 2, "endorsed": 1}
    assert "1 of 2" in front.page("/posture")
