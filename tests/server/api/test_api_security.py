"""Attacks, each on every address of the server, API and pages alike; one attack's name per test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.server import stream
from assaymark.server.api.route import Operation
from assaymark.server.app import make_app, operations
from assaymark.server.service import Service
from assaymark.server.web.screens import screens
from assaymark.store import tables

from .conftest import seeded

ADMIN = Principal(PersonId(1), "admin", (Grant(Role.ADMIN),), session=1)
EVIL = "https://evil.example"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
BASE = "http://127.0.0.1:8750"


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Everything is asked by an administrator, who could do it all."""
    monkeypatch.setattr(stream, "LIFETIME", 0.05)

    def identify(_service: Service, request: Request) -> Principal | None:
        return None if "x-nobody" in request.headers else ADMIN

    with TestClient(make_app(seeded(service), identify=identify), base_url=BASE, follow_redirects=False) as made:
        yield made


def _filled(template: str, value: object = 1) -> str:
    return "/".join(str(value) if part.startswith("{") else part for part in template.split("/"))


READS = [f"/api/v1{_filled(each.template)}" for each in operations() if each.method == "GET"] + [
    _filled(each.path) for each in screens() if each.method == "GET"
]
CHANGES = [(each.method, f"/api/v1{_filled(each.template)}") for each in operations() if each.method != "GET"] + [
    (each.method, _filled(each.path)) for each in screens() if each.method != "GET"
]


def _dump(service: Service) -> str:
    """Every row of what a change could have made or ended."""
    with service.database.read() as connection:
        made = [tables.person, tables.team, tables.membership, tables.token, tables.connection, tables.repository, tables.setting]
        return str([connection.execute(table.select()).all() for table in made])


def test_csrf_no_change_is_made_for_a_page_of_another_site(client: TestClient, service: Service) -> None:
    before = _dump(service)
    for method, path in CHANGES:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}, {"Origin": "null"}):
            answer = client.request(method, path, headers=headers, content=b"{}")
            assert answer.status_code == 403, (method, path, headers)
    assert _dump(service) == before


def test_csrf_no_simple_request_of_a_form_is_read_as_a_document(client: TestClient) -> None:
    forms = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a")
    for operation in operations():
        if operation.body is not None and operation.body.__class__ is not str and not _is_raw(operation):
            for kind in forms:
                path = f"/api/v1{_filled(operation.template)}"
                answer = client.request(operation.method, path, content=b'{"login":"a"}', headers={"Content-Type": kind})
                assert answer.status_code in {403, 404, 415}, (operation.id, kind, answer.text)


def _is_raw(operation: Operation) -> bool:
    return getattr(operation.body, "__name__", "") == "Upload"


def test_looking_changes_nothing(client: TestClient, service: Service) -> None:
    before = _dump(service)
    for path in READS:
        client.get(path)
        client.head(path)
    assert _dump(service) == before


def test_cors_is_closed_everywhere(client: TestClient) -> None:
    for path in READS:
        for method in ("GET", "OPTIONS"):
            headers = {"Origin": EVIL, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
            answer = client.request(method, path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")], path


def test_private_answers_are_kept_by_no_cache_between(client: TestClient) -> None:
    public = {f"/api/v1{_filled(each.template)}" for each in operations() if each.public}
    for path in [each for each in READS if each not in public]:
        answer = client.get(path)
        if answer.status_code in {301, 302, 303, 307}:
            continue
        words = {word.strip() for word in answer.headers.get("cache-control", "").split(",")}
        assert words & {"private", "no-store"}, (path, answer.status_code)
        assert "public" not in words


def test_host_header_poisoning_reaches_no_answer(client: TestClient) -> None:
    for path in [*READS, "/", "/static/pages.css", "/hooks/1", "/nothing"]:
        answer = client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 400, path
        for name in ("X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"):
            told = client.get(path, headers={name: "evil.example"})
            assert "evil.example" not in told.text + str(told.headers), (path, name)


def test_an_open_redirect_leads_nowhere(client: TestClient) -> None:
    for target in (
        EVIL,
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
    ):
        for path in ("/sign-in", "/api/v1/oidc/none/start"):
            for name in ("to", "next", "back", "return_to"):
                answer = client.get(path, params={name: target})
                assert not answer.headers.get("location", "/").startswith(("http", "//", "/\\", "\\", "javascript")), (path, name, target)


PATHS = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//etc/passwd", "..\\..\\etc", "/etc/passwd",
         "%00", "vault.key", "..%252f..%252fvault.key", "file:///etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_path_traversal_reads_no_file(client: TestClient, path: str) -> None:
    places = ["/static/", "/api/v1/", "/hooks/", *sorted({each.partition("1")[0] for each in READS if each.endswith("/1")})]
    for place in places:
        answer = client.get(f"{BASE}{place}{path}")
        assert answer.status_code in {301, 302, 303, 400, 404, 405}, (place, path, answer.status_code)
        assert "root:" not in answer.text
    for template in {each.template for each in operations() if each.method == "GET" and each.in_path}:
        answer = client.get(f"{BASE}/api/v1{_filled(template, path)}")
        assert answer.status_code in {400, 404}, template


SLOW = ["(a+)+$", "a" * 4000, "%" * 500, "_" * 500, "*" * 300, '"' * 300, "NEAR(" * 100, "a* OR " * 200, "(((((" * 100, "\\" * 500,
        "é" * 1000, " ".join("ab" * 2 for _ in range(800)), "' OR 1=1 --", "-" * 300, "^" * 300, "col:" * 100]  # fmt: skip


def _texts(operation: Operation) -> list[str]:
    return [name for name, kind, _ in operation.parameters if kind is str or "str" in str(kind)]


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_redos_no_search_takes_long_or_breaks(client: TestClient, text: str) -> None:
    def ask(path: str, **query: str) -> None:
        began = time.process_time()
        answer = client.get(path, params=query)
        assert answer.status_code < 500, (path, query)
        assert time.process_time() - began < 1.5, (path, query)

    for operation in operations():
        if operation.method == "GET" and not operation.in_path:
            for name in _texts(operation):
                ask(f"/api/v1{operation.path}", **{name: text})
    for screen in screens():
        if screen.method == "GET" and "{" not in screen.path:
            for name in ("q", "text", "name", "rule"):
                ask(screen.path, **{name: text})
    began = time.process_time()
    assert client.post("/api/v1/search", json={"text": text}).status_code < 500
    assert time.process_time() - began < 1.5


def _plant(service: Service) -> dict[str, int]:
    """Rows whose every text is a script, as a check or a repository of others could give them."""
    made: dict[str, int] = {}

    def add(connection: Any, table: Any, **values: object) -> int:
        return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())

    with service.database.write() as connection:
        made["repository"] = add(
            connection, tables.repository, name=SCRIPT, clone_url=f"https://x/{SCRIPT}", web_url="javascript:alert(3)",
            default_branch=SCRIPT, team=1, created_at=1,
        )  # fmt: skip
        made["subject"] = add(
            connection, tables.subject, kind="branch", key=SCRIPT, name=SCRIPT, ref=SCRIPT, repository=made["repository"], team=1,
            url="javascript:alert(4)", created_at=1, head=SCRIPT, state="fail", judged_at=2, open_high=1,
        )  # fmt: skip
        made["assessment"] = add(
            connection, tables.assessment, subject=made["subject"], team=1, state="fail", trigger="push", actor=SCRIPT, base=SCRIPT,
            head=SCRIPT, cause=SCRIPT, queued_at=1, started_at=1, finished_at=2, summary=SCRIPT, new_findings=1,
        )  # fmt: skip
        made["finding"] = add(
            connection, tables.finding, fingerprint="scope/1:" + "a" * 32, kind="code", layer="application", rule_class=SCRIPT, rule=SCRIPT,
            title=SCRIPT, core="[]", first_seen_at=1,
        )  # fmt: skip
        made["occurrence"] = add(
            connection, tables.occurrence, finding=made["finding"], subject=made["subject"], team=1, kind="code", layer="application",
            rule_class=SCRIPT, rule=SCRIPT, severity=3, confidence=2, path=f"src/{SCRIPT}.py", line=1, message=SCRIPT, opened_at=1,
            opened_by=made["assessment"],
        )  # fmt: skip
    return made


def test_stored_xss_no_text_of_a_finding_or_name_of_a_file_becomes_markup(client: TestClient, service: Service) -> None:
    made = _plant(service)
    seen = 0
    for path in [*READS, "/find?q=script"]:
        answer = client.get(path)
        kind = answer.headers.get("content-type", "")
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert (
            "script-src 'self'" in answer.headers["content-security-policy"]
            or "default-src 'none'" in answer.headers["content-security-policy"]
        )
        assert answer.status_code < 500, path
        if kind.startswith("text/html"):
            for evil in ("<script>alert", "<img src=x", "onerror=alert(2)>", 'href="javascript:', "href='javascript:", "src=javascript:"):
                assert evil not in answer.text, (path, evil)
            seen += "alert(1)" in answer.text
        else:
            assert kind.partition(";")[0] in {
                "application/json", "application/problem+json", "text/event-stream", "", "application/vnd.cyclonedx+json", "text/css",
                "text/plain", "application/octet-stream", "application/x-tar", "application/x-ndjson", "application/yaml",
            }, (path, kind)  # fmt: skip
    assert made["subject"] == 1
    assert seen >= 3, "the pages did not show what was planted, so that this proves nothing"


def test_bombs_in_documents_are_refused_by_their_size_and_depth(client: TestClient) -> None:
    deep, long = b"[" * 100_000, b'{"a":"' + b"a" * (1 << 20) + b'"}'
    wide = b"{" + b",".join(b'"%d":1' % number for number in range(50_000)) + b"}"
    for operation in operations():
        if operation.body is not None:
            path = f"/api/v1{_filled(operation.template)}"
            for data in (deep, long, wide):
                began = time.process_time()
                answer = client.request(operation.method, path, content=data, headers={"Content-Type": "application/json"})
                assert 400 <= answer.status_code < 500, (operation.id, answer.status_code)
                assert time.process_time() - began < 2.0, operation.id


def test_nobody_gets_nothing_but_what_is_public(client: TestClient) -> None:
    for operation in operations():
        answer = client.request(operation.method, f"/api/v1{_filled(operation.template)}", headers={"x-nobody": "1"})
        assert operation.public or answer.status_code == 401, operation.id
    for screen in screens():
        answer = client.request(screen.method, _filled(screen.path), headers={"x-nobody": "1"})
        assert screen.public or answer.status_code in {303, 401, 403}, screen.path
        if not screen.public and answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in"), screen.path


def test_every_route_is_an_operation_a_page_or_a_hook(service: Service) -> None:
    """A route that none of the tests above sees cannot be added unseen. Clusters and sites ask below /admission/ and /trust/."""
    known = {f"/api/v1{each.path}" for each in operations()} | {each.path for each in screens()}
    routes = {route.path for route in make_app(service).routes if isinstance(route, Route)}
    assert {path for path in routes - known if not path.startswith(("/hooks/", "/static/", "/admission/", "/trust/"))} == set()
    assert msgspec.json.encode(sorted(known))
