"""What stands before every route, of the API and of the pages: one pure ASGI application.

Guarantees: every request has an id, which its answer, its log line and its problem say; only requests for this server's name come through,
and no changes for pages of other sites; headers and bodies are bounded, and a body that does not come is not waited for; every answer
carries headers that close what a browser would leave open; what a handler did not catch is logged whole and answered by a problem that
tells nothing. A log line says who, what, when, with which outcome, from where; it holds no query string, no header and no document.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assaymark.model.access import Principal
from assaymark.server.api.layer import problem
from assaymark.server.origin import Headers, check_host, check_site, seen_through
from assaymark.server.people.identify import PRINCIPAL
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.server.settings import Settings

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 << 10
MOST_TARGET = 16 << 10
"""Bytes of path and query."""
MOST_BODY = 256 << 20
"""Beyond what any operation takes; each has its own bound."""
SLOWEST_CHUNK = 30.0
"""Seconds without a byte of the body."""
BYTES_PER_SECOND = 32 << 10
"""A body that comes slower, after its first minute, is not waited for."""
_PATIENCE = 60.0

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_log = structlog.get_logger("assaymark.access")


def security_headers(settings: Settings) -> dict[bytes, bytes]:
    """On every answer that does not say otherwise itself."""
    headers = {
        b"content-security-policy": POLICY.encode(),
        b"x-content-type-options": b"nosniff",
        b"x-frame-options": b"DENY",
        b"referrer-policy": b"same-origin",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
        b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if settings.is_https:
        headers[b"strict-transport-security"] = b"max-age=63072000; includeSubDomains"
    return headers


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._headers = security_headers(service.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        exchange = _Exchange(scope, send, self._headers)
        try:
            self._admit(scope)
            await self._app(scope, _patient(receive), exchange.send)
        except asyncio.CancelledError:
            exchange.outcome = "ended"
            raise
        except ClientDisconnect:
            exchange.outcome = "gone"
        except ApiError as error:
            await self._say(exchange, scope, receive, error)
        except Exception:  # noqa: BLE001 - the last place where it can be said
            _log.exception("defect", request=scope["assaymark.request"], route=_route(scope))
            await self._say(exchange, scope, receive, ApiError(500, "internal", "this is a defect of the server", advice=_REPORT))
        finally:
            exchange.log()

    def _admit(self, scope: Scope) -> None:
        """Raise for what no route may see."""
        settings = self._service.settings
        raw = scope["headers"]
        headers = Headers(raw)
        seen = seen_through(headers, scope["client"][0] if scope.get("client") else "", scope["scheme"], settings.proxies)
        scope["client"], scope["scheme"] = (seen.address, 0), seen.scheme
        if len(raw) > MOST_HEADERS or sum(len(name) + len(value) for name, value in raw) > MOST_HEADER_BYTES:
            raise ApiError(431, "headers-too-large", "the request's headers are too large")
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MOST_TARGET:
            raise ApiError(414, "target-too-long", "the request's address is too long")
        check_host(headers, settings)
        check_site(scope["method"], seen.scheme, headers, settings)
        length = headers.one(b"content-length")
        if length is not None and (not length.isdecimal() or int(length[:20]) > MOST_BODY):
            raise ApiError(413, "too-large", "the request is too large", headers={"Connection": "close"})

    async def _say(self, exchange: _Exchange, scope: Scope, receive: Receive, error: ApiError) -> None:
        if exchange.status:
            return  # half an answer is out: the connection is closed, which the caller sees
        await problem(Request(scope), self._service, error)(scope, receive, exchange.send)


_REPORT = "tell whoever runs this server, with the number of the request"


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, headers: dict[bytes, bytes]) -> None:
        self._scope, self._send, self._headers = scope, send, headers
        self._began = time.perf_counter()
        self._is_head = scope["method"] == "HEAD"
        self.status, self._bytes, self.outcome = 0, 0, ""
        scope["assaymark.request"] = os.urandom(8).hex()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            given += [pair for pair in self._headers.items() if pair[0] not in names]
            given.append((b"x-request-id", self._scope["assaymark.request"].encode()))
            message = {**message, "headers": given}
        elif message["type"] == "http.response.body":
            self._bytes += len(message.get("body", b""))
            if self._is_head:
                message = {**message, "body": b""}
        await self._send(message)

    def log(self) -> None:
        scope, status = self._scope, self.status
        who = scope.get(PRINCIPAL)
        _log.info(
            "request",
            request=scope["assaymark.request"],
            who=_who(who) if isinstance(who, Principal) else "",
            method=scope["method"][:16],
            route=_route(scope),
            status=status,
            outcome=self.outcome or _outcome(status),
            origin=scope["client"][0] if scope.get("client") else "",
            ms=round((time.perf_counter() - self._began) * 1000, 1),
            bytes=self._bytes,
        )


def _who(who: Principal) -> str:
    return f"{who.login} (token {who.token})" if who.token is not None else who.login


def _route(scope: Scope) -> str:
    """The operation or page, never the address as it was sent: an address may hold a secret."""
    if "assaymark.route" in scope:
        return str(scope["assaymark.route"])
    return getattr(scope.get("endpoint"), "__name__", "")


def _outcome(status: int) -> str:
    return "success" if 0 < status < 400 else "refused" if status < 500 and status else "failed"


def _patient(receive: Receive) -> Receive:
    """Waits for a body as long as it comes."""
    began, size, is_whole = time.monotonic(), 0, False

    async def wait() -> Message:
        nonlocal size, is_whole
        if is_whole:
            return await receive()  # now it only tells that the caller went away
        try:
            async with asyncio.timeout(SLOWEST_CHUNK):
                message = await receive()
        except TimeoutError as error:
            raise _too_slow() from error
        size += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if not is_whole and time.monotonic() - began > _PATIENCE + size / BYTES_PER_SECOND:
            raise _too_slow()
        return message

    return wait


def _too_slow() -> ApiError:
    return ApiError(408, "too-slow", "the request did not come in time", headers={"Connection": "close"})


def refuse(service: Service, lost: Callable[[Request], Response]) -> dict[Any, Callable[[Request, Any], Response]]:
    """Handlers of what the router itself refuses: an unknown path, a method that a path does not have. As problems; to a browser that looks
    for a page that is none, as a page (`lost`).
    """

    def answered(request: Request, error: HTTPException) -> Response:
        looks = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if error.status_code == 404 and looks and not request.url.path.startswith(_PROGRAMS):
            return lost(request)
        code, title = _REFUSED.get(error.status_code, ("refused", "the request was refused"))
        headers = dict(error.headers or {})
        return problem(request, service, ApiError(error.status_code, code, title, headers=headers))

    return {HTTPException: answered, ApiError: lambda request, error: problem(request, service, error)}


_PROGRAMS = ("/api/", "/hooks/", "/static/")
"""Where nobody looks for pages."""
_REFUSED = {
    400: ("invalid", "the request makes no sense"),
    404: ("not-found", "there is nothing at this address"),
    405: ("method-not-allowed", "this address does not have that method"),
}
