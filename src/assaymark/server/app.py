"""The ASGI application, put together in one place."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request

from assaymark.model.access import Principal
from assaymark.server.api import layer, meta
from assaymark.server.api.route import Operation
from assaymark.server.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def operations() -> list[Operation]:
    """Every operation of the API."""
    routers = (meta.router,)
    return [operation for router in routers for operation in router.operations]


def make_app(service: Service) -> Starlette:
    """The application over a service."""
    return Starlette(
        routes=layer.routes(service, operations(), _nobody),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[service.settings.hostname, *LOOPBACK])],
    )


def _nobody(_service: Service, _request: Request) -> Principal | None:
    return None
