"""``POST /admission/k8s`` and ``POST /admission/imagereview``: what clusters ask before something starts.

Who asks is known by the token of his gate: as ``Authorization: Bearer`` (an API server sends it from a kubeconfig), or as the last part of
the path (a webhook configuration has nothing else). Whoever has it learns what is approved and nothing else, and changes nothing.

Guarantees: what is not understood, not known or not answered in time is an HTTP error and never "allowed": the cluster then does as its
failure policy says. At most `MOST_BYTES` of a body are read, large ones few at a time. What is refused is written down after the answer
went out, so that a database that is slow to write delays nobody; if that fails, the answer stands and the log says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import sqlalchemy as sa
import structlog
from msgspec import Struct
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from assaymark.deployment.admission.review import MOST_BYTES, ReviewInvalidError
from assaymark.deployment.admission.webhook import IMAGES, REVIEWS
from assaymark.server.api.layer import error_of, problem, read_body
from assaymark.server.people import credential
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.server.work.admitting import Asking, Keeper, Told, review_images, review_objects
from assaymark.store import admission
from assaymark.store.admission import Refusal

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
Answer = Callable[[Asking, bytes], Told]
_LARGE = 256 << 10
_MOST_LARGE = 4
_log = structlog.get_logger("assaymark.admission")


class _Shared(Struct, frozen=True):
    service: Service
    keeper: Keeper
    large: asyncio.Semaphore


def routes(service: Service, keeper: Keeper | None = None) -> list[Route]:
    """Both reviews, with the token in a header and in the path."""
    shared = _Shared(service, keeper or Keeper(service), asyncio.Semaphore(_MOST_LARGE))
    found = []
    for path, name, answer in ((REVIEWS, "review_objects", review_objects), (IMAGES, "review_images", review_images)):
        endpoint = _endpoint(shared, answer, name)
        found += [
            Route(path, endpoint, methods=["POST"], name=name),
            Route(path + "/{token}", endpoint, methods=["POST"], name=f"{name}_of"),
        ]
    return found


def _endpoint(shared: _Shared, answer: Answer, name: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.scope["assaymark.route"] = name
        try:
            token = _token(request)
            if _announced(request) > _LARGE:
                async with shared.large:
                    return await _answered(shared, request, token, answer)
            return await _answered(shared, request, token, answer)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - what is no answer is raised again there
            return problem(request, shared.service, error_of(error))

    return endpoint


async def _answered(shared: _Shared, request: Request, token: str, answer: Answer) -> Response:
    body = await read_body(request, MOST_BYTES if "content-length" in request.headers else _LARGE)
    gate, told = await run_in_threadpool(_ask, shared, token, body, answer)
    background = BackgroundTask(_note, shared.service, gate, told.refusals) if told.refusals else None
    return Response(told.body, headers={"Cache-Control": "no-store"}, media_type="application/json", background=background)


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _token(request: Request) -> str:
    """What could be one; anything else is not looked for."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip() if scheme.lower() == "bearer" else request.path_params.get("token", "")
    if not credential.is_secret(text):
        raise _unknown()
    return str(text)


def _unknown() -> ApiError:
    return ApiError(
        401, "gate-unknown", "this is the token of no gate", advice="make the gate, and give its token to the cluster",
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip


def _ask(shared: _Shared, token: str, body: bytes, answer: Answer) -> tuple[int, Told]:
    service = shared.service
    with service.database.read() as link:
        found = admission.by_token(link, credential.hashed(token))
        if found is None:
            raise _unknown()
        gate, stamps = found
        try:
            return gate.id, answer(Asking(service, shared.keeper, link, gate, stamps), body)
        except ReviewInvalidError as error:
            raise ApiError(400, "invalid", "this is no review that can be answered", detail=str(error)[:500]) from error


def _note(service: Service, gate: int, found: tuple[Refusal, ...]) -> None:
    try:
        with service.database.write() as link:
            admission.note(link, gate, found, service.now())
    except sa.exc.SQLAlchemyError as error:
        _log.warning("admission.unnoted", gate=gate, refusals=len(found), error=type(error).__name__)
