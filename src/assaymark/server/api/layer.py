"""From a request to a function's arguments and from its result to an answer.

Order of an operation: the body is read up to its bound; in a thread: who is it (session or token), does he ask too often, may he, is the
request well-formed, is what he changes still what he saw (``If-Match``), was it done already (``Idempotency-Key``), then it is done and
answered with an entity tag. Whatever goes wrong is problem+json. Authorisation is by the matched operation, never by the URL's text.

Guarantees: no input of a caller ends in a 5xx; 500 is a defect of ours, 503 says that the database or an engine does not answer now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import sqlalchemy.exc as sa_exc
import structlog
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from assaymark.errors import AssayError, SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.model.access import Principal
from assaymark.server.api import repeat
from assaymark.server.api.arguments import Document, parameters_of, read_parameters
from assaymark.server.api.limits import Limits
from assaymark.server.api.route import Call, Nothing, Operation
from assaymark.server.api.tag import matches, tag_of_bytes
from assaymark.server.people.identify import PRINCIPAL
from assaymark.server.problem import KIND, ApiError, Problem, conflict, forbidden, invalid
from assaymark.server.service import Service

PREFIX = "/api/v1"
PRIVATE = {"Cache-Control": "private, no-cache"}
UNKEPT = {"Cache-Control": "no-store"}
_encode = msgspec.json.Encoder()
_log = structlog.get_logger("assaymark.api")

Identify = Callable[[Service, Request], Principal | None]
"""Who sends a request; raises `ApiError` for a credential that is wrong."""
Endpoint = Callable[[Request], Awaitable[Response]]


class Front(Struct, frozen=True):
    """What every operation is answered with."""

    service: Service
    identify: Identify
    limits: Limits


def routes(front: Front, operations: list[Operation]) -> list[Route]:
    """One Starlette route per path; fixed paths before those with parameters.

    Raises:
        ValueError: when two operations have one name, or one method of one path.
    """
    _check_unique(operations)
    paths: dict[str, list[Operation]] = {}
    for each in operations:
        paths.setdefault(each.path, []).append(each)
    ordered = sorted(paths, key=lambda path: [part.startswith("{") for part in path.split("/")])
    return [_route(front, paths[path]) for path in ordered]


def _check_unique(operations: list[Operation]) -> None:
    for names in ([each.id for each in operations], [f"{each.method} {each.template}" for each in operations]):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two operations are one: {', '.join(twice)}")


def _route(front: Front, operations: list[Operation]) -> Route:
    """All methods of one path, so that what is not there is answered by what is."""
    reads = next((each for each in operations if each.method == "GET"), None)
    endpoints = {each.method: _endpoint(front, each, reads) for each in operations}
    if "GET" in endpoints:
        endpoints["HEAD"] = endpoints["GET"]
    allowed = ", ".join([*endpoints, "OPTIONS"])

    async def endpoint(request: Request) -> Response:
        found = endpoints.get(request.method)
        if found is None:
            return Response(status_code=204, headers={"Allow": allowed})
        return await found(request)

    return Route(PREFIX + operations[0].path, endpoint, methods=[*endpoints, "OPTIONS"], name=operations[0].id)


def _endpoint(front: Front, operation: Operation, reads: Operation | None) -> Endpoint:
    service = front.service
    parameters, document = parameters_of(operation), Document(operation)

    def perform(request: Request, body: bytes) -> Response:
        principal = _known(front, request)
        _admit(operation, principal)
        call = Call(service, request, principal, body)
        arguments = read_parameters(parameters, request)
        _expect(call, operation, reads, arguments)
        arguments |= document.read(request, body)

        def do() -> Response:
            result = operation.run(call, **arguments)
            return result if isinstance(result, Response) else answer(request, result, operation.status)

        if operation.idempotent and repeat.HEADER in request.headers:
            return repeat.once(service, request, call.who, body, do)
        return do()

    async def endpoint(request: Request) -> Response:
        request.scope["assaymark.route"] = operation.id
        try:
            body = await read_body(request, operation.most_bytes)
            response = await run_in_threadpool(perform, request, body)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - what is no answer is raised again there
            response = problem(request, service, error_of(error))
        response.headers.update(request.scope.get("assaymark.limit", {}))
        return response

    return endpoint


def _known(front: Front, request: Request) -> Principal | None:
    """Who asks; who is not known, or says what is not true, is counted by his address."""
    address = request.client.host if request.client else ""
    try:
        principal = front.identify(front.service, request)
    except ApiError:
        front.limits.take(None, address)
        raise
    taken = front.limits.take(principal, address)
    request.scope["assaymark.limit"] = taken.headers
    request.scope[PRINCIPAL] = principal
    return principal


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


def _expect(call: Call, operation: Operation, reads: Operation | None, arguments: dict[str, Any]) -> None:
    """``If-Match``: what is changed must be in the state that the caller saw by the GET of the same path."""
    if operation.method == "GET" or "if-match" not in call.request.headers:
        return
    if reads is None:
        raise ApiError(412, "unversioned", "this has no state that could be compared", advice="leave If-Match out")
    if not reads.public and reads.permission is not None:
        _admit(reads, call.principal)
    wanted = {name: value for name, value in arguments.items() if name in reads.in_path}
    call.expect(reads.run(call, **wanted))


async def read_body(request: Request, most: int) -> bytes:
    """At most this many bytes: a longer body is not read to its end, one that says that it is longer not at all."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(most: int) -> ApiError:
    return ApiError(413, "too-large", "the request is too large", detail=f"at most {most} bytes are read", headers={"Connection": "close"})


def answer(request: Request, result: Any, status: int = 200) -> Response:
    """JSON with an entity tag; 304 when the caller has it already."""
    if result is None or isinstance(result, Nothing):
        return Response(status_code=204, headers=UNKEPT)
    data = _encode.encode(result)
    if request.method not in {"GET", "HEAD"}:
        place = getattr(result, "location", "")  # of what goes on elsewhere
        return Response(data, status, {**UNKEPT, **({"Location": place} if place else {})}, media_type="application/json")
    tag = tag_of_bytes(data)
    headers = {"ETag": tag, **PRIVATE}
    if matches(request.headers.get("if-none-match", ""), tag, strong=False):
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
    return Response(_encode.encode(said), error.status, {**UNKEPT, **error.headers}, media_type=KIND)


def error_of(error: Exception) -> ApiError:
    """What is said of it.

    Raises:
        Exception: itself, when it is a defect.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, AssayError):
        return _of_ours(error)
    if isinstance(error, msgspec.ValidationError):
        return invalid(str(error))
    said = _of_database(error)
    if said is None:
        raise error
    return said


def _of_database(error: Exception) -> ApiError | None:
    match error:
        case sa_exc.DataError() | OverflowError() | UnicodeEncodeError():
            _log.warning("unkept", outcome="refused", error=type(error).__name__)
            return invalid("a value is beyond what can be kept")
        case sa_exc.IntegrityError():
            return conflict("something like it came in the same moment, or what it refers to is gone", "read again and try again")
        case sa_exc.OperationalError() | sa_exc.InterfaceError() | sa_exc.TimeoutError():
            _log.error("database", outcome="failed", error=type(error).__name__)
            return ApiError(503, "busy", "the database does not answer now", advice="try again", headers={"Retry-After": "2"})
        case _:
            return None


def _of_ours(error: AssayError) -> ApiError:
    match error:
        case SubjectNotFound():
            status = 404
        case UsageError():
            status = 400
        case SubjectUnreadable():
            status = 422
        case _:
            status = 503
            _log.error("unavailable", code=error.code, what=error.what)
    return ApiError(status, error.code, error.what, detail=error.why, advice=error.advice)
