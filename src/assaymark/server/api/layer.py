"""From a request to a function's arguments and from its result to an answer.

Order of an operation: who is it (session or token), may he, is the request well-formed, run in a thread, answer with an entity tag.
Whatever goes wrong is problem+json. Authorisation is by the matched operation, never by the URL's text.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from assaymark.errors import AssayError, SubjectNotFound, UsageError
from assaymark.model.access import Principal
from assaymark.server.api.route import Call, Nothing, Operation, Upload
from assaymark.server.problem import KIND, ApiError, Problem, forbidden, invalid
from assaymark.server.service import Service

PREFIX = "/api/v1"
_encode = msgspec.json.Encoder()
_log = structlog.get_logger("assaymark.api")

Identify = Callable[[Service, Request], Principal | None]
"""Who sends a request; raises `ApiError` for a credential that is wrong."""


def routes(service: Service, operations: list[Operation], identify: Identify) -> list[Route]:
    """One Starlette route per path and method."""
    return [Route(PREFIX + each.path, _endpoint(service, each, identify), methods=[each.method], name=each.id) for each in operations]


def _endpoint(service: Service, operation: Operation, identify: Identify) -> Callable[[Request], Any]:
    decoder = msgspec.json.Decoder(operation.body) if operation.body not in (None, Upload) else None

    def perform(request: Request, body: bytes) -> Any:
        principal = identify(service, request)
        _admit(operation, principal)
        arguments = _arguments(operation, request)
        if operation.body is Upload:
            arguments["body"] = Upload(body, request.headers.get("content-type", ""))
        elif decoder is not None:
            arguments["body"] = decoder.decode(body)
        return operation.run(Call(service, request, principal, body), **arguments)

    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request, operation)
            result = await run_in_threadpool(perform, request, body)
            return result if isinstance(result, Response) else answer(request, result, operation.status)
        except ApiError as error:
            return problem(request, service, error)
        except msgspec.ValidationError as error:
            return problem(request, service, invalid(str(error)))
        except msgspec.DecodeError as error:
            return problem(request, service, invalid(f"the body is no JSON: {error}"))
        except AssayError as error:
            return problem(request, service, _of_ours(error))
        except ClientDisconnect:
            return Response(status_code=499)

    return endpoint


def _admit(operation: Operation, principal: Principal | None) -> None:
    if operation.public:
        return
    if principal is None:
        raise ApiError(
            401,
            "unauthenticated",
            "nobody is signed in",
            advice="send `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if operation.permission is not None and not principal.may_somewhere(operation.permission):
        raise forbidden(operation.permission)


def _arguments(operation: Operation, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind, default in operation.parameters:
        text = request.path_params.get(name, request.query_params.get(name))
        if text is None:
            if default is inspect.Parameter.empty:
                raise invalid(f"the parameter {name} is missing")
            continue
        try:
            found[name] = msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(f"{name}: {error}") from error
    return found


async def _body(request: Request, operation: Operation) -> bytes:
    """At most as many bytes as the operation takes: a longer body is not read to its end."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > operation.most_bytes:
            raise ApiError(413, "too-large", "the request is too large", detail=f"at most {operation.most_bytes} bytes are read")
        chunks.append(chunk)
    return b"".join(chunks)


def answer(request: Request, result: Any, status: int = 200) -> Response:
    """JSON with an entity tag; 304 when the caller has it already."""
    if result is None or isinstance(result, Nothing):
        return Response(status_code=204)
    data = _encode.encode(result)
    if request.method != "GET":
        return Response(data, status, media_type="application/json")
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(data, status, headers, media_type="application/json")


def problem(request: Request, service: Service, error: ApiError) -> Response:
    """The answer that says why not."""
    said = Problem(
        title=error.title,
        status=error.status,
        type=f"{service.settings.url}/problems/{error.code}",
        detail=error.detail,
        advice=error.advice,
        request=request.scope.get("assaymark.request", ""),
    )
    return Response(_encode.encode(said), error.status, error.headers, media_type=KIND)


def _of_ours(error: AssayError) -> ApiError:
    status = 404 if isinstance(error, SubjectNotFound) else 400 if isinstance(error, UsageError) else 503
    return ApiError(status, error.code, error.what, detail=error.why, advice=error.advice)
