"""Subjects, assessments, findings, search and imports as callers see them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.server.api.conftest import Make, on_both
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.checks.application.secrets.keys import Key
from assaymark.checks.settings import Secret
from assaymark.model.assessment import SubjectId
from assaymark.model.finding import Kind
from assaymark.model.verdict import State
from assaymark.server.service import Service
from assaymark.server.work.importing import import_report
from assaymark.server.work.surroundings import configuration
from assaymark.store.tables import audit_event, holding, job, occurrence, person
from assaymark.views.jsonout import document

ADMIN, VIEWER, DEVELOPER, ROBOT = ({"Authorization": f"Bearer {name}"} for name in ("admin", "viewer", "developer", "robot"))
"""Of all teams; of blue; of red; with a token for subjects alone."""
API = "/api/v1"
RED_SUBJECT = 2


def _sample(service: Service) -> tuple[SubjectId, SubjectId]:
    with service.database.write() as link:
        for login in ("admin", "viewer", "developer"):  # numbered like the callers of `conftest`
            link.execute(person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})
    blue, red = add_team(service.database, "blue"), add_team(service.database, "red")
    one = add_subject(service.database, "shop main", team=blue)
    other = add_subject(service.database, "bank main", team=red)
    tell(service.database, one, verdict(seen("x", "src/mail.py")), 10)
    tell(service.database, other, verdict(seen("x"), seen("y")), 20)
    return one, other


def test_lists_are_narrowed_to_what_the_caller_may_see(make: Make) -> None:
    made = make()
    _sample(made.service)
    counts = {}
    for name, who in (("admin", ADMIN), ("viewer", VIEWER), ("developer", DEVELOPER)):
        counts[name] = [
            len(made.client.get(API + path, headers=who).json()["items"]) for path in ("/subjects", "/assessments", "/findings")
        ]
    assert counts == {"admin": [2, 2, 3], "viewer": [1, 1, 1], "developer": [1, 1, 2]}


@pytest.mark.parametrize(
    "path",
    [
        "/subjects/2",
        "/subjects/2/posture",
        "/assessments/2",
        "/assessments/2/verdict",
        "/occurrences/2",
        "/findings/2",
        "/findings/2/places",
    ],
)
def test_what_is_anothers_is_not_there(make: Make, path: str) -> None:
    made = make()
    _sample(made.service)
    assert made.client.get(API + path, headers=VIEWER).status_code == 404
    assert made.client.get(API + path.replace("2", "99"), headers=ADMIN).status_code == 404
    if not path.endswith("verdict"):
        assert made.client.get(API + path, headers=DEVELOPER).status_code == 200


def test_a_token_for_subjects_sees_no_findings(make: Make) -> None:
    made = make()
    _sample(made.service)
    assert made.client.get(f"{API}/findings", headers=ROBOT).status_code == 403
    assert made.client.post(f"{API}/search", headers=ROBOT, json={"text": "x"}).status_code == 403
    assert made.client.get(f"{API}/subjects", headers=ROBOT).status_code == 200


@pytest.mark.parametrize("text", ["1970-01-01", "1970-01-01T00:00:00.000015Z", "1970-01-01T01:00:00.000015+01:00"])
def test_a_day_or_an_instant_can_be_asked(make: Make, text: str) -> None:
    made = make()
    _sample(made.service)
    rows = made.client.get(f"{API}/findings", headers=ADMIN, params={"as_of": text}).json()["items"]
    assert len(rows) == (3 if text == "1970-01-01" else 1)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "9999-12-31", "0000-00-00", "1970-01-01T99:00", "2026-05-03T00:00:00+99:99", "-1"]
)
def test_what_is_no_past_instant_is_refused(make: Make, text: str) -> None:
    made = make()
    answer = made.client.get(f"{API}/findings", headers=ADMIN, params={"as_of": text})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid")


def test_pages_go_on_where_they_ended(make: Make) -> None:
    made = make()
    _sample(made.service)
    for path in ("/findings", "/findings?order=newest", "/subjects", "/subjects?order=worst", "/subjects?order=judged", "/assessments"):
        found: list[int] = []
        after: str | None = None
        while True:
            answer = made.client.get(API + path, headers=ADMIN, params={"limit": 1} | ({"after": after} if after else {})).json()
            found += [row["id"] for row in answer["items"]]
            after = answer["next"]
            if after is None:
                break
        assert len(found) == len(set(found)) == (3 if "findings" in path else 2), path


def test_counts_and_facets_are_given_when_asked(make: Make) -> None:
    made = make()
    _sample(made.service)
    assert made.client.get(f"{API}/findings", headers=ADMIN, params={"count": "true"}).json()["at_least"] == 3
    facets = made.client.get(f"{API}/findings/facets", headers=ADMIN).json()
    assert (facets["severity"]["high"], facets["complete"]) == (3, True)
    assert made.client.get(f"{API}/posture", headers=ADMIN).json()["open"]["high"] == 3


# --- search ----------------------------------------------------------------------------------------------------------


def test_a_pasted_secret_is_found_and_kept_nowhere(make: Make) -> None:
    made = make()
    one, _ = _sample(made.service)
    value = "tok_" + "4711abcd" * 3
    key = Key(configuration(made.service).key)
    found = seen(key.id, kind=Kind.SECRET, rule="secrets/token", rule_class="provider-token")
    core = msgspec.structs.replace(found.finding.core, parts=(key.id, key.name_of(Secret(value.encode()))))
    found = msgspec.structs.replace(found, finding=msgspec.structs.replace(found.finding, core=core))
    tell(made.service.database, one, verdict(found, checks=("secrets",)), 30)
    for body in ({"text": value, "secret": True}, {"text": f" {value}\n"}):
        answer = made.client.post(f"{API}/search", headers=VIEWER | {"Idempotency-Key": "k"}, json=body).json()
        assert (answer["taken_for"], answer["finding_count"]) == (["secret"], 1)
    assert made.client.post(f"{API}/search", headers=DEVELOPER, json={"text": value, "secret": True}).json()["findings"] == []
    with made.service.database.read() as link:
        for table in sa.inspect(made.service.database.engine).get_table_names():
            if not table.startswith("occurrence_text"):
                assert value not in repr(link.execute(sa.text(f'SELECT * FROM "{table}"')).all()), table
        assert link.execute(sa.text("SELECT count(*) FROM remembered_answer")).scalar() == 0
    assert not [path for path in made.service.settings.data.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


@pytest.mark.parametrize("body", [{"text": ""}, {"text": "a" * 2001}, {"text": "x", "limit": 0}, {"text": "x", "more": 1}, {"text": 1}])
def test_a_question_that_is_none_is_refused(make: Make, body: dict[str, Any]) -> None:
    assert make().client.post(f"{API}/search", headers=ADMIN, json=body).status_code == 400


def test_without_advisories_nobody_is_said_to_be_affected_or_not(make: Make) -> None:
    answer = make().client.post(f"{API}/search", headers=ADMIN, json={"text": "CVE-2021-44228"}).json()
    assert "advisory" in answer["taken_for"]
    assert any("no advisories" in note for note in answer["notes"])


# --- imports ---------------------------------------------------------------------------------------------------------

RESULT = {
    "ruleId": "S608",
    "level": "error",
    "message": {"text": "SQL"},
    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}}],
}


def _sarif(*results: dict[str, Any], tool: str = "Ruff", **run: Any) -> bytes:
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": tool}}, "results": list(results), **run}]}
    return json.dumps(log).encode()


def _junit(*cases: str) -> bytes:
    return f'<testsuites><testsuite name="controls">{"".join(cases)}</testsuite></testsuites>'.encode()


BILL = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "components": [{"type": "library", "name": "lodash", "version": "4.17.20", "purl": "pkg:npm/lodash@4.17.20"}],
    }
).encode()


def _send(made: Any, data: bytes, who: dict[str, str] = DEVELOPER, subject: int = RED_SUBJECT, **params: Any) -> Any:
    return made.client.post(f"{API}/subjects/{subject}/imports", headers=who, content=data, params=params)


def _open(service: Service, check: str) -> int:
    with service.database.read() as link:
        where = (occurrence.c.closed_at.is_(None), occurrence.c.checks.contains(check))
        return int(link.execute(sa.select(sa.func.count()).select_from(occurrence).where(*where)).scalar_one())


@on_both
def test_a_report_replaces_the_one_before_it_of_its_tool_and_nothing_else(make: Make) -> None:
    made = make()
    _sample(made.service)
    first = _send(made, _sarif(RESULT, RESULT | {"ruleId": "S105"}))
    assert (first.status_code, first.json()["opened"], first.json()["closed"]) == (201, 2, 0)
    again = _send(made, _sarif(RESULT))
    assert (again.json()["opened"], again.json()["closed"]) == (0, 1)
    other = _send(made, _sarif(RESULT | {"ruleId": "B608"}, tool="Bandit"), category="nightly")
    assert other.json()["closed"] == 0
    assert (_open(made.service, "import/ruff"), _open(made.service, "import/bandit/nightly")) == (1, 1)
    with made.service.database.read() as link:
        ours = sa.select(sa.func.count()).select_from(occurrence).where(occurrence.c.checks == "ruff", occurrence.c.closed_at.is_(None))
        assert link.execute(ours).scalar() == 3
        assert link.execute(sa.select(audit_event.c.action)).scalars().all() == ["findings.imported"] * 3


def test_a_part_of_a_report_closes_nothing(make: Make) -> None:
    made = make()
    _sample(made.service)
    _send(made, _sarif(RESULT))
    assert _send(made, _sarif(), complete="false").json()["closed"] == 0
    assert _open(made.service, "import/ruff") == 1


def test_what_the_tool_could_not_look_at_stays_open_and_is_a_gap(make: Make) -> None:
    made = make()
    _sample(made.service)
    _send(made, _sarif(RESULT))
    note = {"level": "error", "message": {"text": "syntax error"}, "locations": RESULT["locations"]}
    answer = _send(made, _sarif(invocations=[{"executionSuccessful": True, "toolExecutionNotifications": [note]}])).json()
    assert (answer["state"], answer["closed"]) == ("unproven", 0)
    assert _open(made.service, "import/ruff") == 2


def test_a_verdict_of_ours_is_taken_over_without_its_say(make: Make) -> None:
    made = make()
    _, other = _sample(made.service)
    forged = seen("x")
    forged = msgspec.structs.replace(forged, finding=msgspec.structs.replace(forged.finding, fingerprint="scope/1:" + "0" * 32))
    data = msgspec.json.encode(document(verdict(forged, seen("z"), seen("gone", state=State.FIXED))))
    answer = _send(made, data).json()
    assert (answer["findings"], answer["closed"]) == (2, 0)
    with made.service.database.read() as link:
        rows = link.execute(sa.select(occurrence.c.checks).where(occurrence.c.subject == other, occurrence.c.closed_at.is_(None)))
        assert sorted(rows.scalars()) == ["import/ruff", "import/ruff ruff", "ruff"]
        assert link.execute(sa.text("SELECT count(*) FROM finding WHERE fingerprint LIKE '%00000000%'")).scalar() == 0


def test_controls_that_fail_are_findings_and_those_that_could_not_run_are_gaps(make: Make) -> None:
    made = make()
    _sample(made.service)
    failing = '<testcase classname="ssh" name="no root login"><failure message="PermitRootLogin yes"/></testcase>'
    broken = '<testcase classname="ssh" name="ciphers"><error message="timeout"/></testcase>'
    answer = _send(made, _junit(failing, broken, '<testcase classname="ssh" name="fine"/>'), layer="platform").json()
    assert (answer["findings"], answer["state"]) == (2, "unproven")
    rows = made.client.get(f"{API}/findings", headers=DEVELOPER, params={"kind": "host"}).json()["items"]
    assert [(row["layer"], row["message"]) for row in rows] == [("platform", "PermitRootLogin yes")]


def test_a_bill_of_materials_is_held_beside_what_the_inventory_finds(make: Make) -> None:
    made = make()
    _sample(made.service)
    answer = _send(made, BILL, category="image").json()
    assert answer["components"] == 1
    assert any("no advisories" in note for note in answer["notes"])
    assert _send(made, BILL, category="image").json()["components"] == 1
    with made.service.database.read() as link:
        assert link.execute(sa.select(holding.c.path, holding.c.closed_at)).all() == [("import/image", None)]
    found = made.client.post(f"{API}/search", headers=DEVELOPER, json={"text": "lodash@4.17.20"}).json()
    assert [row["subject_name"] for row in found["components"]] == ["bank main"]
    assert made.client.post(f"{API}/search", headers=VIEWER, json={"text": "lodash"}).json()["components"] == []


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: _zip(a=data, b=_junit())])
def test_packed_reports_are_read(make: Make, pack: Any) -> None:
    made = make()
    _sample(made.service)
    assert _send(made, pack(_sarif(RESULT))).json()["findings"] == 1


def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    piece = b" " * (1 << 20)
    return b"".join([packer.compress(piece) for _ in range(300)]) + packer.flush()


def _laughs() -> bytes:
    entities = '<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{"&" + chr(97 + n) + ";"}{"&" + chr(97 + n) + ";"}">' for n in range(20)
    )
    return f"<!DOCTYPE x [{entities}]><testsuite><testcase name='&u;'/></testsuite>".encode()


ATTACKS: dict[str, Callable[[], bytes]] = {
    "gzip bomb": _bomb,
    "zip bomb": lambda: _zip(a=b"0" * (300 << 20)),
    "many members": lambda: _zip(**{f"m{n}": b"{}" for n in range(60)}),
    "archive in archive": lambda: _zip(a=_zip(b=b"{}")),
    "packed twice": lambda: gzip.compress(gzip.compress(_sarif())),
    "cut gzip": lambda: gzip.compress(_sarif(RESULT))[:-9],
    "something behind gzip": lambda: gzip.compress(_sarif()) + b"more",
    "damaged zip": lambda: _zip(a=_sarif())[:-30],
    "billion laughs": _laughs,
    "external entity": lambda: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><testsuite name="&e;"/>',
    "deep xml": lambda: b"<testsuite>" * 5000 + b"</testsuite>" * 5000,
    "deep json": lambda: b'{"runs":' + b"[" * 100_000 + b"]" * 100_000 + b',"version":"2.1.0"}',
    "deep sarif": lambda: b'{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"properties":' + b"[" * 9999 + b"]" * 9999 + b"}]}",
    "no json": lambda: b"hello",
    "empty": lambda: b"",
    "other json": lambda: b'{"a": 1}',
    "other xml": lambda: b"<bom/>",
    "broken sarif": lambda: b'{"version":"2.1.0","runs":[{"tool":3}]}',
    "old sarif": lambda: b'{"version":"1.0.0","runs":[]}',
    "verdict over a change": lambda: msgspec.json.encode(msgspec.structs.replace(verdict(), whole=False)),
    "verdict of another scheme": lambda: msgspec.json.encode(msgspec.structs.replace(verdict(), scheme="line/1")),
    "another document": lambda: b'{"verdict": {}, "format": "other/verdict"}',
    "broken bill": lambda: b'{"bomFormat":"CycloneDX","specVersion":"9","components":7}',
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_cannot_be_read_is_refused_with_words(make: Make, attack: str) -> None:
    made = make()
    _sample(made.service)
    answer = _send(made, ATTACKS[attack]())
    assert answer.status_code == 400, answer.text
    assert answer.json()["title"]
    with made.service.database.read() as link:
        assert link.execute(sa.text("SELECT count(*) FROM assessment WHERE state = 'running'")).scalar() == 0
        assert link.execute(sa.text("SELECT count(*) FROM occurrence")).scalar() == 3


def test_who_may_not_import_does_not(make: Make) -> None:
    made = make()
    _sample(made.service)
    assert _send(made, _sarif(), who=VIEWER, subject=1).status_code == 403
    assert _send(made, _sarif(), who=DEVELOPER, subject=1).status_code == 404
    assert _send(made, _sarif(), who=ADMIN, subject=99).status_code == 404
    assert _send(made, _sarif(), commit="main").status_code == 400


@on_both
def test_a_large_report_is_recorded_by_a_worker(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make()
    _sample(made.service)
    monkeypatch.setattr("assaymark.server.work.importing.AT_ONCE", 10)
    answer = _send(made, _sarif(RESULT)).json()
    assert answer["state"] == "running"
    assert _open(made.service, "import/ruff") == 0
    for _ in range(2):  # given out twice: done once
        import_report(made.service, {"assessment": answer["assessment"]}, None)  # type: ignore[arg-type]
        assert _open(made.service, "import/ruff") == 1
    page = made.client.get(f"{API}/assessments/{answer['assessment']}", headers=DEVELOPER).json()
    assert (page["row"]["state"], page["row"]["new_findings"]) == ("pass", 1)
    if made.service.database.is_sqlite:
        with made.service.database.read() as link:
            assert link.execute(sa.select(job.c.kind)).scalars().all() == ["import"]


def test_hostile_text_comes_back_as_text(make: Make) -> None:
    made = make()
    _sample(made.service)
    bad = "<script>alert(1)</script>\u202e'\"{{7*7}}"
    location = {"physicalLocation": {"artifactLocation": {"uri": f"../../{bad}/\\..\\x%00y"}, "region": {"startLine": 1}}}
    answer = _send(made, _sarif(RESULT | {"message": {"text": bad}, "locations": [location], "ruleId": bad}))
    assert answer.status_code == 201
    [row] = made.client.get(f"{API}/findings", headers=DEVELOPER, params={"text": "alert"}).json()["items"]
    assert not row["path"].startswith(("/", "."))
    assert ".." not in row["path"].split("/")
    assert "\0" not in row["path"]
