"""What stands before every route: hosts, sites, proxies, bounds, headers, the log."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from assaymark.checks.settings import Secret
from assaymark.server import logs, middleware
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.middleware import MOST_BODY, Guard
from assaymark.server.origin import Headers, Seen, seen_through
from assaymark.server.problem import ApiError

from .conftest import Make

ADMIN = {"Authorization": "Bearer admin"}
router = Router("tests")


class Ran:
    changes = 0
    origin = ""


@router.add("POST", "/changes", None, public=True)
def change(call: Call) -> Nothing:
    Ran.changes += 1
    Ran.origin = call.request.client.host if call.request.client else ""
    return Nothing()


@router.add("GET", "/look", None, public=True)
def look(call: Call, secret: str = "") -> dict[str, str]:
    assert call.request.client is not None
    return {"origin": call.request.client.host, "scheme": call.request.url.scheme}


@router.add("GET", "/break", None)
def break_it(call: Call) -> Nothing:
    raise RuntimeError("inner secret")


@pytest.fixture
def client(make: Make) -> TestClient:
    Ran.changes = 0
    return make(router.operations, url="https://assay.example.org", proxies=("10.0.0.0/8",)).client


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    before = structlog.get_config()
    logs.set_up(stream)
    yield stream
    structlog.configure(**before)


# --- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["assay.example.org", "ASSAY.example.org:443", "localhost", "127.0.0.1:8750", "[::1]:8750"])
def test_the_servers_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/look", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "assay.example.org.evil.example",
        "assay.example.org:443@evil.example",
        "assay.example.org/evil",
        "assay.example.org:evil",
        "evil@assay.example.org",
        "assay.example.org,evil.example",
        "[::1",
        "[::1]evil",
        "",
        "127.0.0.1.nip.io",
    ],
)
def test_another_name_in_host_is_refused_before_any_route(client: TestClient, host: str) -> None:
    answer = client.post("/api/v1/changes", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/problems/wrong-host")
    assert "evil" not in answer.json()["type"]
    assert Ran.changes == 0


def test_two_host_headers_are_no_name(client: TestClient) -> None:
    answer = client.get("/api/v1/look", headers=[("Host", "assay.example.org"), ("Host", "assay.example.org")])
    assert answer.status_code == 400


def test_a_forwarded_host_is_never_believed(client: TestClient) -> None:
    answer = client.get("/api/v1/none", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})
    assert "evil" not in answer.text
    assert "evil" not in str(answer.headers)


# --- sites -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "is_let"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://assay.example.org"}, False),
        ({"Origin": "https://assay.example.org"}, True),
        ({"Origin": "https://assay.example.org:443"}, False),
        ({"Origin": "http://assay.example.org"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://assay.example.org.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "https://evil.example", "Authorization": "Bearer admin"}, True),
        ({"Origin": "https://evil.example", "Authorization": "Basic YTpi"}, False),
    ],
)
def test_a_change_for_a_page_of_another_site_is_refused(client: TestClient, headers: dict[str, str], is_let: bool) -> None:
    client.cookies.set("__Host-assay_session", "x")
    answer = client.post("/api/v1/changes", headers=headers | {"Host": "assay.example.org"})
    assert answer.status_code == (204 if is_let else 403), answer.text
    assert Ran.changes == is_let


def test_looking_is_not_changing(client: TestClient) -> None:
    assert client.get("/api/v1/look", headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}).status_code == 200


def test_no_other_site_may_read(client: TestClient) -> None:
    for method in ("GET", "OPTIONS", "HEAD"):
        answer = client.request(method, "/api/v1/look", headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


# --- proxies ---------------------------------------------------------------------------------------------------------

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("fd00::1", "[2001:db8::1]:80", "2001:db8::1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("testclient", "203.0.113.9", "testclient"),
    ],
)
def test_an_address_is_believed_as_far_as_the_chain_of_proxies_reaches(peer: str, forwarded: str | None, seen: str) -> None:
    headers = Headers([] if forwarded is None else [(b"X-Forwarded-For", forwarded.encode())])
    assert seen_through(headers, peer, "http", PROXIES).address == seen


def test_the_scheme_is_believed_from_a_proxy_only() -> None:
    headers = Headers([(b"x-forwarded-proto", b"https")])
    assert seen_through(headers, "10.0.0.1", "http", PROXIES) == Seen("10.0.0.1", "https")
    assert seen_through(headers, "192.0.2.1", "http", PROXIES) == Seen("192.0.2.1", "http")
    assert seen_through(Headers([(b"x-forwarded-proto", b"javascript")]), "10.0.0.1", "http", PROXIES).scheme == "http"


def test_handlers_see_the_corrected_address(make: Make) -> None:
    app = make(router.operations, proxies=("10.0.0.0/8",)).app
    client = TestClient(app, base_url="http://127.0.0.1", client=("10.1.1.1", 1))
    answer = client.get("/api/v1/look", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    assert answer.json() == {"origin": "203.0.113.9", "scheme": "https"}


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({f"x-{number}": "a" for number in range(120)}, "/api/v1/look", 431),
        ({"x-long": "a" * 40_000}, "/api/v1/look", 431),
        ({}, "/api/v1/look?a=" + "b" * 17_000, 414),
        ({}, "/" + "b" * 17_000, 414),
        ({"Content-Length": str(MOST_BODY + 1)}, "/api/v1/look", 413),
        ({"Content-Length": "9" * 5000}, "/api/v1/look", 413),
        ({"Content-Length": "-1"}, "/api/v1/look", 413),
        ({"Content-Length": "a"}, "/api/v1/look", 413),
    ],
    ids=range(8),
)
def test_what_is_too_much_is_refused(client: TestClient, headers: dict[str, str], path: str, status: int) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_does_not_come_is_not_waited_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "SLOWEST_CHUNK", 0.05)
    app, sent = make(router.operations).app, []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/changes", "raw_path": b"/api/v1/changes", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1")], "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1",
        "root_path": "",
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    assert sent[0]["status"] == 408


def test_a_body_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "_PATIENCE", -1.0)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"a", "more_body": True}

    with pytest.raises(ApiError) as caught:
        asyncio.run(middleware._patient(receive)())  # type: ignore[arg-type]
    assert caught.value.status == 408


def test_websockets_are_closed(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect  # noqa: PLC0415

    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect("/api/v1/look"):
        pass
    assert caught.value.code == 1008


# --- headers of answers ----------------------------------------------------------------------------------------------


def test_every_answer_closes_what_a_browser_would_leave_open(client: TestClient) -> None:
    for path in ("/api/v1/look", "/api/v1/none", "/none", "/api/v1/break"):
        headers = client.get(path, headers=ADMIN).headers
        policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["object-src"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert "*" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "max-age=63072000" in headers["strict-transport-security"]
        assert "server" not in headers


def test_plain_http_promises_no_https(make: Make) -> None:
    assert "strict-transport-security" not in make(router.operations).client.get("/api/v1/look").headers


def test_a_route_may_say_it_otherwise(make: Make) -> None:
    made = make(router.operations)
    own = {"Content-Security-Policy": "default-src 'self'"}
    made.app.router.routes.append(Route("/own", lambda _request: Response("", headers=own)))
    assert made.client.get("/own").headers.get_list("content-security-policy") == ["default-src 'self'"]


# --- the log ---------------------------------------------------------------------------------------------------------


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_says_who_what_when_outcome_origin_and_no_secret(client: TestClient, log: io.StringIO) -> None:
    answer = client.get("/api/v1/look?secret=hidden1", headers=ADMIN | {"Cookie": "a=hidden2", "X-Thing": "hidden3"})
    client.get("/join/hidden4", headers={"Referer": "hidden5"})
    client.post("/api/v1/changes", content=b"hidden6", headers={"Sec-Fetch-Site": "cross-site"})
    assert "hidden" not in log.getvalue()
    seen, unknown, refused = _lines(log)
    assert (seen["event"], seen["who"], seen["route"], seen["status"], seen["outcome"]) == ("request", "admin", "look", 200, "success")
    assert seen["request"] == answer.headers["x-request-id"]
    assert seen["origin"] == "testclient"
    assert seen["at"].startswith("20")
    assert (unknown["route"], unknown["outcome"], refused["outcome"]) == ("", "refused", "refused")


def test_a_defect_is_in_the_log_with_its_trace_and_nowhere_else(client: TestClient, log: io.StringIO) -> None:
    answer = client.get("/api/v1/break", headers=ADMIN)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    defect, line = _lines(log)
    assert defect["request"] == line["request"] == answer.json()["request"]
    assert "inner secret" in defect["exception"]
    assert line["outcome"] == "failed"


def test_a_line_cannot_be_made_by_a_caller(client: TestClient, log: io.StringIO) -> None:
    client.request("GET\t", "/api/v1/look%0a%7b%22event%22:1%7d", headers=ADMIN)
    client.get("/api/v1/look", headers=[(b"authorization", b"Bearer a\x85b")])
    assert all(line["event"] == "request" for line in _lines(log))


def test_a_secret_shows_as_one(log: io.StringIO) -> None:
    import logging  # noqa: PLC0415

    structlog.get_logger("x").info("made", token=Secret(b"hidden"))
    logging.getLogger("library").warning("spoke %s", "of", extra={})
    assert "hidden" not in log.getvalue()
    assert _lines(log)[1]["event"] == "spoke of"


def test_half_an_answer_is_not_given_a_second_half(make: Make) -> None:
    made, sent = make(router.operations), []

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    request = Request(
        {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")], "scheme": "http", "client": None}
    )
    asyncio.run(Guard(half, made.service)(request.scope, receive, send))
    assert sent == ["http.response.start"]
