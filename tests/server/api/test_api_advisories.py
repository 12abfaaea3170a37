from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.jobs.job import JobState
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.server.service import Service
from assaymark.server.work import advisories
from assaymark.store import components, setting_rows
from assaymark.store.tables import audit_event, subject, team

from .conftest import Make, on_both, seeded

ADMIN, VIEWER, DEVELOPER = ({"Authorization": f"Bearer {name}"} for name in ("admin", "viewer", "developer"))
INPUT = Digest("git-sha1:" + "0" * 40)
YESTERDAY = 1_700_000_000_000_000


class Attempt:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


@pytest.fixture
def filled(service: Service) -> Service:
    """Subjects 1 to 3 of the team blue and 4 of nobody hold lantern, and an advisory speaks of it."""
    packages = PackageSet((Package("bell", "2.0", Ecosystem.PYPI, line=3), Package("lantern", "1.0", Ecosystem.PYPI, line=4)))
    with service.database.write() as connection:
        connection.execute(team.insert(), [{"id": n, "slug": f"t{n}", "name": "", "created_at": 0} for n in (1, 2)])
        for number in range(1, 5):
            mine = 1 if number < 4 else None
            row = {
                "id": number,
                "kind": "branch",
                "key": str(number),
                "name": f"s{number}",
                "team": mine,
                "created_at": 0,
                "head": "a" * 40,
            }
            connection.execute(subject.insert(), row)
            sets = {"requirements.txt": (INPUT, packages)}
            components.hold(connection, SubjectId(number), None, sets, Instant(YESTERDAY))
        components.keep(service.blobs, packages)
        setting_rows.put(connection, advisories.SOURCES, advisories.Sources(origin=advisories.FOLDER), Instant(1))
    folder = service.settings.data / "offline"
    folder.mkdir(parents=True)
    events = [{"introduced": "0"}, {"fixed": "1.5"}]
    affected = {"package": {"ecosystem": "PyPI", "name": "lantern"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    (folder / "a.json").write_text(json.dumps({"id": "GHSA-1", "aliases": ["CVE-2026-1"], "affected": [affected]}))
    advisories.update_advisories(service, {}, Attempt())
    return service


def all_pages(client: Any, path: str, who: dict[str, str]) -> list[Any]:
    rows, after = [], ""
    while True:
        page = client.get(path + (f"&after={after}" if after else ""), headers=who).json()
        rows += page["items"]
        after = page["next"]
        if not after:
            return rows


@on_both
def test_who_is_affected_is_told_page_by_page(filled: Service, make: Make) -> None:
    client = make().client
    rows = all_pages(client, "/api/v1/affected?id=cve-2026-1&limit=2", ADMIN)
    assert [row["component"]["subject"] for row in rows] == [1, 2, 3, 4]
    first = rows[0]
    assert (first["advisories"], first["fixed"]) == (["CVE-2026-1"], "1.5")
    assert {name: first["component"][name] for name in ("path", "ecosystem", "package", "version")} == {
        "path": "requirements.txt", "ecosystem": "PyPI", "package": "lantern", "version": "1.0",
    }  # fmt: skip
    assert client.get("/api/v1/affected?id=GHSA-1&count=true&limit=1", headers=ADMIN).json()["at_least"] == 4
    assert client.get("/api/v1/affected?id=CVE-1999-1", headers=ADMIN).json()["items"] == []


@on_both
def test_where_a_component_is_is_told_now_and_as_of_a_day(filled: Service, make: Make) -> None:
    client = make().client
    rows = all_pages(client, "/api/v1/components?name=pkg:pypi/bell&version=>=1,<3&limit=3", ADMIN)
    assert [row["subject"] for row in rows] == [1, 2, 3, 4]
    past = client.get("/api/v1/components?name=bell&as_of=2020-01-01", headers=ADMIN)
    assert (past.status_code, past.json()["items"]) == (200, [])


@pytest.mark.parametrize("path", ["/affected?id=CVE-2026-1", "/components?name=lantern", "/advisories/hits?limit=50"])
def test_lists_hold_what_the_caller_may_see(filled: Service, make: Make, path: str) -> None:
    client = make().client

    def seen(who: dict[str, str]) -> list[int]:
        items = client.get(f"/api/v1{path}", headers=who).json()["items"]
        return [(row.get("component") or row)["subject"] for row in items]

    assert (seen(ADMIN), seen(VIEWER), seen(DEVELOPER)) == ([1, 2, 3, 4], [1, 2, 3], [])


@pytest.mark.parametrize(
    "path",
    [
        "/affected",
        "/affected?id=",
        "/affected?id=" + "x" * 200,
        "/affected?id=CVE-1&after=none",
        "/affected?id=CVE-1&limit=0",
        "/affected?id=CVE-1&as_of=tomorrow",
        "/components",
        "/components?name=",
        "/components?name=pkg:x",
        "/components?name=lantern&version=1,,2",
        "/components?name=lantern&ecosystem=abacus",
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(filled: Service, make: Make, path: str) -> None:
    answer = make().client.get(f"/api/v1{path}", headers=ADMIN)
    assert answer.status_code == 400
    assert {"detail", "advice"} & answer.json().keys()


def test_without_advisories_it_is_said_so(service: Service, make: Make) -> None:
    client = make().client
    assert client.get("/api/v1/affected?id=CVE-2026-1", headers=ADMIN).status_code == 409
    state = client.get("/api/v1/advisories", headers=VIEWER).json()
    assert (state["snapshot"], state["age_seconds"], state["error"]) == (None, None, "")


def test_the_state_tells_age_counts_and_sources(filled: Service, make: Make) -> None:
    state = make().client.get("/api/v1/advisories", headers=VIEWER).json()
    assert state["age_seconds"] < 600
    assert json.loads(state["snapshot"]["meta"]["counts"])["advisories"] == 1
    assert (state["snapshot"]["news"], state["snapshot"]["hits"], state["sources"]["origin"]) == (1, 4, "folder")


def test_of_a_day_that_is_forgotten_no_half_answer_is_given(filled: Service, make: Make) -> None:
    with filled.database.write() as connection:
        setting_rows.put(connection, "components.forgotten", 1_600_000_000_000_000, Instant(1))
    client = make().client
    for path in ("/affected?id=CVE-2026-1&", "/components?name=bell&", "/subjects/1/sbom?"):
        assert client.get(f"/api/v1{path}as_of=2020-01-01", headers=ADMIN).status_code == 409
        assert client.get(f"/api/v1{path}as_of=2024-01-01", headers=ADMIN).status_code == 200


def test_the_box_says_that_its_answer_about_long_ago_may_be_short(filled: Service, make: Make) -> None:
    with filled.database.write() as connection:
        setting_rows.put(connection, "components.forgotten", 1_600_000_000_000_000, Instant(1))
    client = make().client
    for text in ("CVE-2026-1", "bell"):
        asked = {"text": text, "as_of": "2020-01-01"}
        assert "not all components are remembered" in client.post("/api/v1/search", json=asked, headers=ADMIN).text
        assert "not all components" not in client.post("/api/v1/search", json=asked | {"as_of": "2024-01-01"}, headers=ADMIN).text


# --- changing --------------------------------------------------------------------------------------------------------


def test_an_update_is_asked_for_once_and_noted(service: Service, make: Make) -> None:
    seeded(service)
    client = make().client
    assert [client.post("/api/v1/advisories/update", headers=ADMIN).json()["queued"] for _ in range(2)] == [True, False]
    with service.database.read() as connection:
        rows = service.queue.rows(connection, JobState.WAITING, before=None, limit=10)
        assert [row.job.kind for row in rows] == ["update-advisories"]
        assert set(connection.execute(sa.select(audit_event.c.action)).scalars()) == {"advisories.update-asked"}


def test_only_who_may_everywhere_changes_the_sources(service: Service, make: Make) -> None:
    seeded(service)
    client = make().client
    body = {"origin": "https://mirror.example.org/osv", "ecosystems": ["PyPI", "Debian:12"]}
    for who in (VIEWER, DEVELOPER):
        assert client.put("/api/v1/advisories/sources", json=body, headers=who).status_code == 403
        assert client.post("/api/v1/advisories/update", headers=who).status_code == 403
    assert client.put("/api/v1/advisories/sources", json=body, headers=ADMIN).status_code == 200
    assert client.get("/api/v1/advisories", headers=VIEWER).json()["sources"] == body


@pytest.mark.parametrize(
    "body",
    [
        {"origin": "http://mirror.example.org"},
        {"origin": "file:///etc"},
        {"origin": "/etc"},
        {"origin": "https://me:" + "word@mirror.example.org"},
        {"origin": "https://mirror.example.org:25/"},
        {"origin": "folder", "ecosystems": []},
        {"origin": "folder", "ecosystems": ["../etc"]},
        {"origin": "folder", "ecosystems": [".hidden"]},
        {"origin": "folder", "path": "/etc"},
    ],
)
def test_sources_that_lead_elsewhere_are_refused(service: Service, make: Make, body: dict[str, Any]) -> None:
    assert make().client.put("/api/v1/advisories/sources", json=body, headers=ADMIN).status_code == 400


# --- bills of materials ----------------------------------------------------------------------------------------------


@on_both
@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_a_bill_of_materials_is_made_of_what_was_noted(filled: Service, make: Make, form: str) -> None:
    client = make().client
    answer = client.get(f"/api/v1/subjects/1/sbom?format={form}", headers=VIEWER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert "attachment" in answer.headers["content-disposition"]
    rows = answer.json()["components" if form == "cyclonedx" else "packages"]
    assert {"lantern", "bell"} <= {row["name"] for row in rows}
    assert client.get(f"/api/v1/subjects/1/sbom?format={form}", headers=VIEWER).content == answer.content
    before = client.get(f"/api/v1/subjects/1/sbom?format={form}&as_of=2020-01-01", headers=VIEWER).json()
    assert "lantern" not in json.dumps(before)


def test_a_bill_of_other_teams_is_not_there(filled: Service, make: Make) -> None:
    client = make().client
    assert client.get("/api/v1/subjects/4/sbom", headers=VIEWER).status_code == 404
    assert client.get("/api/v1/subjects/99/sbom", headers=ADMIN).status_code == 404
    assert client.get("/api/v1/subjects/4/sbom", headers=ADMIN).status_code == 200


def test_what_is_no_longer_kept_is_said(filled: Service, make: Make) -> None:
    blobs: Path = filled.settings.data / "blobs"
    for path in blobs.glob("*/*"):
        path.unlink()
    answer = make().client.get("/api/v1/subjects/1/sbom", headers=ADMIN)
    assert (answer.status_code, "not kept" in answer.json()["title"]) == (422, True)
