"""Requests with an ``Idempotency-Key``: the same request sent twice is done once and answered twice.

Guarantees: the key counts for one person; the same key with another request is refused (422), while the first one runs as well (409). The
remembered answer is sealed, because an answer may hold a token that is shown once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from assaymark.model.access import Principal
from assaymark.server.problem import ApiError, invalid
from assaymark.server.service import Service
from assaymark.store import answers

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("content-type", "location", "cache-control")


def once(service: Service, request: Request, who: Principal, body: bytes, do: Callable[[], Response]) -> Response:
    """The answer of `do`, or the one that it gave before."""
    key = request.headers.get(HEADER.lower(), "")
    if not _KEY.fullmatch(key):
        raise invalid(f"{HEADER} is not 1 to 255 visible ASCII characters", "send a random UUID")
    asked = answers.Request(f"person:{who.person}", key, _digest(request, body))
    known = answers.begin(service.database, asked, service.now())
    if known is not None:
        return _again(service, asked, known)
    try:
        response = do()
    except BaseException:
        answers.forget(service.database, asked)
        raise
    if response.status_code >= 300 or isinstance(response, StreamingResponse):
        answers.forget(service.database, asked)
        return response
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    sealed = service.vault.seal(_name(asked), bytes(response.body).decode("latin-1"))
    answers.keep(service.database, asked, status=response.status_code, headers=msgspec.json.encode(headers).decode(), body=sealed)
    return response


def _again(service: Service, asked: answers.Request, known: answers.Remembered) -> Response:
    if known.digest != asked.digest:
        raise ApiError(
            422, "key-reused", f"this {HEADER} was sent with another request", advice="send a new key with every new request"
        )  # fmt: skip
    if known.runs:
        raise ApiError(
            409, "still-running", f"the request with this {HEADER} is being done",
            advice="ask again in a moment with the same key", headers={"Retry-After": "1"},
        )  # fmt: skip
    body = service.vault.open(_name(asked), known.body).value.decode().encode("latin-1")
    return Response(body, known.status, {**msgspec.json.decode(known.headers), REPLAYED: "true"})


def _digest(request: Request, body: bytes) -> str:
    target = f"{request.method} {request.scope['path']}?{request.scope.get('query_string', b'').decode('latin-1')}"
    return hashlib.sha256(target.encode(errors="replace") + b"\0" + hashlib.sha256(body).digest()).hexdigest()


def _name(asked: answers.Request) -> str:
    return f"answer:{asked.scope}:{asked.key}"
