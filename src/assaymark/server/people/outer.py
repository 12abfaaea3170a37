"""What is done around every request, API or page: cookies that were put on it go out, and what somebody was refused is recorded.

Recorded is a 403 of a caller who is known, not a 404 that hides. Sign-ins that fail are recorded where they do.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assaymark.model.access import Principal
from assaymark.server.people.cookies import TO_SET
from assaymark.server.people.identify import PRINCIPAL
from assaymark.server.people.session import origin
from assaymark.server.service import Service
from assaymark.store import trail
from assaymark.store.trail import Action

_PATH_LENGTH = 200


class Outer:
    """Middleware."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        to_set: list[str] = []
        scope[TO_SET] = to_set
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for cookie in to_set:
                    headers.append("set-cookie", cookie)
                if to_set:
                    headers["cache-control"] = "no-store"
            await send(message)

        await self.app(scope, receive, answer)
        principal = scope.get(PRINCIPAL)
        if status == 403 and principal is not None:
            await run_in_threadpool(_note, self.service, Request(scope), principal)


def _note(service: Service, request: Request, principal: Principal) -> None:
    details = {"method": request.method, "path": request.url.path[:_PATH_LENGTH]}
    if principal.token is not None:
        details["token"] = str(principal.token)
    with service.database.write() as connection:
        action = Action(
            at=service.now(),
            actor=principal.login,
            action="request.made",
            outcome="refused",
            person=principal.person,
            origin=origin(request),
            details=details,
        )
        trail.record(connection, action)
