"""The ASGI application, put together in one place."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from assaymark.server.api import layer, meta, passkeys, people, sessions, teams, tokens, trail
from assaymark.server.api.route import Operation
from assaymark.server.people.identify import identify
from assaymark.server.people.outer import Outer
from assaymark.server.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def operations() -> list[Operation]:
    """Every operation of the API."""
    routers = (meta.router, sessions.router, passkeys.router, people.router, teams.router, tokens.router, trail.router)
    return [operation for router in routers for operation in router.operations]


def make_app(service: Service) -> Starlette:
    """The application over a service."""
    return Starlette(
        routes=layer.routes(service, operations(), identify),
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[service.settings.hostname, *LOOPBACK]),
            Middleware(Outer, service=service),
        ],
    )
