"""The ASGI application, put together in one place."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

from assaymark.model.access import Principal
from assaymark.server.api import layer, meta
from assaymark.server.api.limits import Limits, Rate
from assaymark.server.api.route import Operation
from assaymark.server.middleware import Guard, refuse
from assaymark.server.service import Service


def operations() -> list[Operation]:
    """Every operation of the API."""
    routers = (meta.router,)
    return [operation for router in routers for operation in router.operations]


def _nobody(_service: Service, _request: Request) -> Principal | None:
    return None


def make_app(service: Service, *, identify: layer.Identify = _nobody, offered: list[Operation] | None = None) -> Starlette:
    """The application over a service; with other operations than all where a test offers its own."""
    settings = service.settings
    limits = Limits(Rate(settings.rate), Rate(settings.public_rate), service.now)
    app = Starlette(
        routes=[*layer.routes(layer.Front(service, identify, limits), operations() if offered is None else offered)],
        middleware=[Middleware(Guard, service=service)],
        exception_handlers=refuse(service),
    )
    app.state.limits = limits
    app.router.redirect_slashes = False  # a redirect would be made of the request's own words
    return app
