"""VEX in and out: what a document says is decided once and taken back by a later one; what is given out is understood again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.server.decisions.test_decisions_api import decide, last_day
from tests.server.voices.conftest import House
from tests.store.recording_samples import verdict

from assaymark.errors import UsageError
from assaymark.model.assessment import SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Kind, Layer, Place, RuleClassId, RuleId, Witness
from assaymark.model.identity import fingerprint
from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Judged, State
from assaymark.server.service import Service
from assaymark.server.work import vexing
from assaymark.store import tables as t
from assaymark.store.recording import Recording, record
from assaymark.verdict.vex import parse_vex


@pytest.fixture
def house(service: Service) -> House:
    return House(service)


def hole(package: str, advisory: str, cve: str, version: str) -> Judged:
    core = Core(Kind.COMPONENT, RuleClassId("vulnerable-dependency"), (package, advisory))
    made = Finding(
        fingerprint=fingerprint(core, "scope/1"), core=core, place=Place("package-lock.json", 4), layer=Layer.APPLICATION,
        severity=Severity.HIGH, confidence=Confidence.HIGH,
        witnesses=(Witness(CheckId("ruff"), RuleId("dependencies/vulnerable"), f"{package} has a hole"),),
        input=Digest("git-sha1:" + "a" * 40), notes=(("version", version), ("also known as", cve)),
    )  # fmt: skip
    return Judged(made, State.KNOWN)


def held(house: House) -> int:
    subject = house.subject(house.blue)
    rows = [hole("pkg:npm/left-pad", "GHSA-1", "CVE-2026-1", "1.0.0"), hole("pkg:npm/right-pad", "GHSA-2", "CVE-2026-2", "2.0.0")]
    with house.service.database.write() as link:
        record(link, Recording(None, SubjectId(subject), verdict(*rows), "", whole=True, at=house.service.now()))
    return subject


def waived(house: House, subject: int) -> int:
    with house.service.database.read() as link:
        return int(link.execute(sa.select(t.subject.c.waived).where(t.subject.c.id == subject)).scalar_one())


def openvex(house: House, status: str = "not_affected", days: int = 0, **more: Any) -> bytes:
    when = dt.datetime.fromtimestamp(house.service.now() / 1e6, dt.UTC) - dt.timedelta(days=days)
    row = {
        "vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/left-pad@1.0.0"}], "status": status,
        "justification": "vulnerable_code_not_in_execute_path", "impact_statement": "only pad() is called", **more,
    }  # fmt: skip
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "author": "vendor", "timestamp": when.isoformat(), "statements": [row]}
    return json.dumps(document).encode()


def cyclonedx(house: House, state: str = "not_affected", ref: str = "c1") -> bytes:
    when = dt.datetime.fromtimestamp(house.service.now() / 1e6, dt.UTC).isoformat()
    return json.dumps(
        {
            "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"timestamp": when, "authors": [{"name": "vendor"}]},
            "components": [{"type": "library", "name": "left-pad", "bom-ref": "c1", "purl": "pkg:npm/left-pad@1.0.0"}],
            "vulnerabilities": [
                {
                    "id": "CVE-2026-1", "affects": [{"ref": ref}],
                    "analysis": {"state": state, "justification": "code_not_reachable", "detail": "only pad() is called"},
                }
            ],
        }
    ).encode()  # fmt: skip


@pytest.mark.parametrize("make", [openvex, cyclonedx])
def test_a_document_is_decided_once_and_taken_back_by_a_later_one(house: House, make: Any) -> None:
    subject = held(house)
    sec = house.signed_in("sec")
    first = sec.post(f"/api/v1/vex?subject={subject}", content=make(house)).json()
    assert (first["made"], first["changed"], waived(house, subject)) == (1, 1, 1)
    assert sec.post(f"/api/v1/vex?subject={subject}", content=make(house)).json()["already"] == 1
    (row,) = sec.get("/api/v1/decisions").json()["items"]
    assert (row["kind"], row["owner"], row["source"]) == ("not-affected", "vendor", "vex")
    assert row["justification"] == "vulnerable_code_not_in_execute_path"
    assert row["reason"] == "only pad() is called"
    back = sec.post(f"/api/v1/vex?subject={subject}", content=make(house, "affected" if make is openvex else "exploitable")).json()
    assert (back["withdrawn"], back["undecided"], waived(house, subject)) == (1, 1, 0)


def test_a_statement_about_another_version_covers_nothing(house: House) -> None:
    subject = held(house)
    sec = house.signed_in("sec")
    other = openvex(house, products=[{"@id": "pkg:npm/left-pad@9.9.9"}])
    assert sec.post(f"/api/v1/vex?subject={subject}", content=other).json()["changed"] == 0
    assert waived(house, subject) == 0


def test_a_statement_that_is_too_old_is_said_and_not_decided(house: House) -> None:
    subject = held(house)
    done = house.signed_in("sec").post(f"/api/v1/vex?subject={subject}", content=openvex(house, days=400)).json()
    assert (done["made"], done["undecided"]) == (0, 1)
    assert "renew its timestamp" in done["notes"][0]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b"\xff\xfe", b'{"bomFormat":"CycloneDX"}',
        b'{"bomFormat":"CycloneDX","vulnerabilities":[{"analysis":{"state":"x"}}]}',
        b'{"@context":"https://example.org"}', b'{"a":' * 5000, b'{"@context":"https://openvex.dev/ns","statements":[{"vulnerability":"x"}]}',
        b'{"bomFormat":"CycloneDX","vulnerabilities":[{"id":"C","analysis":{"state":"resolved"},"affects":[{"ref":"x"}]}]}',
    ],
)  # fmt: skip
def test_what_is_no_vex_is_refused_and_changes_nothing(house: House, data: bytes) -> None:
    subject = held(house)
    answer = house.signed_in("sec").post(f"/api/v1/vex?subject={subject}", content=data)
    assert answer.status_code == 400, answer.text
    assert answer.json()["title"]
    assert waived(house, subject) == 0


def test_more_than_is_read_at_once_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vexing, "MOST_STATEMENTS", 1)
    with pytest.raises(UsageError, match="too much"):
        vexing.read(openvex(house, products=[{"@id": "pkg:npm/a"}, {"@id": "pkg:npm/b"}]))


def test_what_is_given_out_says_what_was_decided_and_is_understood_again(house: House) -> None:
    subject, other = held(house), held(house)
    sec = house.signed_in("sec")
    more = {"kind": "not-affected", "justification": "component_not_present", "reason": "left out of the build"}
    decide(sec, house, {"advisory": "CVE-2026-1", "subject": subject}, **more)
    decide(sec, house, {"package": "pkg:npm/right-pad", "subject": subject}, kind="accept")
    text = sec.get(f"/api/v1/subjects/{subject}/vex", params={"author": "us"}).content
    assert text == sec.get(f"/api/v1/subjects/{subject}/vex", params={"author": "us"}).content
    document = json.loads(text)
    rows = {row["vulnerability"]["name"]: row for row in document["statements"]}
    assert rows["GHSA-1"]["status"] == "not_affected"
    assert rows["GHSA-1"]["justification"] == "component_not_present"
    assert rows["GHSA-1"]["vulnerability"]["aliases"] == ["CVE-2026-1"]
    assert rows["GHSA-2"]["status"] == "affected"
    assert f"until {last_day(house)}" in rows["GHSA-2"]["action_statement"]
    assert len(parse_vex(text, "ours")) == 2
    done = sec.post(f"/api/v1/vex?subject={other}", content=text).json()
    assert (done["made"], waived(house, other)) == (1, 1)
    cyclone = json.loads(sec.get(f"/api/v1/subjects/{subject}/vex", params={"form": "cyclonedx"}).content)
    states = {row["id"]: row["analysis"]["state"] for row in cyclone["vulnerabilities"]}
    assert states == {"GHSA-1": "not_affected", "GHSA-2": "exploitable"}
    assert cyclone["vulnerabilities"][0]["affects"] == [{"ref": "pkg:npm/left-pad@1.0.0"}]
    assert msgspec.json.encode(vexing.read(json.dumps(cyclone).encode()))


def test_what_nobody_decided_is_under_investigation(house: House) -> None:
    subject = held(house)
    rows = house.signed_in("ana").get(f"/api/v1/subjects/{subject}/vex").json()["statements"]
    assert {row["status"] for row in rows} == {"under_investigation"}
    assert house.signed_in("rob").get(f"/api/v1/subjects/{subject}/vex").status_code == 404
