"""The files of the TUF repository, for everybody: below ``/trust/``, as they were published. They are signed; nothing about them is secret.

A name is looked up as it is, in a table and never on a disk. Only the newest root and the timestamp change under their names.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assaymark.server.service import Service
from assaymark.store import distribution

PREFIX = "/trust/"
_CHANGING = frozenset({"timestamp.json", "root.json"})
_LONGEST = 1000


def routes(service: Service) -> list[Route]:
    """One route for all of them."""

    def found(name: str) -> bytes | None:
        with service.database.read() as link:
            return distribution.file(link, name)

    async def give(request: Request) -> Response:
        name = request.path_params["name"]
        data = await run_in_threadpool(found, name) if len(name) <= _LONGEST and name.isprintable() else None
        if data is None:
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        kept = "no-cache" if name in _CHANGING else "public, max-age=86400, immutable"
        return Response(data, 200, {"Cache-Control": kept}, media_type="application/json")

    return [Route(PREFIX + "{name:path}", give, methods=["GET"], name="trust-files")]
