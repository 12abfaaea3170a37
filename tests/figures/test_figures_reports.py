"""Reports: issued once, kept as they were, signed so that anybody can verify them, read by a link until it ends."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from tests.figures.test_figures_pages import NOW, Desk, Unstopped

from assaymark.cli.report import command
from assaymark.endorsement import keys
from assaymark.errors import EngineMissing, SignatureInvalid
from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.model.assessment import Instant
from assaymark.server.reports import pdf
from assaymark.server.service import Service
from assaymark.server.work.reports import issue_reports
from assaymark.store import figure_days
from assaymark.store.promises import DAY
from assaymark.store.tables import issued_report, issued_report_link, signing_key


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    made = Desk(service)
    made.happen(20_060, 20_100)
    made.sum_up()
    yield made
    made.client.close()


def send(desk: Desk, method: str, path: str, **more: Any) -> Any:
    answer = desk.client.request(method, f"/api/v1{path}", headers={"origin": desk.service.settings.url}, **more)
    assert answer.status_code < 300, (path, answer.status_code, answer.text[:500])
    return answer.json() if answer.content else None


def files(desk: Desk, number: int) -> dict[str, bytes]:
    return {
        form: desk.client.get(f"/api/v1/issued-reports/{number}/files/{form}").content for form in ("html", "pdf", "figures", "envelope")
    }


def keep(folder: Path, kept: dict[str, bytes], pem: str) -> Path:
    names = {"html": "report.html", "pdf": "report.pdf", "figures": "figures.json", "envelope": "report.dsse.json"}
    for form, name in names.items():
        (folder / name).write_bytes(kept[form])
    (folder / "key.pem").write_text(pem)
    return folder


def test_a_report_stays_as_it_was_issued_and_anybody_can_verify_it(desk: Desk, tmp_path: Path) -> None:
    made = send(desk, "POST", "/issued-reports", json={"as_of": "2025-01-08"})
    first = files(desk, made["id"])
    assert b"2025-01-08" in first["html"]
    assert first["pdf"].startswith(b"%PDF-")
    desk.now = Instant(NOW + 40 * DAY)
    desk.happen(20_101, 20_130)
    assert files(desk, made["id"]) == first
    key = send(desk, "GET", "/signing-keys")[0]
    folder = keep(tmp_path, first, key["public"])
    for name in ("report.html", "report.pdf", "figures.json"):
        done = CliRunner().invoke(command, ["verify", str(folder / name), "--key", str(folder / "key.pem")])
        assert done.exit_code == 0, done.exception
        assert f"is {name}, signed by {key['keyid']}" in done.output
        assert "as of 2025-01-08T23:59:59" in done.output


def test_one_changed_byte_is_noticed(desk: Desk, tmp_path: Path) -> None:
    made = send(desk, "POST", "/issued-reports", json={})
    folder = keep(tmp_path, files(desk, made["id"]), send(desk, "GET", "/signing-keys")[0]["public"])
    html = (folder / "report.html").read_bytes()
    (folder / "report.html").write_bytes(html.replace(b"Security", b"security", 1))
    done = CliRunner().invoke(command, ["verify", str(folder / "report.html"), "--key", str(folder / "key.pem")])
    assert isinstance(done.exception, SignatureInvalid)
    assert "not what was signed" in str(done.exception)
    _, other = keys.new_key()
    (folder / "key.pem").write_text(other.pem)
    done = CliRunner().invoke(command, ["verify", str(folder / "figures.json"), "--key", str(folder / "key.pem")])
    assert isinstance(done.exception, SignatureInvalid)
    assert "no given key" in str(done.exception)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="NOT PROVED: openssl is not installed; do this: sudo apt-get install openssl")
def test_openssl_verifies_it_as_the_how_to_says(desk: Desk, tmp_path: Path) -> None:
    made = send(desk, "POST", "/issued-reports", json={})
    folder = keep(tmp_path, files(desk, made["id"]), send(desk, "GET", "/signing-keys")[0]["public"])
    envelope = json.loads((folder / "report.dsse.json").read_bytes())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (folder / "said").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (folder / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "said", "-sigfile", "sig"]
    assert "Successfully" in subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout
    digests = {each["name"]: each["digest"]["sha256"] for each in json.loads(payload)["subject"]}
    assert digests["report.html"] == hashlib.sha256((folder / "report.html").read_bytes()).hexdigest()
    assert set(digests) == {"report.html", "report.pdf", "figures.json"}


def test_the_private_key_is_sealed_and_made_once(desk: Desk) -> None:
    for _ in range(2):
        send(desk, "POST", "/issued-reports", json={})
    with desk.service.database.read() as link:
        rows = link.execute(sa.select(signing_key)).all()
    assert len(rows) == 1
    assert b"PRIVATE" not in bytes(rows[0].sealed)
    assert b"PRIVATE" in desk.service.vault.open(f"signing-key:{rows[0].keyid}", bytes(rows[0].sealed)).value


def test_the_document_needs_nothing_and_its_policy_allows_its_style_alone(desk: Desk) -> None:
    made = send(desk, "POST", "/issued-reports", json={})
    answer = desk.client.get(f"/issued/{made['id']}/file")
    policy = answer.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    for outside in ("<script", "src=", "href=", "@import", "url(", " style="):
        assert outside not in answer.text


def test_what_a_stranger_may_name_is_no_markup_in_a_report(desk: Desk) -> None:
    bad = "<script>alert(1)</script>"
    desk.client.patch(f"/api/v1/teams/{desk.teams[0]}", json={"name": bad}, headers={"origin": desk.service.settings.url})
    made = send(desk, "POST", "/issued-reports", json={})
    kept = files(desk, made["id"])
    assert b"<script" not in kept["html"]
    assert b"&lt;script&gt;alert(1)" in kept["html"]
    for page in ("/posture", "/report", f"/issued/{made['id']}"):
        assert bad not in desk.get(page)


def test_without_the_extra_a_report_says_that_it_has_no_pdf(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_told: object) -> bytes:
        raise EngineMissing("PDF needs reportlab")

    monkeypatch.setattr(pdf, "written", missing)
    made = send(desk, "POST", "/issued-reports", json={})
    assert made["pdf"] == ""
    assert "There is no PDF" in desk.get(f"/issued/{made['id']}")
    assert desk.client.get(f"/api/v1/issued-reports/{made['id']}/files/pdf").status_code == 404
    assert desk.client.get(f"/api/v1/issued-reports/{made['id']}/files/html").status_code == 200


def test_a_link_opens_one_report_without_an_account_until_it_ends(desk: Desk) -> None:
    made = send(desk, "POST", "/issued-reports", json={})
    shared = send(desk, "POST", f"/issued-reports/{made['id']}/links", json={"days": 2})
    path = shared["url"].removeprefix(desk.service.settings.url)
    desk.who = None  # type: ignore[assignment]
    answer = desk.client.get(path)
    assert answer.status_code == 200
    assert answer.content == desk.service.blobs.get(made["html"])
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert desk.client.get(f"{path}?form=pdf").content.startswith(b"%PDF-")
    assert desk.client.get(f"/issued/{made['id']}").status_code == 303
    for wrong in (path[:-1] + ("A" if path[-1] != "A" else "B"), "/shared/x", "/shared/" + "0" * 43):
        assert desk.client.get(wrong).status_code == 404
    desk.now = Instant(NOW + 3 * DAY)
    assert desk.client.get(path).status_code == 404
    with desk.service.database.read() as link:
        row = link.execute(sa.select(issued_report_link)).one()
    assert path.rpartition("/")[2] not in str(row)


def test_a_link_can_be_ended_before_its_time(desk: Desk) -> None:
    made = send(desk, "POST", "/issued-reports", json={})
    shared = send(desk, "POST", f"/issued-reports/{made['id']}/links", json={})
    path = shared["url"].removeprefix(desk.service.settings.url)
    assert desk.client.get(path).status_code == 200
    send(desk, "DELETE", f"/issued-reports/{made['id']}/links/{shared['id']}")
    assert desk.client.get(path).status_code == 404
    actions = [row["action"] for row in send(desk, "GET", "/trail")["items"]]
    assert actions[:3] == ["report.unshared", "report.shared", "report.issued"]


def test_a_reader_sees_the_reports_of_his_teams_alone(desk: Desk) -> None:
    everything = send(desk, "POST", "/issued-reports", json={})
    mine, others = (send(desk, "POST", "/issued-reports", json={"team": team}) for team in desk.teams)
    desk.who = Principal(PersonId(1), "ada", (Grant(Role.VIEWER, desk.teams[0]),))
    assert [row["id"] for row in send(desk, "GET", "/issued-reports")["items"]] == [mine["id"]]
    assert desk.client.get(f"/issued/{mine['id']}").status_code == 200
    for hidden in (everything, others):
        assert desk.client.get(f"/issued/{hidden['id']}").status_code == 404
        assert desk.client.get(f"/api/v1/issued-reports/{hidden['id']}/files/figures").status_code == 404
    answer = desk.client.post(f"/api/v1/issued-reports/{mine['id']}/links", json={}, headers={"origin": desk.service.settings.url})
    assert answer.status_code in {403, 404}


def test_the_schedule_issues_each_week_once_when_it_has_settled(desk: Desk) -> None:
    assert desk.now // DAY == 20_100
    monday = 20_101  # 2025-01-13
    assert dt.datetime.fromtimestamp(monday * 86_400, dt.UTC).weekday() == 0
    send(desk, "PUT", "/issued-reports/schedule", json={"every": "week", "teams": True})
    desk.now = Instant(monday * DAY + figure_days.SETTLED + 5)
    issue_reports(desk.service, {}, Unstopped())
    assert send(desk, "GET", "/issued-reports")["items"] == []
    desk.sum_up()
    for _ in range(2):
        issue_reports(desk.service, {}, Unstopped())
    rows = send(desk, "GET", "/issued-reports")["items"]
    assert sorted((row["team"] or 0, row["cause"], row["as_of"]) for row in rows) == [
        (team, "week to 2025-01-12", monday * DAY - 1) for team in (0, *desk.teams)
    ]


def test_the_figures_of_a_report_are_those_of_the_api(desk: Desk) -> None:
    made = send(desk, "POST", "/issued-reports", json={"as_of": "2025-01-08"})
    told = msgspec.json.decode(files(desk, made["id"])["figures"])
    assert told["now"] == send(desk, "GET", "/figures?as_of=2025-01-08")["figures"]
    with desk.service.database.read() as link:
        assert link.execute(sa.select(sa.func.count()).select_from(issued_report)).scalar() == 1


def test_a_report_is_issued_and_shared_on_pages(desk: Desk) -> None:
    origin = {"origin": desk.service.settings.url}
    answer = desk.client.post("/report", data={"team": str(desk.teams[0]), "as_of": "2025-01-08"}, headers=origin)
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert "as of 2025-01-08" in desk.get(place)
    shown = desk.client.post(f"{place}/links", data={"days": "3"}, headers=origin)
    assert "/shared/" in shown.text
    assert "/shared/" not in desk.get(place)
    ended = desk.client.post(f"{place}/links/1/end", headers=origin)
    assert ended.status_code == 303
    assert "None." in desk.get(place)
    assert desk.client.post(f"{place}/links", data={"days": "9999"}, headers=origin).status_code == 400
