"""``POST /hooks/<kind>/<connection>``: open to everybody, since the signature is what lets in.

Guarantees: at most `MOST_BYTES` of a body are read, and of large bodies few at a time, so that nobody without a secret fills the memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Route

from assaymark.server.api.layer import problem
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.server.webhooks.receive import Request, receive
from assaymark.triggers.webhooks.delivery import MOST_BYTES

_LARGE = 1 << 20
_MOST_LARGE = 4
_SECONDS = 20.0
"""Within which a body has to come: forges give up after ten."""


def routes(service: Service) -> list[Route]:
    """The one route."""
    return [Route("/hooks/{kind}/{connection:int}", _endpoint(service), methods=["POST"], name="deliver")]


def _endpoint(service: Service) -> Callable[[WebRequest], Coroutine[Any, Any, Response]]:
    large = asyncio.Semaphore(_MOST_LARGE)

    async def endpoint(request: WebRequest) -> Response:
        try:
            if _announced(request) > _LARGE:
                async with large:
                    return await _answer(service, request, MOST_BYTES)
            return await _answer(service, request, _LARGE if "content-length" in request.headers else MOST_BYTES)
        except ApiError as error:
            return problem(request, service, error)
        except ClientDisconnect:
            return Response(status_code=499)

    return endpoint


def _announced(request: WebRequest) -> int:
    """How long the body says it is; without a word it may be as long as it may."""
    given = request.headers.get("content-length", "")
    size = int(given) if given.isascii() and given.isdecimal() and len(given) < 16 else MOST_BYTES
    if size > MOST_BYTES:
        raise _too_large()
    return size


async def _answer(service: Service, request: WebRequest, most: int) -> Response:
    try:
        body = await asyncio.wait_for(_body(request, most), _SECONDS)
    except TimeoutError as error:
        raise ApiError(408, "too-slow", "the body took too long", detail=f"it has to come within {_SECONDS:.0f} s") from error
    taken = Request(
        request.path_params["kind"], request.path_params["connection"], dict(request.headers), body, request.query_params.get("key", "")
    )
    receipt = await run_in_threadpool(receive, service, taken)
    return Response(msgspec.json.encode(receipt), receipt.status, media_type="application/json")


async def _body(request: WebRequest, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> ApiError:
    return ApiError(413, "too-large", "the delivery is too large", detail=f"at most {MOST_BYTES} bytes are read")
